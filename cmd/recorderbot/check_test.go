package main

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/catalogue"
)

func journalOf(lines ...[2]string) []catalogue.JournalEntry {
	var all []catalogue.JournalEntry
	for i, l := range lines {
		all = append(all, catalogue.JournalEntry{Seq: int64(i + 1), Kind: l[0], Data: json.RawMessage(l[1])})
	}
	return all
}

// TestCheckJournal: the good journal passes, and each planted fault is found.
func TestCheckJournal(t *testing.T) {
	t.Parallel()
	good := [][2]string{
		{"invite", `{}`},
		{"announce", `{"status":"recording","clientContext":"c/1"}`},
		{"announced", `{"status":"recording","clientContext":"c/1","progress":"completed"}`},
		{"permit", `{"clientContext":"c/1"}`},
		{"opened", `{"recording":"r"}`},
		{"sealed", `{"recording":"r"}`},
		{"announce", `{"status":"notRecording","clientContext":"c/2"}`},
		{"announced", `{"status":"notRecording","clientContext":"c/2","progress":"completed"}`},
		{"outcome", `{}`},
	}
	if f := checkJournal(journalOf(good...)); len(f) > 0 {
		t.Fatalf("the good journal: %v", f)
	}
	without := func(i int) [][2]string { return slices.Delete(slices.Clone(good), i, i+1) }
	set := func(i int, data string) [][2]string {
		c := slices.Clone(good)
		c[i][1] = data
		return c
	}
	for name, tt := range map[string]struct {
		lines [][2]string
		want  error
	}{
		"no intention":          {without(1), errSaidUnasked},
		"no reply":              {without(2), errPermitUnbased},
		"running is no success": {set(2, `{"status":"recording","clientContext":"c/1","progress":"running"}`), errPermitUnbased},
		"another context":       {set(3, `{"clientContext":"c/9"}`), errPermitUnbased},
		"not about recording":   {set(1, `{"status":"notRecording","clientContext":"c/1"}`), errPermitUnbased},
		"no permit":             {without(3), errReopened},
		"no seal":               {without(5), errEndUnsealed},
		"two outcomes":          {append(slices.Clone(good), [2]string{"outcome", `{}`}), errManyOutcomes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f := checkJournal(journalOf(tt.lines...)); !errors.Is(errors.Join(f...), tt.want) {
				t.Errorf("found %v, want %v", f, tt.want)
			}
		})
	}
}
