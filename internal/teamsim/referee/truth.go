package referee

import (
	"slices"
	"sort"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

const frameSamples = host.FrameSamples

// A truth is what one stream of audio of a session was, by position.
type truth struct {
	rec   *host.SessionRecord
	of    host.Stream
	whole bool    // of all streams together
	pcm   []int16 // samples from position 0 to the last frame, and a little more
	spans []span  // frames, by position, without overlap
	lost  []extent
	told  []extent // those of lost that the host has announced
	// excuse: frames that were never acknowledged may be missing, if that is
	// declared or at the end; something broke on the way.
	excuse bool
	// cutOff: the end was nobody's choice, so what was under way then is in no
	// recording.
	cutOff bool
}

// A span is frames with consecutive seqs at consecutive positions.
type span struct {
	extent

	seq       uint64
	outside   bool
	malformed bool
	period    int // index, of the last that began at or before the span; -1: none
}

// An extent is positions, the end exclusive.
type extent struct{ from, to int64 }

func (e extent) length() int64 { return e.to - e.from }

// newTruth collects what is known of a stream. failedTold: the recorder announced
// failed.
func newTruth(rec *host.SessionRecord, of host.StreamRecord, failedTold bool) *truth {
	t := &truth{rec: rec, of: of.Stream}
	for _, r := range rec.Runs {
		if r.Stream == of.Stream {
			t.spans = append(t.spans, spansOf(r, rec.Periods)...)
		}
	}
	slices.SortFunc(t.spans, func(a, b span) int { return int(a.from - b.from) })
	end := int64(0)
	if n := len(t.spans); n > 0 {
		end = t.spans[n-1].to
	}
	for _, g := range rec.Gaps {
		if g.Stream != of.Stream {
			continue
		}
		e := extent{g.Position, g.Position + g.Samples}
		end = max(end, e.to)
		t.lost = append(t.lost, e)
		if g.Announced {
			t.told = append(t.told, e)
		}
	}
	if end > 0 {
		t.pcm = make([]int16, end+10*sampleRate)
	}
	if of.Audio != nil {
		of.Audio.Samples(0, t.pcm)
	}
	t.excuses(failedTold)
	return t
}

// wholeTruth is that of all streams together: one span for each time of being open.
// Of samples it knows nothing.
func wholeTruth(rec *host.SessionRecord, failedTold bool) *truth {
	t := &truth{rec: rec, whole: true}
	for _, r := range rec.Runs {
		for _, s := range spansOf(r, rec.Periods) {
			n := len(t.spans)
			switch {
			case s.outside:
			case n == 0 || t.spans[n-1].period != s.period:
				if n > 0 { // a pause may be shorter than a frame
					s.from = max(s.from, t.spans[n-1].to)
					s.to = max(s.to, s.from)
				}
				t.spans = append(t.spans, s)
			default:
				t.spans[n-1].to = max(t.spans[n-1].to, s.to)
			}
		}
	}
	t.excuses(failedTold)
	return t
}

// excuses finds out what may be missing through nobody's fault.
func (t *truth) excuses(failedTold bool) {
	rec := t.rec
	t.cutOff = failedTold || slices.Contains([]string{"killed", "platform", "orphaned"}, rec.ClosedFor) ||
		has(rec, host.FaultNeverPaused, host.FaultStreamFailure, host.FaultDetached)
	if n := len(rec.Breaks); n > 0 && !rec.Breaks[n-1].Orderly && rec.Breaks[n-1].Up.IsZero() {
		t.cutOff = true // a link that is back again brings all that the host still holds
	}
	t.excuse = t.cutOff || has(rec, host.FaultMalformed)
}

// spansOf are the frames of a run, by period: in a pause that is shorter than a frame
// none is left out, and the run goes on.
func spansOf(r host.Run, periods []host.Period) []span {
	s := span{
		extent: extent{r.Position, r.Position + int64(r.Count)*frameSamples}, //nolint:gosec // what was captured
		seq:    r.FirstSeq, outside: r.Outside, malformed: r.Malformed, period: -1,
	}
	var out []span
	for i, p := range periods {
		switch {
		case p.OpenAsked.IsZero() || p.FirstSeq >= r.FirstSeq+r.Count:
		case p.FirstSeq <= s.seq:
			s.period = i
		default:
			rest := s
			rest.from += int64(p.FirstSeq-s.seq) * frameSamples //nolint:gosec // within the run
			rest.seq, rest.period = p.FirstSeq, i
			s.to = rest.from
			out, s = append(out, s), rest
		}
	}
	return append(out, s)
}

// at returns the span that holds the position; if there is none, how far the
// emptiness reaches from there (to the end of all: very far).
func (t *truth) at(p int64) (s span, ok bool, empty int64) {
	i := sort.Search(len(t.spans), func(i int) bool { return t.spans[i].to > p })
	switch {
	case i == len(t.spans):
		return span{}, false, 1 << 40
	case t.spans[i].from > p:
		return span{}, false, t.spans[i].from - p
	default:
		return t.spans[i], true, 0
	}
}

// seqAt is the frame that holds the position.
func (s span) seqAt(p int64) uint64 {
	return s.seq + uint64((p-s.from)/frameSamples) //nolint:gosec // within the span
}

// excused tells whether the frame may be missing.
func (t *truth) excused(s span, seq uint64) bool {
	return s.malformed || overflown(t.rec, seq) || (t.excuse && seq > t.rec.Acked)
}

// overflown tells whether the host has said that it holds the frame no more.
func overflown(rec *host.SessionRecord, seq uint64) bool {
	return slices.ContainsFunc(rec.Overflows, func(o host.GapRecord) bool { return seq >= o.FirstSeq && seq < o.FirstSeq+o.Count })
}

// between returns the two times of being open that the position lies between; false
// where there are not two.
func (t *truth) between(p int64) (before, after int, ok bool) {
	i := sort.Search(len(t.spans), func(i int) bool { return t.spans[i].to > p })
	for i < len(t.spans) && t.spans[i].outside {
		i++
	}
	if i == len(t.spans) || t.spans[i].from <= p {
		return 0, 0, false
	}
	last := t.spans[i].period - 1
	for _, s := range t.spans[:i] {
		if !s.outside {
			last = s.period
		}
	}
	return last, t.spans[i].period, last >= 0 && last < t.spans[i].period
}

// neverCame tells whether the position lies in a stretch that the host lost.
func (t *truth) neverCame(p int64) bool {
	for _, l := range t.lost {
		if p >= l.from && p < l.to {
			return true
		}
	}
	return false
}

// start is the position of the first frame of a period; false if it has none.
func (t *truth) start(period int) (int64, bool) {
	for _, s := range t.spans {
		if s.period == period && !s.outside {
			return s.from, true
		}
	}
	return 0, false
}

// sent counts the samples that were captured while open.
func (t *truth) sent() int64 {
	var n int64
	for _, s := range t.spans {
		if !s.outside {
			n += s.length()
		}
	}
	return n
}

// uncovered returns the parts of e that none of the extents covers.
func uncovered(e extent, by []extent) []extent {
	out := []extent{e}
	for _, b := range by {
		var rest []extent
		for _, o := range out {
			if b.to <= o.from || b.from >= o.to {
				rest = append(rest, o)
				continue
			}
			if b.from > o.from {
				rest = append(rest, extent{o.from, b.from})
			}
			if b.to < o.to {
				rest = append(rest, extent{b.to, o.to})
			}
		}
		out = rest
	}
	return out
}
