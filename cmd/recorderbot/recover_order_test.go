package main

import (
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestPartsInOrder: the spool is taken stock of by many at once, and a call's recordings
// are in the order in which they were begun all the same: the next one names the last.
func TestPartsInOrder(t *testing.T) {
	t.Parallel()
	h := &heritage{serials: map[string]uint64{"third": 70, "fourth": 71}}
	at := time.Now()
	found := []recorder.SealReport{
		{Recording: "fourth", At: at},
		{Recording: "third", At: at.Add(time.Second)},
		{Recording: "second", At: at.Add(-time.Minute)},
		{Recording: "first", At: at.Add(-time.Hour)},
	}
	want := []string{"first", "second", "third", "fourth"}
	for i, r := range h.inOrder(found) {
		if r.Recording != want[i] {
			t.Errorf("%d is %s", i, r.Recording)
		}
	}
}
