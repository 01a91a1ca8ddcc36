package media

import (
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// A session misses no more than time has passed: numbers and times that say
// otherwise are the host's mistake, and believing them would fill a recording of
// a minute with a day of silence.
const (
	// ahead is by how much a host's clock, and what it held before us, may exceed
	// our time since Opened.
	ahead = 30 * time.Second
	// unmixedStreams is how many sources of unmixed audio share the numbers of a
	// session at a time.
	unmixedStreams = 4
	// maxHeld bounds what a host can have held when it attached us: a minute of one
	// stream.
	maxHeld = 60 * 50
	// maxSources is how many sources the announced gaps of a recording may name.
	maxSources = 64
)

// elapsed is how much time may be missing of one stream. Under mu.
func (s *session) elapsed(now time.Time) time.Duration {
	return max(now.Sub(s.openedAt), 0) + ahead
}

// missable is how many more numbers may be missing. Under mu.
func (s *session) missable(now time.Time) uint64 {
	streams := uint64(1)
	if s.kind == frame.UnmixedAudio {
		streams = unmixedStreams
	}
	most := streams * (uint64(s.elapsed(now)/frameLength) + s.held) //nolint:gosec // G115: never negative
	return most - min(s.missing, most)
}

// hold notes what the host holds as it attaches us: it may have been on its way
// for longer than our clock has run. Under mu.
func (s *session) hold(oldest, next uint64) {
	if oldest > 0 && next > oldest {
		s.held = max(s.held, min(next-oldest, maxHeld))
	}
}

// believable reports whether an announced gap of numbers can be true: that much
// time has passed, and it lies where frames under way can reach. Under mu.
func (s *session) believable(g frame.Gap, now time.Time) bool {
	end, left := g.FirstSeq+g.Count, s.missable(now)
	return end <= s.next || (min(g.Count, end-s.next) <= left && end-s.next <= left+maxHeld*unmixedStreams)
}

// spend takes the time that a gap without numbers says is missing from what its
// source may miss. It reports false, and changes nothing, where that is too much.
// Each costs a frame at least, so that their number is bounded, too. Under mu.
func (s *session) spend(g frame.Gap, now time.Time) bool {
	cost := max(length(g), frameLength)
	if s.spent[g.Source]+cost > s.elapsed(now) {
		return false
	}
	s.spent[g.Source] += cost
	return true
}

// named reports whether a gap's source may be named: it was before, or there are
// not too many yet. Under mu.
func (s *session) named(source uint32) bool {
	_, known := s.spent[source]
	if !known && len(s.spent) >= maxSources {
		return false
	}
	if !known {
		s.spent[source] = 0
	}
	return true
}

// impossible counts a gap that can't be, and says so.
func (s *session) impossible(g frame.Gap) {
	s.service.metrics.faults.WithLabelValues(faultGap).Inc()
	s.host.complain(faultGap, "media host announced an impossible gap", zap.Uint64("first", g.FirstSeq), zap.Uint64("count", g.Count))
}
