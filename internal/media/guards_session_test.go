package media

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// TestOpenedOnce: only the first Opened opens the gate; later ones say no more than
// that the host is open again.
func TestOpenedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	for name, tt := range map[string]struct {
		gate  gate
		first uint64
		then  gate
		want  uint64
	}{
		"armed":               {gateArmed, 5, gateOpen, 5},
		"armed, from nothing": {gateArmed, 0, gateOpen, 1},
		"closed":              {gateClosed, 5, gateClosed, 0},
		"paused":              {gatePaused, 5, gatePaused, 0},
		"shut":                {gateShut, 5, gateShut, 0},
	} {
		s := newSession(w.service, w.service.hosts[0], recorder.CallRef{ID: "c"}, name, Streams{})
		s.gate = tt.gate
		s.Opened(tt.first)
		if s.gate != tt.then || s.first != tt.want || s.next != tt.want || s.openedAt.IsZero() != (tt.then != gateOpen) || s.wokenAt != s.openedAt {
			t.Errorf("%s: gate %d, first %d, next %d, opened %v, woken %v", name, s.gate, s.first, s.next, s.openedAt, s.wokenAt)
		}
		s.hostShut = true
		s.Opened(9)
		again := tt.then == gateOpen
		if s.first != tt.want || s.resumed != again || s.hostShut == again {
			t.Errorf("%s, again: first %d, resumed %v", name, s.first, s.resumed)
		}
		s.Opened(9)
		if s.resumed != again {
			t.Errorf("%s, a third time: resumed %v", name, s.resumed)
		}
	}
}

// TestLostOnceSealed: what is lost behind the end is nobody's loss.
func TestLostOnceSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, _ := w.made("c")
	s.shut()
	lost := func() float64 {
		return w.metric(`recorderbot_media_sessions_lost_total{reason="` + link.LossClosed.String() + `"}`)
	}
	s.Lost(link.Loss{Reason: link.LossClosed})
	if n := lost(); n != 0 {
		t.Errorf("%v lost", n)
	}
	other, _ := w.made("d")
	other.Lost(link.Loss{Reason: link.LossClosed})
	if n := lost(); n != 1 {
		t.Errorf("%v lost", n)
	}
}

// TestAwaitOr: it ends as soon as the session is lost or shut, not when its time is
// up.
func TestAwaitOr(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	never := func() bool { return false }
	for name, tt := range map[string]struct {
		change func(*session)
		cond   func() bool
		want   error
	}{
		"lost":  {func(s *session) { s.lost = &link.Loss{} }, never, ErrLost},
		"shut":  {func(s *session) { s.gate = gateShut }, never, nil},
		"holds": {func(*session) {}, func() bool { return true }, nil},
	} {
		s := newSession(w.service, w.service.hosts[0], recorder.CallRef{ID: "c"}, name, Streams{})
		tt.change(s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := s.awaitOr(ctx, tt.cond); !errors.Is(err, tt.want) || ctx.Err() != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// TestOpenReturnsWhenOpen: at once, and not when its time is up.
func TestOpenReturnsWhenOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, _ := w.made("c")
	s.mu.Lock()
	s.hostNext = 12
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	began := time.Now()
	if _, err := w.service.Open(ctx, recordertest.Permit(t, "c")); err != nil || time.Since(began) > openLimit/2 {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// TestBeginTellsOfTheDisk: a spool that takes nothing more is law 3.
func TestBeginTellsOfTheDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, _ := w.made("c")
	w.spool.Refuse(errors.New("disk full"))
	if err := s.begin(t.Context(), recordertest.Permit(t, "c")); err == nil {
		t.Error("begun")
	}
	if !s.failed || s.beginning || s.gate != gateClosed {
		t.Errorf("failed %v, beginning %v, gate %d", s.failed, s.beginning, s.gate)
	}
	other, _ := w.made("d")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := other.begin(ctx, recordertest.Permit(t, "d")); err == nil || other.failed {
		t.Errorf("given up: %v, failed %v", err, other.failed)
	}
}

// TestAwaitedBeforeTheEnd: what has come is there, also where the end is asked for.
func TestAwaitedBeforeTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := newSession(w.service, w.service.hosts[0], recorder.CallRef{ID: "c"}, "c", Streams{})
	ctx, give := context.WithCancelCause(t.Context())
	give(ErrEnding)
	if err := s.awaitOr(ctx, func() bool { return true }); err != nil {
		t.Error(err)
	}
}

// TestUnmixedExpectsNobody: who does not speak misses nothing.
func TestUnmixedExpectsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{streams: Streams{Unmixed: true}})
	s := newSession(w.service, w.service.hosts[0], recorder.CallRef{ID: "c"}, "c", Streams{Unmixed: true})
	s.gate = gateArmed
	s.Opened(1)
	if sum := s.line.Finish(5); len(sum.Tracks) != 0 {
		t.Errorf("%+v", sum.Tracks)
	}
}

