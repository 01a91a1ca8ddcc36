package host_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

func TestAudioRepeatsAndShifts(t *testing.T) {
	t.Parallel()
	a := host.NewAudio([]int16{1, 2, -3, 4, 5})
	got := make([]int16, 7)
	a.Samples(3, got)
	if diff := cmp.Diff([]int16{4, 5, 1, 2, -3, 4, 5}, got); diff != "" {
		t.Error(diff)
	}
	a.From(4).From(3).Samples(0, got)
	if diff := cmp.Diff([]int16{-3, 4, 5, 1, 2, -3, 4}, got); diff != "" {
		t.Error(diff)
	}
	host.NewAudio(nil).Samples(1, got)
	if diff := cmp.Diff(make([]int16, 7), got); diff != "" {
		t.Error(diff)
	}
}

func TestSessionsOfTheDefaultAudioDiffer(t *testing.T) {
	t.Parallel()
	h, err := host.New(host.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	c := dial(t, h)
	create(t, c, "s1")
	create(t, c, "s2")
	rs := h.Records()
	one, two := make([]int16, 16000), make([]int16, 16000)
	rs[0].Audio.Samples(0, one)
	rs[1].Audio.Samples(0, two)
	if cmp.Equal(one, two) {
		t.Error("two sessions hear the same at the same time")
	}
}
