package archive_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// failing turns a script's call into one whose end is announced as failed.
func failing(tb testing.TB, j *archive.Job) {
	tb.Helper()
	j.Conclusion.Outcome = recorder.OutcomeFailed
	for i, e := range j.Events {
		if e.Kind == string(recorder.EntryAnnounce) && i > 5 {
			j.Events[i].Data = marshal(tb, map[string]any{"status": "failed", "clientContext": string(call) + "/2/notRecording"})
		}
	}
}

// A clock that is set back by 5 s, at whatever moment of a call, changes neither
// the order nor what the laws make of it.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	order := func(m *archive.Manifest) (steps []string) {
		for _, s := range m.Order {
			if s.Step != archive.StepFirstDurable && s.Step != archive.StepLastDurable { // beside the journal, where time has them
				steps = append(steps, s.Step+" "+s.Status)
			}
		}
		return steps
	}
	for name, end := range map[string]func(testing.TB, *archive.Job){"stopped": nil, "failed": failing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := open(t).Assemble(t.Context(), ordinary(t).job(t, recorder.OutcomeRecordedWithGaps))
			if err != nil {
				t.Fatal(err)
			}
			want := order(readManifest(t, r.Path))
			for _, moment := range moments(t) {
				s := ordinary(t)
				j := s.job(t, recorder.OutcomeRecordedWithGaps)
				if end != nil {
					end(t, &j)
				}
				set := func(at *time.Time) {
					if !at.Before(moment) {
						*at = at.Add(-5 * time.Second)
					}
				}
				for i := range s.records {
					set(&s.records[i].At)
				}
				for i := range j.Events {
					set(&j.Events[i].At)
				}
				set(&j.Conclusion.At)
				r, err := open(t).Assemble(t.Context(), j)
				if err != nil {
					t.Fatal(err)
				}
				m, findings := archive.CheckFolder(r.Path)
				if len(findings) > 0 {
					t.Errorf("set back at %v: %v", moment, findings)
				}
				if end == nil {
					if d := cmp.Diff(want, order(m)); d != "" {
						t.Errorf("set back at %v, the order (-want +got):\n%s", moment, d)
					}
				}
			}
		})
	}
}

// moments are the instants of a call at which something happened.
func moments(tb testing.TB) (all []time.Time) {
	tb.Helper()
	s := ordinary(tb)
	last := len(s.records) - 1
	for _, i := range []int{0, 1, 2, 50, last - 1, last} {
		all = append(all, s.records[i].At)
	}
	for _, e := range s.job(tb, recorder.OutcomeRecorded).Events {
		all = append(all, e.At)
	}
	return all
}

// The journal's order is the order, whatever the times say: what was entered the
// wrong way round is found.
func TestJournalInTheWrongOrder(t *testing.T) {
	t.Parallel()
	const announced, permit, opened, sealed, end = 4, 5, 7, 8, 9 // as the helper's journal has them
	for name, tt := range map[string]struct {
		first, second int // change places
		want          archive.FindingKind
	}{
		"permit before its reply":   {announced, permit, archive.FindingPermit},
		"opened before the permit":  {permit, opened, archive.FindingEarly},
		"end announced before seal": {sealed, end, archive.FindingSeal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := ordinary(t).job(t, recorder.OutcomeRecordedWithGaps)
			a, b := &j.Events[tt.first], &j.Events[tt.second]
			a.Seq, b.Seq = b.Seq, a.Seq
			r, err := open(t).Assemble(t.Context(), j)
			if err != nil {
				t.Fatal(err)
			}
			_, findings := archive.CheckFolder(r.Path)
			if !slices.ContainsFunc(findings, func(f archive.Finding) bool { return f.Kind == tt.want }) {
				t.Errorf("findings %v, want %s", findings, tt.want)
			}
		})
	}
}

// A seal that is told twice, as where a call ends that was to be resumed, was there
// when it was told first.
func TestSealToldTwice(t *testing.T) {
	t.Parallel()
	const sealed = 8 // as the helper's journal has it
	j := ordinary(t).job(t, recorder.OutcomeRecordedWithGaps)
	again := j.Events[sealed]
	again.Seq = j.Events[len(j.Events)-1].Seq + 1
	j.Events = append(j.Events, again)
	r, err := open(t).Assemble(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if _, findings := archive.CheckFolder(r.Path); len(findings) > 0 {
		t.Errorf("findings %v", findings)
	}
}

// Without the journal's entries the times decide, as they can.
func TestOrderByTime(t *testing.T) {
	t.Parallel()
	j := ordinary(t).job(t, recorder.OutcomeRecordedWithGaps)
	j.Events = slices.DeleteFunc(j.Events, func(e archive.Event) bool {
		return e.Kind == string(recorder.EntryPermit) || e.Kind == string(recorder.EntrySealed)
	})
	r, err := open(t).Assemble(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	m, findings := archive.CheckFolder(r.Path)
	for _, f := range findings {
		t.Error(f)
	}
	for _, s := range m.Order {
		if (s.Step == archive.StepPermit || s.Step == archive.StepSealed) && s.Entry != 0 {
			t.Errorf("%s has the number %d", s.Step, s.Entry)
		}
	}
}
