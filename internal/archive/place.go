package archive

import (
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// Where a frame of video lies is told by its time, and by nothing else: there are no
// samples to be counted. So a time that can't be must not be believed, or all pictures
// behind it would stand still. What it is held against is when the frame became durable.
const (
	// filmAhead is by how much a frame's time may be ahead of that: two clocks, and what
	// they drift apart in a day.
	filmAhead = 20 * mp4.Timescale
	// filmBehind is how long a frame may have been under way: what the media host held
	// through a cut, and a disk that hung.
	filmBehind = 600 * mp4.Timescale
	// nominalFrame is how long a frame lasts of which no time is known: a thirtieth of a
	// second, in ticks of 100 ns.
	nominalFrame = mp4.Timescale / 30
	// mostOffsets are looked at, evenly over the recording.
	mostOffsets = 256
	// maxOffset is beyond what two clocks can be apart; sums of such do not overflow.
	maxOffset = 1 << 60
)

// offsets gather by how much the media clock is ahead of ours, in ticks.
type offsets struct {
	kept   []int64
	stride uint64 // one in so many frames
	n      uint64
}

// add takes a frame that became durable at a time.
func (o *offsets) add(h frame.Header, at time.Time) {
	if h.MediaTime <= 0 || h.MediaTime > maxOffset {
		return
	}
	o.stride = max(o.stride, 1)
	if o.n++; (o.n-1)%o.stride != 0 {
		return
	}
	if len(o.kept) == mostOffsets {
		for i := range mostOffsets / 2 {
			o.kept[i] = o.kept[2*i]
		}
		o.kept, o.stride = o.kept[:mostOffsets/2], 2*o.stride
	}
	o.kept = append(o.kept, h.MediaTime-frame.Ticks(at))
}

// median is that of most frames: some wild times don't change it. 0 where there is none.
func (o *offsets) median() int64 {
	if len(o.kept) == 0 {
		return 0
	}
	all := slices.Sorted(slices.Values(o.kept))
	return all[len(all)/2]
}

// A place tells where the frames of one track of video lie, each time the same.
type place struct {
	offset int64 // of the media clock
	last   int64 // of the frame before
	stray  int64 // the time of the frame before, if it was not believed; 0: it was
	before int64 // when the frame before became durable, by the media clock
	strays uint64
}

// next is the time of the next frame, which became durable at a time. One that can't be
// lies behind the frame before: by how much its time says where that of the frame before
// could not be either, for then the clock was set anew.
func (p *place) next(h frame.Header, at time.Time) int64 {
	expected, told := frame.Ticks(at)+p.offset, h.MediaTime
	passed := expected - p.before
	p.before = expected
	if told > 0 && told >= expected-filmBehind && told <= expected+filmAhead {
		p.last, p.stray = told, 0
		return told
	}
	switch step := told - p.stray; {
	case p.last == 0:
		p.last = expected
	case p.stray > 0 && step > 0 && step <= passed+filmAhead:
		p.last += step
	default:
		p.last += nominalFrame
	}
	p.stray = max(told, 0)
	p.strays++
	return p.last
}
