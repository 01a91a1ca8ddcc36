package media

import (
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// silent reports that the session is open and its link up, and that neither frame
// nor gap has come for too long: mixed audio always flows, silence included. first
// is true once for each such time. Nothing is lost by that yet: when frames come
// again their times tell, and when the seal comes, tail does. It is another thing
// where nothing ever came: see mute.
func (s *session) silent(now time.Time) (is, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is = s.kind == frame.MixedAudio && s.gate == gateOpen && s.attached && now.Sub(latest(s.lastAt, s.wokenAt)) > silentLimit
	first = is && !s.quiet
	s.quiet = is
	return is, first
}

// mute reports that the session has been open and attached for long, and that the
// host never said anything of its media: neither a frame nor that one is missing.
// Somebody believes to be recorded, and nothing is: law 3.
func (s *session) mute(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kind == frame.MixedAudio && s.gate == gateOpen && s.attached && !s.failed && s.lastAt.IsZero() && !s.gapHeard &&
		now.Sub(latest(s.openedAt, s.wokenAt)) > muteLimit
}

// tail is the gap at the end of a recording that the numbers don't show: the time
// from the last frame until the end was asked for, or the host closed. It is told
// by our clock, in whole frames, less what is known to be missing there: up to the
// number last the numbers tell, and stay exact. Where the host said which frame was its
// last, or closed in good order, a moment without frames is no loss; where it did
// not, nearly any is. Under mu.
func (s *session) tail(asked time.Time, end string, last uint64) (frame.Gap, bool) {
	if s.openedAt.IsZero() {
		return s.unconfirmed(asked)
	}
	orderly := end == sealPaused || end == sealClosed
	if orderly && s.kind != frame.MixedAudio {
		return frame.Gap{}, false // a source that is silent sends nothing
	}
	usual := tailUsual
	if orderly {
		usual = tailOrderly
	}
	until := asked
	if end == sealClosed && s.closedAt.Before(until) {
		until = s.closedAt
	}
	since := latest(s.lastAt, s.began())
	away := until.Sub(since) - s.skipped
	numbered := time.Duration(0)
	if s.streams.alone() { // else nobody can tell whose numbers they are
		numbered = time.Duration(last-(s.next-1)) * frameLength //nolint:gosec // G115: Paused and announced gaps are bounded
	}
	if away -= numbered; away <= usual {
		return frame.Gap{}, false
	}
	g := frame.Gap{Kind: s.kind, FirstSeq: last + 1, FromTime: s.due(), Cause: frame.CauseTail}
	if g.FromTime == 0 {
		g.FromTime = frame.Ticks(since)
	}
	g.FromTime += int64((s.skipped + numbered) / 100)
	g.ToTime = g.FromTime + int64((away+frameLength/2)/frameLength)*frame.TicksPerFrame
	if !orderly && !s.attached {
		g.Cause = frame.CauseLink
	}
	return g, true
}

// unconfirmed is the gap of a recording for which the host was told to send and
// never said that it did: whatever it sent is not here, and for all we know it is
// the whole time. Under mu.
func (s *session) unconfirmed(asked time.Time) (frame.Gap, bool) {
	away := asked.Sub(s.toldAt)
	if s.kind != frame.MixedAudio || s.toldAt.IsZero() || away <= 0 || s.left != nil {
		return frame.Gap{}, false
	}
	frames := (away-1)/frameLength + 1
	g := frame.Gap{Kind: s.kind, FirstSeq: max(s.hostNext, s.behind, 1), FromTime: frame.Ticks(s.toldAt), Cause: frame.CauseTail}
	g.ToTime = g.FromTime + int64(frames)*frame.TicksPerFrame
	return g, true
}

// Lengths of time.
const (
	frameLength  = 20 * time.Millisecond
	sampleLength = frameLength / frame.AudioSamples
	// tailUsual is further apart than frames ever are.
	tailUsual = 100 * time.Millisecond
	// tailOrderly is how much earlier than its end a call may fall silent: the
	// platform's word of the end takes its time.
	tailOrderly = time.Second
)

// length is how much time a gap without numbers says is missing: none where its
// times can't be.
func length(g frame.Gap) time.Duration {
	const day = 24 * time.Hour
	if d := g.ToTime - g.FromTime; g.FromTime > 0 && d > 0 && d <= int64(day/100) {
		return time.Duration(d) * 100
	}
	return 0
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// listen looks for sessions that hear nothing, or nothing that fits.
func (s *Service) listen(now time.Time) {
	silent := 0
	for _, one := range s.all() {
		if one.stuck() {
			one.fail(recorder.CauseMediaLost, "the media host's frames don't fit together: all were refused for a second")
		}
		if one.mute(now) {
			one.fail(recorder.CauseMediaLost, "the media host has sent nothing since it opened "+muteLimit.String()+" ago, and did not say why")
		}
		is, first := one.silent(now)
		if is {
			silent++
		}
		if first {
			one.note("silent", "no frame for "+silentLimit.String()+", and the link is up")
		}
	}
	s.metrics.silent.Set(float64(silent))
}
