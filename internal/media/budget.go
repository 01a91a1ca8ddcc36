package media

import (
	"encoding/json"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// A session misses no more than time has passed: numbers and times that say
// otherwise are the host's mistake, and believing them would fill a recording of
// a minute with a day of silence.
const (
	// ahead is by how much a host's clock, and what it held before us, may exceed
	// our time since Opened.
	ahead = 30 * time.Second
	// clockAhead is by how much the clock alone may: nothing else says that anything
	// is missing, and a clock that was set leaps without any time passing. Two clocks
	// drift apart by clockDrift at most, in parts of a million.
	clockAhead = time.Second
	clockDrift = 300
	// judgedEvery is how many frames on time in a row are believed without a look.
	judgedEvery = 24
	// unmixedStreams is how many sources of unmixed audio share the numbers of a
	// session at a time.
	unmixedStreams = 4
	// maxHeld bounds what a host can have held when it attached us: a minute of one
	// stream.
	maxHeld = 60 * 50
	// maxSources is how many sources the announced gaps of a recording may name.
	maxSources = timeline.MaxTracks
)

// elapsed is how much time may have passed of one stream. A machine that slept
// counts that only on one of its clocks. Under mu.
func (s *session) elapsed(now time.Time) time.Duration {
	began := s.began()
	return max(now.Sub(began), now.Round(0).Sub(began.Round(0)), 0) + ahead
}

// allowed is how long one stream may be. Under mu.
func (s *session) allowed(now time.Time) time.Duration {
	return s.elapsed(now) + time.Duration(s.held)*frameLength //nolint:gosec // G115: bounded by maxHeld
}

// room is how much of one stream may be missing behind so many samples: one
// budget for what the numbers, the announced times and the clock say. Under mu.
func (s *session) room(now time.Time, samples int64) time.Duration {
	return max(s.allowed(now)-time.Duration(samples)*sampleLength, 0)
}

// clockRoom is room for what only the clock says. Under mu.
func (s *session) clockRoom(now time.Time, samples int64) time.Duration {
	drift := (s.elapsed(now) - ahead) / 1_000_000 * clockDrift
	return max(s.allowed(now)-ahead+clockAhead+drift-time.Duration(samples)*sampleLength, 0)
}

// missable is how many more numbers may be missing. Under mu.
func (s *session) missable(now time.Time) uint64 {
	if s.streams.alone() {
		return uint64(s.room(now, s.line.Length(s.kind, 0)) / frameLength) //nolint:gosec // G115: never negative
	}
	// Nobody can tell whose number is missing, so the streams have it together.
	most := s.streams.most() * uint64(s.allowed(now)/frameLength) //nolint:gosec // G115: never negative
	return most - min(s.missing, most)
}

// hold notes what the host holds as it attaches us: it may have been on its way
// for longer than our clock has run. Under mu.
func (s *session) hold(oldest, next uint64) {
	if oldest > 0 && next > oldest {
		s.held = max(s.held, min((next-oldest-1)/s.streams.most()+1, maxHeld))
	}
}

// believable reports whether an announced gap of numbers can be true: that much
// time has passed, and it lies where frames under way can reach. Under mu.
func (s *session) believable(g frame.Gap, now time.Time) bool {
	end, left := g.FirstSeq+g.Count, s.missable(now)
	return end <= s.next || (min(g.Count, end-s.next) <= left && end-s.next <= left+maxHeld*s.streams.most())
}

// spend takes the time that a gap without numbers says is missing from what its
// source may miss. It reports false, and changes nothing, where that is too much.
// Each costs a frame at least, so that their number is bounded, too. Under mu.
func (s *session) spend(g frame.Gap, now time.Time) bool {
	cost := max(length(g), frameLength)
	if s.spent[g.Source]+cost > s.elapsed(now) {
		return false
	}
	// What lies behind the last frame makes the line longer; what lies before it may
	// be there already.
	if g.Kind == frame.MixedAudio && g.ToTime > s.lastTime && length(g) > s.room(now, s.line.Length(s.kind, 0)) {
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

// judge leaves a belief in the log where the time of a frame is ahead of its place,
// and the timeline would believe it though so much cannot have passed, or the
// other way round. Live and from the log the same is missing then. Under mu, inside
// spool.Update, before the frame.
//
// Of frames that follow each other in time as they should only some are judged: a
// clock that creeps ahead is noticed half a second later.
func (s *session) judge(b *spool.Batch, f *frame.Frame, now time.Time) {
	if late := f.MediaTime - s.lastTime - frame.TicksPerFrame; s.onTime > 0 && f.Seq == s.next && late > -timeline.Late/2 && late < timeline.Late/2 {
		s.onTime--
		return
	}
	s.onTime = 0
	ticks, place := s.line.Ahead(f.Header)
	if ticks < timeline.Late {
		s.onTime = judgedEvery
		return
	}
	most := int64(s.clockRoom(now, place) / 100)
	if ticks > most {
		s.host.visit.wildTimes++
	}
	if (ticks > most) == (ticks > s.believed) {
		return
	}
	belief := timeline.Belief{BeforeSeq: f.Seq, MostTicks: most}
	data, err := json.Marshal(belief)
	if err != nil || !b.Note(s.recording, timeline.BeliefNote, data) {
		return // two numbers always marshal; without a permit the frame is refused, too
	}
	s.line.Believe(belief)
	s.believed = most
}

// impossible counts a gap that can't be, and says so.
func (h *host) impossible(g frame.Gap) {
	h.service.metrics.faults.WithLabelValues(faultGap).Inc()
	h.complain(faultGap, "media host announced an impossible gap", zap.Uint64("first", g.FirstSeq), zap.Uint64("count", g.Count))
}
