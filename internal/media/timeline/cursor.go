package timeline

import "github.com/recorderbot/recorderbot/internal/media/frame"

// An admission lets each frame in once, in order. Timeline and Cursor share it,
// so that both passes over the records keep the same frames.
type admission struct{ next uint64 }

func (a *admission) fits(seq uint64) bool { return seq != 0 && seq >= a.next }

func (a *admission) admit(seq uint64) { a.next = seq + 1 }

// A Cursor walks the records of a recording a second time and lays its frames
// out as the summary says.
type Cursor struct {
	door   admission
	tracks []Track
	gap    []int // of each track, the gap that comes next
	last   int
	behind bool // the last frame lies behind a gap
}

// NewCursor returns a cursor before the first record.
func NewCursor(s Summary) *Cursor {
	return &Cursor{door: admission{s.FirstSeq}, tracks: s.Tracks, gap: make([]int, len(s.Tracks))}
}

// Next takes the next frame. It returns the frame's track as an index into
// Summary.Tracks and how many samples of silence go before it; ok is false for
// a frame that the timeline ignored.
func (c *Cursor) Next(h frame.Header) (track int, silence int64, ok bool) {
	if !c.door.fits(h.Seq) {
		return 0, 0, false
	}
	i, ok := c.find(h)
	if !ok {
		return 0, 0, false // not the records that the summary was made of
	}
	c.door.admit(h.Seq)
	gaps := c.tracks[i].Gaps
	c.behind = false
	for c.gap[i] < len(gaps) && gaps[c.gap[i]].BeforeSeq != 0 && gaps[c.gap[i]].BeforeSeq <= h.Seq {
		silence += gaps[c.gap[i]].Samples
		c.gap[i]++
		c.behind = true
	}
	return i, silence, true
}

// Gap reports whether the track has a gap before the last frame that Next took, be it
// one without samples, as of video.
func (c *Cursor) Gap() bool { return c.behind }

func (c *Cursor) find(h frame.Header) (int, bool) {
	if h.Kind == frame.MixedAudio {
		h.Source = 0
	}
	if c.last < len(c.tracks) && c.tracks[c.last].holds(h) {
		return c.last, true
	}
	for i := range c.tracks {
		if c.tracks[i].holds(h) {
			c.last = i
			return i, true
		}
	}
	return 0, false
}

// holds reports whether a frame is one of the track's.
func (t *Track) holds(h frame.Header) bool {
	return t.Kind == h.Kind && t.Source == h.Source && t.FirstSeq <= h.Seq && h.Seq <= t.LastSeq
}

// Rest returns how many samples of silence a track ends with, once all records
// have been walked.
func (c *Cursor) Rest(track int) int64 {
	silence := int64(0)
	for _, g := range c.tracks[track].Gaps[c.gap[track]:] {
		silence += g.Samples
	}
	return silence
}
