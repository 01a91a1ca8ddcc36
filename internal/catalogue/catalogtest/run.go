package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A Place makes a place for one new, empty catalogue: what catalogue.Open needs.
type Place func(tb testing.TB) (url, baseDir string)

// Run runs the whole suite, each test with a catalogue of its own.
func Run(t *testing.T, place Place) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"JournalKeepsOrder", journalKeepsOrder},
		{"AppendIsAllOrNothing", appendIsAllOrNothing},
		{"AppendWaitsForWhatIsQueued", appendWaitsForWhatIsQueued},
		{"FirstOutcomeWins", firstOutcomeWins},
		{"EveryOutcomeIsKept", everyOutcomeIsKept},
		{"UnfinishedListsCallsWithoutOutcome", unfinishedListsCalls},
		{"LostInviteLeavesACall", lostInviteLeavesACall},
		{"RepeatedInviteChangesNothing", repeatedInviteChangesNothing},
		{"RecordingsGoForward", recordingsGoForward},
		{"RecordingsComeFromTheJournal", recordingsComeFromTheJournal},
		{"ArchiveIsAChain", archiveIsAChain},
		{"FiltersSelect", filtersSelect},
		{"JournalsOfMany", journalsOfMany},
		{"RecordingsOfMany", recordingsOfMany},
		{"InvitesAreAllThere", invitesAreAllThere},
		{"WhatIsSaidIsKept", whatIsSaidIsKept},
		{"PartiesAreFound", partiesAreFound},
		{"ParticipantsAreFound", participantsAreFound},
		{"FlagsAreFound", flagsAreFound},
		{"SearchIsExact", searchIsExact},
		{"PairIsLinked", pairIsLinked},
		{"TransferIsLinked", transferIsLinked},
		{"ThreadIsOfATime", threadIsOfATime},
		{"StrangersAreApart", strangersAreApart},
		{"AuditIsKept", auditIsKept},
		{"AuditRefusesWhatNamesNobody", auditRefusesWhatNamesNobody},
		{"OddTextIsKept", oddTextIsKept},
		{"BadInputIsRefused", badInputIsRefused},
		{"ClosedRefuses", closedRefuses},
		{"Model", model},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &suite{t: t}
			s.url, s.dir = place(t)
			s.reopen(t)
			t.Cleanup(func() { must(t, s.c.Close(context.Background())) }) // closing twice is allowed
			test.run(s)
		})
	}
}

type suite struct {
	t        *testing.T
	url, dir string
	c        *catalogue.Catalogue
}

// reopen closes the catalogue, if one is open, and opens it again: what was
// acknowledged must be there.
func (s *suite) reopen(tb testing.TB) {
	tb.Helper()
	if s.c != nil {
		if err := s.c.Close(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	c, err := catalogue.Open(tb.Context(), s.url, s.dir, catalogue.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	s.c = c
}

func at(second int) time.Time { return time.Date(2026, 11, 23, 12, 0, second, 123456789, time.UTC) }

func invite(id recorder.CallID, second int) recorder.Invite {
	return recorder.Invite{
		Call: recorder.CallRef{ID: id, Platform: "P-" + string(id), Tenant: "tenant", Scenario: "scenario"}, At: at(second),
		CallChain: "chain", ObservedParticipant: "op", MyParticipant: "mp", ObservedUser: "user", ApplicationInstance: "ai",
		Policy: "policy", Region: "EUNO", ThreadID: "19:x@thread.v2", Direction: "callee", Raw: []byte(`{"a": 1}`),
	}
}

func entry(id recorder.CallID, kind recorder.EntryKind, data any) recorder.Entry {
	return recorder.Entry{Call: id, At: at(1), Kind: kind, Data: data}
}

func outcomes() []recorder.Outcome {
	return []recorder.Outcome{
		recorder.OutcomeRecorded, recorder.OutcomeRecordedWithGaps, recorder.OutcomeNotRecorded, recorder.OutcomeFailed, recorder.OutcomeRejected,
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// story is a journal as text: seq, kind and data of each line.
func (s *suite) story(tb testing.TB, id recorder.CallID) []string {
	tb.Helper()
	all, err := s.c.Journal(tb.Context(), id)
	must(tb, err)
	var lines []string
	for _, e := range all {
		lines = append(lines, fmt.Sprintf("%d %s %s", e.Seq, e.Kind, e.Data))
	}
	return lines
}

func equal(tb testing.TB, what string, got, want any) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func journalKeepsOrder(s *suite) {
	t := s.t
	const callers, each = 16, 20
	var wg sync.WaitGroup
	for i := range callers {
		id := recorder.CallID(fmt.Sprintf("call-%02d", i))
		wg.Go(func() {
			s.c.Invited(invite(id, i))
			for n := range each {
				var err error
				if n%3 == 0 {
					if !s.c.Note(entry(id, recorder.EntryState, n)) {
						err = errors.New("note refused")
					}
				} else {
					err = s.c.Append(t.Context(), entry(id, recorder.EntryAnnounce, n))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.reopen(t)
	for i := range callers {
		all, err := s.c.Journal(t.Context(), recorder.CallID(fmt.Sprintf("call-%02d", i)))
		must(t, err)
		if len(all) != each+1 || all[0].Kind != string(recorder.EntryInvite) {
			t.Fatalf("call %d has %d entries, the first %v", i, len(all), all[0])
		}
		for n, e := range all[1:] {
			if e.Seq != int64(n)+2 || string(e.Data) != fmt.Sprint(n) {
				t.Errorf("call %d: entry %d is seq %d, data %s", i, n, e.Seq, e.Data)
			}
		}
	}
}

func appendIsAllOrNothing(s *suite) {
	t := s.t
	err := s.c.Append(t.Context(), entry("a", recorder.EntryAnnounce, 1), entry("a", recorder.EntryAnnounce, func() {}))
	if err == nil {
		t.Fatal("what JSON does not know was appended")
	}
	must(t, s.c.Append(t.Context(), entry("a", recorder.EntryAnnounce, 2), entry("b", recorder.EntryAnnounce, 3), entry("a", recorder.EntryPermit, 4)))
	equal(t, "a", s.story(t, "a"), []string{"1 announce 2", "2 permit 4"})
	equal(t, "b", s.story(t, "b"), []string{"1 announce 3"})
	equal(t, "nobody", s.story(t, "nobody"), []string(nil))
}

func appendWaitsForWhatIsQueued(s *suite) {
	t := s.t
	s.c.Invited(invite("a", 0))
	for n := range 100 {
		s.c.Note(entry("a", recorder.EntryState, n))
	}
	must(t, s.c.Append(t.Context())) // nothing of its own: it still waits
	if n := len(s.story(t, "a")); n != 101 {
		t.Errorf("%d of 101 entries are there", n)
	}
}