// TestBeginNamesTheFirst: as the host foretold it, and never 0.
func TestBeginNamesTheFirst(t *testing.T) {
	t.Parallel()
	for next, want := range map[uint64]string{0: `"firstSeq":1`, 12: `"firstSeq":12`} {
		w := newWorld(t, worldOptions{})
		s, _ := w.made("c")
		s.mu.Lock()
		s.hostNext = next
		s.mu.Unlock()
		if err := s.begin(t.Context(), recordertest.Permit(t, "c")); err != nil {
			t.Fatal(err)
		}
		if !w.onDisk([]byte(want)) {
			t.Errorf("%d: no %s beside the permit", next, want)
		}
	}
}

// TestBeginOnADiskThatHangs: time that runs out is the disk's fault where it hangs,
// and else nobody's.
func TestBeginOnADiskThatHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, other := w.record("other")
	s, _ := w.made("c")
	quick, _ := w.made("d")
	given, _ := w.made("e")
	permits := []recorder.Permit{recordertest.Permit(t, "c"), recordertest.Permit(t, "d"), recordertest.Permit(t, "e")}
	letGo := w.stall(other)
	defer letGo()
	begin := func(s *session, p recorder.Permit, limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return s.begin(ctx, p)
	}
	if err := begin(quick, permits[1], time.Millisecond); err == nil || quick.failed {
		t.Errorf("a moment: %v, failed %v", err, quick.failed)
	}
	if err := begin(s, permits[0], hangsAtOpen+300*time.Millisecond); err == nil || !s.failed {
		t.Errorf("a disk that hangs: %v, failed %v", err, s.failed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := given.begin(ctx, permits[2]); err == nil || given.failed {
		t.Errorf("given up: %v, failed %v", err, given.failed)
	}
}

// TestLostInAPause: a call that is kept without being recorded hears that its sockets
// are gone, for it could not be recorded again. One that is shut and not sealed yet is
// told by its seal.
func TestLostInAPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	for name, tt := range map[string]struct {
		gate   gate
		sealed bool
		loss   link.LossReason
		want   string
	}{
		"closed in a pause":   {gateShut, true, link.LossClosed, "recorder.MediaClosed"},
		"cut in a pause":      {gateShut, true, link.LossCut, "recorder.MediaFailed"},
		"cut while it seals":  {gateShut, false, link.LossCut, ""},
		"cut while recording": {gateOpen, false, link.LossCut, "recorder.MediaFailed"},
	} {
		var told []string
		s := newSession(w.service, w.service.hosts[0], recorder.CallRef{ID: "c"}, name, Streams{})
		s.service = &Service{metrics: w.service.metrics, opts: Options{
			Post: func(_ recorder.CallID, ev recorder.Event) { told = append(told, fmt.Sprintf("%T", ev)) },
			Note: func(recorder.Entry) bool { return true },
		}}
		s.gate = tt.gate
		if tt.sealed {
			s.report = &recorder.SealReport{}
		}
		s.Lost(link.Loss{Reason: tt.loss})
		if got := strings.Join(told, " "); got != tt.want {
			t.Errorf("%s: told %q, want %q", name, got, tt.want)
		}
	}
}
