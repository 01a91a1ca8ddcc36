package link

import (
	"slices"
	"testing"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// A scribe writes down what it is told.
type scribe struct {
	deaf

	faults []Fault
	heard  []string
}

func (c *scribe) Broken(f Fault) { c.faults = append(c.faults, f) }
func (c *scribe) Opened(uint64)  { c.heard = append(c.heard, "opened") }
func (c *scribe) Paused(uint64)  { c.heard = append(c.heard, "paused") }

func opened(s uint32) *pb.FromHost {
	return &pb.FromHost{Message: &pb.FromHost_Opened{Opened: &pb.Opened{Handle: s, FirstSeq: 1}}}
}

func paused(s uint32) *pb.FromHost {
	return &pb.FromHost{Message: &pb.FromHost_Paused{Paused: &pb.Paused{Handle: s}}}
}

// TestAnswers: what answers a request of ours is no fault of the host, however
// late it comes; what answers none is.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		play   func(l *Link, s *Session, handle uint32)
		heard  []string
		faults []Fault
		sent   int // Open and Pause
	}{
		"in turn": {func(l *Link, s *Session, h uint32) {
			s.Open()
			l.hear(opened(h))
			s.Pause()
			l.hear(paused(h))
		}, []string{"opened", "paused"}, nil, 2},
		"asked twice": {func(l *Link, s *Session, h uint32) {
			s.Open()
			l.hear(opened(h))
			s.Pause()
			s.Pause()
			l.hear(paused(h))
			s.Pause()
		}, []string{"opened", "paused"}, nil, 2},
		"wanted no more": {func(l *Link, s *Session, h uint32) {
			s.Open()
			s.Pause()
			l.hear(opened(h))
			l.hear(paused(h))
		}, []string{"paused"}, nil, 2},
		"let go of": {func(l *Link, s *Session, h uint32) {
			s.Open()
			s.Pause()
			s.Detach()
			l.hear(opened(h))
			l.hear(paused(h))
		}, nil, nil, 2},
		"unasked": {func(l *Link, _ *Session, h uint32) {
			l.hear(paused(h))
			l.hear(opened(h))
		}, nil, []Fault{FaultUnexpectedPaused, FaultUnexpectedOpened}, 0},
		"answered twice": {func(l *Link, s *Session, h uint32) {
			s.Open()
			l.hear(opened(h))
			l.hear(opened(h))
		}, []string{"opened"}, []Fault{FaultUnexpectedOpened}, 1},
		"nobody's": {func(l *Link, _ *Session, h uint32) {
			l.hear(paused(h + 1))
			l.hear(paused(h + 1<<slotBits))
			l.hear(paused(0))
		}, nil, []Fault{FaultUnknownHandle, FaultUnknownHandle, FaultUnknownHandle}, 0},
		"of the attachment before": {func(l *Link, s *Session, h uint32) {
			s.Open()
			l.cut(t.Context(), errWire)
			l.rise(Info{})
			l.hear(opened(h)) // can't come, and must not be taken for the answer
			s.Pause()
			l.hear(&pb.FromHost{Message: &pb.FromHost_Attached{Attached: &pb.Attached{Handle: s.handle, NextSeq: 1}}})
			l.hear(paused(s.handle))
		}, []string{"paused"}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &scribe{}
			l := idle(t, c)
			l.rise(Info{})
			s, err := l.Attach("s", c)
			if err != nil {
				t.Fatal(err)
			}
			handle := s.handle
			l.hear(&pb.FromHost{Message: &pb.FromHost_Attached{Attached: &pb.Attached{Handle: handle, NextSeq: 1}}})
			tt.play(l, s, handle)
			if !slices.Equal(c.heard, tt.heard) || !slices.Equal(c.faults, tt.faults) {
				t.Errorf("heard %q, faults %q", c.heard, c.faults)
			}
			sent := 0
			for _, m := range l.queue {
				if m.GetOpen() != nil || m.GetPause() != nil {
					sent++
				}
			}
			if sent != tt.sent {
				t.Errorf("Open and Pause were sent %d times, want %d", sent, tt.sent)
			}
		})
	}
}
