package main

import (
	"errors"
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/catalogue"
)

// TestCheckOutcome: table and journal say the same of a call's end, and neither
// calls recorded what failed after its permit.
func TestCheckOutcome(t *testing.T) {
	t.Parallel()
	type lines = [][2]string
	outcome := [2]string{"outcome", `{"outcome":"recorded","cause":"callEnded","detail":"d"}`}
	permit, failed := [2]string{"permit", `{}`}, [2]string{"announce", `{"status":"failed","clientContext":"c/2"}`}
	recorded := catalogue.Outcome{Outcome: "recorded", Cause: "callEnded", Detail: "d"}
	with := func(change func(*catalogue.Outcome)) *catalogue.Outcome {
		o := recorded
		change(&o)
		return &o
	}
	for name, tt := range map[string]struct {
		lines lines
		end   *catalogue.Outcome
		want  error
	}{
		"the same":               {lines{permit, outcome}, &recorded, nil},
		"not over":               {lines{permit}, nil, nil},
		"only in the journal":    {lines{permit, outcome}, nil, errOutcomeGone},
		"only in the table":      {lines{permit}, &recorded, errOutcomeUnsaid},
		"another outcome":        {lines{outcome}, with(func(o *catalogue.Outcome) { o.Outcome = "recordedWithGaps" }), errOutcomeDiffers},
		"another cause":          {lines{outcome}, with(func(o *catalogue.Outcome) { o.Cause = "callGone" }), errOutcomeDiffers},
		"another detail":         {lines{outcome}, with(func(o *catalogue.Outcome) { o.Detail = "" }), errOutcomeDiffers},
		"no outcome in it":       {lines{{"outcome", `[]`}}, &recorded, errOutcomeDiffers},
		"failed after permit":    {lines{permit, failed, outcome}, &recorded, errFailedRecorded},
		"failed before a permit": {lines{failed, permit, outcome}, &recorded, nil},
		"failed, and says so": {
			lines{permit, failed, {"outcome", `{"outcome":"failed","cause":"mediaLost"}`}}, &catalogue.Outcome{Outcome: "failed", Cause: "mediaLost"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := errors.Join(checkOutcome(journalOf(slices.Clone(tt.lines)...), tt.end)...); !errors.Is(got, tt.want) || (got == nil) != (tt.want == nil) {
				t.Errorf("found %v, want %v", got, tt.want)
			}
		})
	}
}
