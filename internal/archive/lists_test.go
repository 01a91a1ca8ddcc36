package archive_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A noting is a journal, and a world in which a call stays in its first moment.
type noting struct {
	recorder.Media
	recorder.Platform
	recorder.Ledger

	mu      sync.Mutex
	entries []recorder.Entry
}

func (*noting) CreateSession(ctx context.Context, _ recorder.CallRef, _ recorder.Placement) (recorder.Session, error) {
	<-ctx.Done()
	return recorder.Session{}, recorder.ErrNoMediaHost
}

func (*noting) Invited(recorder.Invite)                                {}
func (*noting) Conclude(context.Context, recorder.Conclusion) error    { return nil }
func (*noting) Release(context.Context, recorder.CallID, string) error { return nil }
func (*noting) Append(context.Context, ...recorder.Entry) error        { return nil }
func (*noting) Reject(context.Context, recorder.CallRef, recorder.RejectReason) (recorder.Receipt, error) {
	return recorder.Receipt{HTTPStatus: 202}, nil
}

func (n *noting) Note(e recorder.Entry) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.Kind == recorder.EntryRoster {
		n.entries = append(n.entries, e)
	}
	return true
}

// journalOf has a live call take rosters, and returns the rosters of its journal and
// those that whoever follows the call was told.
func journalOf(t *testing.T, all []recorder.Roster) (events []archive.Event, heard []recorder.Roster) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { events, heard = noted(t, all) }) // the call does not tire of waiting
	return events, heard
}

func noted(t *testing.T, all []recorder.Roster) (events []archive.Event, heard []recorder.Roster) {
	t.Helper()
	ctx, cut := context.WithCancel(t.Context())
	n := &noting{}
	r := recorder.NewRegistry(ctx, recorder.Options{
		Platform: n, Media: n, Ledger: n, Log: zap.NewNop(), OnRoster: func(_ recorder.CallID, roster recorder.Roster) { heard = append(heard, roster) },
	})
	r.Invite(recorder.Invite{Call: recorder.CallRef{ID: "c", Tenant: "t"}, ObservedParticipant: "p"})
	for _, one := range all {
		if err := r.NoteRoster("c", one); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Microsecond)
	}
	cut()
	if err := r.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i, e := range n.entries {
		events = append(events, archive.Event{Seq: int64(i + 1), At: e.At, Kind: string(e.Kind), Data: marshal(t, e.Data)})
	}
	return events, heard
}

// TestListsInTheJournal are what was told, whatever the platform sends: the archive sees
// the same people do the same.
func TestListsInTheJournal(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		draw := rand.New(rand.NewPCG(seed, 1))
		var now []recorder.Participant
		var all []recorder.Roster
		for i := range 300 {
			switch n := len(now); {
			case n == 0 || draw.IntN(4) == 0:
				now = append(now, recorder.Participant{ID: fmt.Sprint("p", draw.IntN(40)), Name: fmt.Sprint("n", i), Streams: sendsAudio(uint32(draw.IntN(9)))})
				if draw.IntN(8) > 0 && slices.ContainsFunc(now[:n], func(p recorder.Participant) bool { return p.ID == now[n].ID }) {
					now = now[:n]
				}
			case draw.IntN(5) == 0:
				now = slices.Delete(now, n-1-draw.IntN(min(n, 2)), n)
			case draw.IntN(9) == 0:
				draw.Shuffle(n, func(i, j int) { now[i], now[j] = now[j], now[i] })
			default:
				p := &now[draw.IntN(n)]
				p.Muted, p.Removed, p.Sequence = !p.Muted, draw.IntN(30) == 0, int64(draw.IntN(2)*i)
			}
			one := recorder.Roster{Participants: slices.Clone(now)}
			if len(now) > 0 && draw.IntN(6) == 0 {
				one = recorder.Roster{Delta: true, Sequence: int64(i), Participants: slices.Clone(now[:1])}
			}
			all = append(all, one)
		}
		events, heard := journalOf(t, all)
		h := roster.NewHistory()
		for i, r := range heard {
			h.Take(events[i].At, r)
			if want, got := len(all[i].Participants), len(r.Participants); want != got || all[i].Delta != r.Delta {
				t.Fatalf("seed %d: roster %d has %d people, heard were %d", seed, i, want, got)
			}
		}
		whole := make([]archive.Event, len(events))
		for i, r := range heard {
			whole[i] = archive.Event{Seq: events[i].Seq, At: events[i].At, Kind: events[i].Kind, Data: marshal(t, map[string]any{"sequence": r.Sequence, "delta": r.Delta, "participants": r.Participants})}
		}
		if diff := cmp.Diff(archive.ParticipantsOf(whole), archive.ParticipantsOf(events)); diff != "" {
			t.Fatalf("seed %d: -as heard +as read\n%s", seed, diff)
		}
	}
}

func sendsAudio(source uint32) []recorder.MediaStream {
	return []recorder.MediaStream{sends("audio", source, "sendReceive")}
}

// meeting are the lists of a meeting in which one after the other mutes himself.
func meeting(people, lists int) (all []recorder.Roster) {
	now := make([]recorder.Participant, people)
	for i := range now {
		id := fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
		now[i] = recorder.Participant{ID: id, Identity: id, Kind: "user", Name: fmt.Sprint("Somebody ", i), Streams: sendsAudio(uint32(i + 1))}
	}
	for i := range lists {
		p := &now[i%people]
		p.Muted = !p.Muted
		all = append(all, recorder.Roster{Participants: slices.Clone(now)})
	}
	return all
}

// TestJournalOfALargeMeeting grows with what happens in it, not with who is there
// whenever anything does.
func TestJournalOfALargeMeeting(t *testing.T) {
	t.Parallel()
	const people, lists = 300, 1000
	all := meeting(people, lists)
	events, _ := journalOf(t, all)
	size, whole := 0, 0
	for i, e := range events {
		size += len(e.Data)
		whole += len(marshal(t, all[i]))
	}
	if size > whole/50 {
		t.Errorf("%d bytes, %d as the platform sent them", size, whole)
	}
	for i, p := range archive.ParticipantsOf(events) {
		// Lists lists: everybody three times, and the first hundred once more.
		muted := 2
		if len(p.Present) != 1 || len(p.Muted) != muted || p.Muted[1].To.IsZero() == (i < lists%people) {
			t.Fatalf("%d: %+v", i, p)
		}
	}
}

// TestListThatIsLost: what is told as the difference from it counts for itself, and soon
// one is whole again.
func TestListThatIsLost(t *testing.T) {
	t.Parallel()
	all := meeting(10, 2)
	left := recorder.Roster{Participants: slices.Clone(all[1].Participants[:9])}
	left.Participants[5].Muted = true
	all = append(all, left)
	for range 300 {
		all = append(all, left)
	}
	events, _ := journalOf(t, all)
	events = slices.Delete(events, 1, 2)
	of := func(n int) []archive.Participant { return archive.ParticipantsOf(events[:n]) }
	if p := of(2); len(p) != 10 || p[9].Present[0].To.IsZero() || !p[8].Present[0].To.IsZero() || len(p[5].Muted) != 1 || len(p[1].Muted) != 0 {
		t.Errorf("%+v", p)
	}
	if p := of(len(events)); len(p[1].Muted) != 1 || !p[8].Present[0].To.IsZero() {
		t.Errorf("%+v", p)
	}
}
