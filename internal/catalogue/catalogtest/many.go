package catalogtest

import (
	"fmt"
	"math/rand/v2"
	"reflect"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// many calls are more than one statement asks for.
const many = 1203

func names(n int) []recorder.CallID {
	all := make([]recorder.CallID, n)
	for i := range all {
		all[i] = recorder.CallID(fmt.Sprintf("call-%04d", i))
	}
	return all
}

// journalsOfMany: what is asked for of many journals at once is what each of them has.
func journalsOfMany(s *suite) {
	t := s.t
	kinds := []recorder.EntryKind{recorder.EntrySession, recorder.EntryState, recorder.EntryRoster, recorder.EntryOpened, recorder.EntryMedia}
	brief := catalogue.Brief{Kinds: []recorder.EntryKind{recorder.EntrySession, recorder.EntryOpened}, Latest: recorder.EntryState}
	draw := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same ones each time
	calls := names(many)
	for _, id := range calls {
		for n := range draw.IntN(6) { // some have none
			if !s.c.Note(entry(id, kinds[draw.IntN(len(kinds))], n)) {
				t.Fatal("note refused")
			}
		}
		if draw.IntN(100) == 0 {
			must(t, s.c.Append(t.Context()))
		}
	}
	must(t, s.c.Append(t.Context()))
	asked := calls[1:]
	got, err := s.c.Journals(t.Context(), asked, brief)
	must(t, err)
	want := make(map[recorder.CallID][]catalogue.JournalEntry)
	for _, id := range asked {
		whole, failed := s.c.Journal(t.Context(), id)
		must(t, failed)
		last := int64(0)
		for _, e := range whole {
			if e.Kind == string(brief.Latest) {
				last = e.Seq
			}
		}
		for i, e := range whole {
			if i == len(whole)-1 || e.Seq == last || e.Kind == string(brief.Kinds[0]) || e.Kind == string(brief.Kinds[1]) {
				want[id] = append(want[id], e)
			}
		}
	}
	equal(t, "journals", got, want)
	got, err = s.c.Journals(t.Context(), nil, brief)
	must(t, err)
	equal(t, "of nobody", len(got), 0)
}

// recordingsOfMany: each call has its own, whatever state they are in, and no other's.
func recordingsOfMany(s *suite) {
	t := s.t
	calls := names(many)
	want := make(map[recorder.CallID][]string)
	for i, id := range calls {
		for n := range i % 3 {
			name := fmt.Sprintf("r-%04d-%d", i, n)
			if !s.c.Note(entry(id, recorder.EntryOpened, recorder.Opened{Recording: name, FirstSeq: 1, At: at(1)})) {
				t.Fatal("note refused")
			}
			if i%2 == 0 {
				want[id] = append(want[id], name)
			}
		}
		if i%100 == 0 {
			must(t, s.c.Append(t.Context()))
		}
	}
	must(t, s.c.Append(t.Context()))
	must(t, s.c.RecordingArchived(t.Context(), archived("r-0002-0", "sum")))
	var asked []recorder.CallID
	for i := 0; i < len(calls); i += 2 {
		asked = append(asked, calls[i])
	}
	all, err := s.c.RecordingsOf(t.Context(), asked)
	must(t, err)
	got := make(map[recorder.CallID][]string)
	for id, rs := range all {
		for _, r := range rs {
			got[id] = append(got[id], r.ID)
			if whole, failed := s.c.Recording(t.Context(), r.ID); failed != nil || !reflect.DeepEqual(whole, r) {
				t.Errorf("%+v is %+v, %v", r, whole, failed)
			}
		}
	}
	equal(t, "recordings", got, want)
	all, err = s.c.RecordingsOf(t.Context(), nil)
	must(t, err)
	equal(t, "of nobody", len(all), 0)
}
