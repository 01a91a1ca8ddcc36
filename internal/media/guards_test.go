package media

import (
	"math"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// bare is an open session that has stored frames 10 to 19, without anything around it.
func bare(now time.Time, ago time.Duration) *session {
	return &session{
		kind: frame.MixedAudio, line: timeline.New(), gate: gateOpen, first: 10, next: 20, openedAt: now.Add(-ago),
		news: make(chan struct{}), spent: map[uint32]time.Duration{},
	}
}

// TestAdmits: each frame that the gate refuses, and its neighbour that it takes.
func TestAdmits(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const admitted = reasons
	for name, tt := range map[string]struct {
		change func(*session)
		seq    uint64
		want   reason
	}{
		"the next":                {func(*session) {}, 20, admitted},
		"closed":                  {func(s *session) { s.gate = gateClosed }, 20, beforeConsent},
		"armed":                   {func(s *session) { s.gate = gateArmed }, 20, beforeOpened},
		"shut":                    {func(s *session) { s.gate = gateShut }, 20, afterSeal},
		"paused, under way":       {func(s *session) { s.gate, s.last = gatePaused, 25 }, 20, admitted},
		"paused, the last":        {func(s *session) { s.gate, s.last = gatePaused, 25 }, 25, admitted},
		"paused, behind the last": {func(s *session) { s.gate, s.last = gatePaused, 25 }, 26, afterPaused},
		"lost":                    {func(s *session) { s.lost = &link.Loss{} }, 20, afterSeal},
		"before the first":        {func(*session) {}, 9, beforeOpened},
		"the first":               {func(s *session) { s.next = 10 }, 10, admitted},
		"stored already":          {func(*session) {}, 19, duplicate},
		"as far as time allows":   {func(*session) {}, 20 + 1500, admitted},
		"further":                 {func(*session) {}, 20 + 1501, implausible},
		"a hole that may be":      {func(s *session) { s.openedAt = now.Add(-time.Hour) }, 20 + maxHole, admitted},
		"a hole that may not":     {func(s *session) { s.openedAt = now.Add(-time.Hour) }, 20 + maxHole + 1, implausible},
		"a hole that was foretold": {func(s *session) {
			s.openedAt = now.Add(-time.Hour)
			s.announced = []frame.Gap{{FirstSeq: 20, Count: 5}}
		}, 20 + maxHole + 1, admitted},
		"another kind": {func(s *session) { s.streams, s.kind = Streams{Unmixed: true}, frame.UnmixedAudio }, 20, unwanted},
	} {
		s := bare(now, 0)
		tt.change(s)
		f := audio(tt.seq)
		why, ok := s.admits(&f, now)
		if ok != (tt.want == admitted) || !ok && why != tt.want {
			t.Errorf("%s: %v %v", name, ok, why)
		}
	}
}

// TestForetold: an announcement explains a far number if it begins near the last
// frame and ends near that number.
func TestForetold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		gap  frame.Gap
		seq  uint64
		want bool
	}{
		"up to it":             {frame.Gap{FirstSeq: 20, Count: 100}, 120, true},
		"near enough":          {frame.Gap{FirstSeq: 20, Count: 100}, 120 + maxHole, true},
		"not near enough":      {frame.Gap{FirstSeq: 20, Count: 100}, 120 + maxHole + 1, false},
		"beyond it":            {frame.Gap{FirstSeq: 20, Count: 100}, 119, false},
		"begins near enough":   {frame.Gap{FirstSeq: 20 + maxHole, Count: 10}, 30 + maxHole, true},
		"begins too far ahead": {frame.Gap{FirstSeq: 21 + maxHole, Count: 10}, 31 + maxHole, false},
	} {
		s := bare(time.Now(), 0)
		s.announced = []frame.Gap{tt.gap}
		if got := s.foretold(tt.seq); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPromised: what was announced right behind the last frame was one, too.
func TestPromised(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		gaps []frame.Gap
		want uint64
	}{
		"nothing":           {nil, 20},
		"right behind":      {[]frame.Gap{{FirstSeq: 21, Count: 5}}, 25},
		"from before":       {[]frame.Gap{{FirstSeq: 15, Count: 10}}, 24},
		"not right behind":  {[]frame.Gap{{FirstSeq: 22, Count: 5}}, 20},
		"one after another": {[]frame.Gap{{FirstSeq: 26, Count: 5}, {FirstSeq: 21, Count: 5}}, 30},
		"all before":        {[]frame.Gap{{FirstSeq: 10, Count: 11}}, 20},
	} {
		s := bare(time.Now(), 0)
		s.announced = tt.gaps
		if got := s.promised(20); got != tt.want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// TestEachChangeIsTold: whoever waits for a session hears of what happens to it at
// once, not when the clock asks again.
func TestEachChangeIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	for name, happens := range map[string]func(*session){
		"shut":     func(s *session) { s.shut() },
		"attached": func(s *session) { s.Attached(link.Attached{Next: 1}) },
		"opened":   func(s *session) { s.Opened(1) },
		"paused":   func(s *session) { s.gate = gateOpen; s.first, s.next = 1, 1; s.Paused(0) },
		"cut":      func(s *session) { s.Cut("test") },
		"lost":     func(s *session) { s.Lost(link.Loss{Reason: link.LossClosed}) },
		"closed":   func(s *session) { <-s.close(time.Now()).written },
	} {
		s := w.direct(t, "told-"+name)
		s.mu.Lock()
		news := s.news
		s.mu.Unlock()
		happens(s)
		select {
		case <-news:
		default:
			t.Errorf("%s: nobody was told", name)
		}
		s.link.Detach()
	}
}

// TestAttachedCounts: what the host held, and the number that it named first.
func TestAttachedCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.direct(t, "c")
	t.Cleanup(s.link.Detach)
	s.mu.Lock()
	s.hostNext = 0
	s.mu.Unlock()
	s.Attached(link.Attached{Oldest: 101, Next: 201})
	s.Attached(link.Attached{Next: 301})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != 100 || s.hostNext != 201 {
		t.Errorf("held %d, next %d", s.held, s.hostNext)
	}
}

// TestPausedNames: the last frame is not before what is stored, and not beyond what
// may be missing; and only an open gate is paused.
func TestPausedNames(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		gate gate
		last uint64
		want uint64
		then gate
	}{
		"the last":               {gateOpen, 19, 19, gatePaused},
		"less than stored":       {gateOpen, 3, 19, gatePaused},
		"some under way":         {gateOpen, 25, 25, gatePaused},
		"as far as time allows":  {gateOpen, 19 + 1500, 19 + 1500, gatePaused},
		"nonsense":               {gateOpen, 19 + 2*1500, 0, gateOpen},
		"more nonsense":          {gateOpen, math.MaxUint64, 0, gateOpen},
		"not open":               {gateArmed, 25, 0, gateArmed},
		"shut":                   {gateShut, 25, 0, gateShut},
		"paused, and once again": {gatePaused, 25, 0, gatePaused},
	} {
		s := bare(time.Now(), 0)
		s.host, s.gate = &host{}, tt.gate
		s.mu = &s.host.gates
		s.Paused(tt.last)
		if s.last != tt.want || s.gate != tt.then {
			t.Errorf("%s: last %d, gate %d", name, s.last, s.gate)
		}
	}
}
