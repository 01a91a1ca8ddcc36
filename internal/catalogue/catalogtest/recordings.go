package catalogtest

import (
	"errors"
	"strings"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func report(id string) recorder.SealReport {
	return recorder.SealReport{
		Recording: id, Frames: 10, Samples: 3200, GapSamples: 640, Discarded: 3, LastSeq: 12,
		FirstAt: at(2), LastAt: at(3), At: at(4),
	}
}

func archived(id, sum string) catalogue.Archived {
	return catalogue.Archived{
		Recording: id, Path: "2026/" + id, ManifestSHA256: sum, Samples: 3840, GapSamples: 640, Bytes: 999, StartedAt: at(2), EndedAt: at(3),
	}
}

func recordingsGoForward(s *suite) {
	t := s.t
	ctx := t.Context()
	s.c.Invited(invite("a", 0))
	opened := func(second int) {
		t.Helper()
		must(t, s.c.Append(ctx, entry("a", recorder.EntryOpened, recorder.Opened{Recording: "r", FirstSeq: 1, At: at(second)})))
	}
	opened(1)
	must(t, s.c.RecordingSealed(ctx, "a", report("r")))
	opened(9) // late and twice
	later := report("r")
	later.Frames = 99
	must(t, s.c.RecordingSealed(ctx, "a", later))
	if pending, err := s.c.PendingArchive(ctx); err != nil || len(pending) != 0 {
		t.Errorf("to be archived before the call's outcome: %v, %v", pending, err)
	}
	must(t, s.c.Conclude(ctx, recorder.Conclusion{
		Call: "a", Outcome: recorder.OutcomeRecordedWithGaps, Cause: recorder.CauseCallEnded, At: at(5), Recordings: []recorder.SealReport{report("r")},
	}))
	want := catalogue.Recording{
		ID: "r", Call: "a", Tenant: "tenant", ObservedUser: "user", Policy: "policy", Direction: "callee", InvitedAt: at(0),
		Outcome: "recordedWithGaps", Cause: recorder.CauseCallEnded, OpenedAt: at(1), SealedAt: at(4), StartedAt: at(2), EndedAt: at(3),
		Frames: 10, Samples: 3200, GapSamples: 640, Discarded: 3, LastSeq: 12, State: catalogue.StateSealed,
	}
	pending, err := s.c.PendingArchive(ctx)
	must(t, err)
	equal(t, "to be archived", pending, []catalogue.Recording{want})

	must(t, s.c.RecordingFailed(ctx, "r", "no room"))
	got, err := s.c.Recording(ctx, "r")
	must(t, err)
	want.State, want.Detail = catalogue.StateFailed, "no room"
	equal(t, "failed", got, want)

	must(t, s.c.RecordingArchived(ctx, archived("r", "sum")))
	if err = s.c.RecordingFailed(ctx, "r", "late"); !errors.Is(err, catalogue.ErrUnknown) {
		t.Errorf("an archived recording failed: %v", err)
	}
	must(t, s.c.RecordingSealed(ctx, "a", later))
	s.reopen(t)
	want.State, want.Detail, want.Path, want.ManifestSHA256, want.Bytes, want.Samples = catalogue.StateArchived, "", "2026/r", "sum", 999, 3840
	got, err = s.c.Recording(ctx, "r")
	must(t, err)
	equal(t, "archived", got, want)
	for name, err := range map[string]error{
		"archive": s.c.RecordingArchived(ctx, archived("x", "sum")),
		"fail":    s.c.RecordingFailed(ctx, "x", ""),
	} {
		if !errors.Is(err, catalogue.ErrUnknown) {
			t.Errorf("%s of a stranger: %v", name, err)
		}
	}
}

func recordingsComeFromTheJournal(s *suite) {
	t := s.t
	s.c.Invited(invite("a", 0))
	s.c.Note(entry("a", recorder.EntryOpened, recorder.Opened{Recording: "r", FirstSeq: 1, At: at(1)}))
	must(t, s.c.Append(t.Context()))
	got, err := s.c.Recording(t.Context(), "r")
	must(t, err)
	if got.State != catalogue.StateOpen || got.Call != "a" || !got.OpenedAt.Equal(at(1)) {
		t.Errorf("opened: %+v", got)
	}
	must(t, s.c.Append(t.Context(), entry("a", recorder.EntrySealed, report("r"))))
	got, err = s.c.Recording(t.Context(), "r")
	must(t, err)
	if got.State != catalogue.StateSealed || got.Frames != 10 || !got.SealedAt.Equal(at(4)) {
		t.Errorf("sealed: %+v", got)
	}
	// Recovery knows a recording that the journal never saw.
	must(t, s.c.Conclude(t.Context(), recorder.Conclusion{
		Call: "b", Outcome: recorder.OutcomeFailed, Cause: recorder.CauseProcessDied, Recordings: []recorder.SealReport{report("r2"), {}},
	}))
	pending, err := s.c.PendingArchive(t.Context())
	must(t, err)
	if len(pending) != 1 || pending[0].ID != "r2" || pending[0].Cause != recorder.CauseProcessDied {
		t.Errorf("to be archived: %+v", pending)
	}
}

func archiveIsAChain(s *suite) {
	t := s.t
	last := func() string {
		t.Helper()
		sum, err := s.c.LastManifest(t.Context())
		must(t, err)
		return sum
	}
	equal(t, "empty archive", last(), "")
	for _, id := range []string{"r3", "r1", "r2"} {
		must(t, s.c.RecordingSealed(t.Context(), "a", report(id)))
		equal(t, "only sealed", last() == "sum-"+id, false)
		must(t, s.c.RecordingArchived(t.Context(), archived(id, "sum-"+id)))
		equal(t, "last", last(), "sum-"+id)
	}
	must(t, s.c.RecordingArchived(t.Context(), archived("r3", "sum-r3"))) // again, after a crash
	s.reopen(t)
	equal(t, "after a repetition", last(), "sum-r2")
}

// invitesAreAllThere: a call without a recording is listed as what it is, and each
// call and recording is found by its name.
func invitesAreAllThere(s *suite) {
	t := s.t
	ctx := t.Context()
	for i, id := range []string{"a", "b", "C"} {
		inv := invite(recorder.CallID(id), i)
		inv.Call.Tenant = "Tenant-" + id
		s.c.Invited(inv)
	}
	must(t, s.c.RecordingSealed(ctx, "a", report("R1")))
	must(t, s.c.RecordingSealed(ctx, "a", report("r2")))
	must(t, s.c.RecordingSealed(ctx, "x", report("r3"))) // of a call that is not here
	must(t, s.c.RecordingSealed(ctx, "x", report("R3")))
	must(t, s.c.Conclude(ctx, recorder.Conclusion{
		Call: "b", Outcome: recorder.OutcomeRejected, Cause: recorder.CauseNoMediaHost, Detail: "start one",
	}))
	names := func(all []catalogue.Recording, err error) string {
		t.Helper()
		must(t, err)
		var s []string
		for _, r := range all {
			s = append(s, string(r.Call)+"/"+r.ID)
		}
		return strings.Join(s, " ")
	}
	for name, test := range map[string]struct {
		f    catalogue.Filter
		want string
	}{
		"all":     {catalogue.Filter{}, "C/ b/ a/R1 a/r2 x/R3 x/r3"},
		"newest":  {catalogue.Filter{Limit: 3}, "C/ b/ a/R1"},
		"call":    {catalogue.Filter{Call: "c"}, "C/"},
		"tenant":  {catalogue.Filter{Tenant: "TENANT-b"}, "b/"},
		"user":    {catalogue.Filter{ObservedUser: "USER", Until: at(1)}, "a/R1 a/r2"},
		"outcome": {catalogue.Filter{Outcome: "rejected"}, "b/"},
		"state":   {catalogue.Filter{State: catalogue.StateSealed, Since: at(0)}, "a/R1 a/r2"},
	} {
		equal(t, name, names(s.c.Invites(ctx, test.f)), test.want)
	}
	got, err := s.c.Find(ctx, "B")
	must(t, err)
	equal(t, "a call without a recording", got, []catalogue.Recording{{
		Call: "b", Tenant: "Tenant-b", ObservedUser: "user", Policy: "policy", Direction: "callee", InvitedAt: at(1),
		Outcome: "rejected", Cause: recorder.CauseNoMediaHost, OutcomeDetail: "start one",
	}})
	for id, want := range map[string]string{"R1": "a/R1", "r1": "a/R1", "R2": "a/r2", "A": "a/R1 a/r2", "r3": "x/r3", "R3": "x/R3"} {
		equal(t, id, names(s.c.Find(ctx, id)), want)
	}
	for _, id := range []string{"", "r4", "' OR 1=1 --"} {
		if all, err := s.c.Find(ctx, id); !errors.Is(err, catalogue.ErrUnknown) {
			t.Errorf("%q: %v, %v", id, all, err)
		}
	}
}

func filtersSelect(s *suite) {
	t := s.t
	for i, id := range []string{"a", "b", "c"} {
		inv := invite(recorder.CallID(id), i)
		inv.Call.Tenant, inv.ObservedUser = "t"+id, "u"+id
		s.c.Invited(inv)
		must(t, s.c.RecordingSealed(t.Context(), recorder.CallID(id), report("r"+id)))
	}
	must(t, s.c.Conclude(t.Context(), recorder.Conclusion{Call: "b", Outcome: recorder.OutcomeRecorded}))
	must(t, s.c.RecordingArchived(t.Context(), archived("rb", "sum")))
	for name, test := range map[string]struct {
		f    catalogue.Filter
		want string
	}{
		"all":     {catalogue.Filter{}, "rc rb ra"},
		"call":    {catalogue.Filter{Call: "a"}, "ra"},
		"tenant":  {catalogue.Filter{Tenant: "tc"}, "rc"},
		"user":    {catalogue.Filter{ObservedUser: "ua"}, "ra"},
		"state":   {catalogue.Filter{State: catalogue.StateSealed}, "rc ra"},
		"outcome": {catalogue.Filter{Outcome: "recorded"}, "rb"},
		"since":   {catalogue.Filter{Since: at(1)}, "rc rb"},
		"until":   {catalogue.Filter{Until: at(1)}, "ra"},
		"limit":   {catalogue.Filter{Limit: 2}, "rc rb"},
		"both":    {catalogue.Filter{Tenant: "ta", State: catalogue.StateArchived}, ""},
		"quotes":  {catalogue.Filter{Tenant: "' OR 1=1 --"}, ""},
	} {
		got, err := s.c.Recordings(t.Context(), test.f)
		must(t, err)
		var ids []string
		for _, r := range got {
			ids = append(ids, r.ID)
		}
		equal(t, name, strings.Join(ids, " "), test.want)
	}
}
