package archive

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// A UnionClock says how two calls were laid beside each other. The clocks of two media
// hosts are not the same, and what both hear reaches them on different ways.
type UnionClock struct {
	// By is "audio", where what is heard in both told; "clock", where only their media
	// times could.
	By string `json:"by"`
	// ShiftSamples is by how much the second call was moved against its media times,
	// later if positive.
	ShiftSamples int64 `json:"shiftSamples"`
	// Compared counts the places where both are heard, Alike those that agree on
	// ShiftSamples, and SpreadSamples is by how much they differ: the clocks drift.
	Compared      int   `json:"compared,omitempty"`
	Alike         int   `json:"alike,omitempty"`
	SpreadSamples int64 `json:"spreadSamples,omitempty"`
}

const (
	byAudio = "audio"
	byClock = "clock"

	probeSamples = frame.SampleRate / 2  // of a place that is compared
	probeReach   = 2 * frame.SampleRate  // how far off it may be in the other
	probes       = 12                    // places that are compared, mostly
	probeProof   = 4                     // so many that do not sound alike are proof of that
	probeCoarse  = 8                     // samples that are one, at first sight
	probeLoud    = 30                    // the least loudness, as the root of the mean square
	probeAlike   = 0.7                   // how like the two must be, of 1
	probeAgree   = frame.SampleRate / 10 // by how much places may differ that agree
)

// align finds where the second call lies beside the first.
func (u *uniting) align(clockAlone bool) error {
	u.Clock.By = byClock
	u.place(0)
	if clockAlone {
		return nil
	}
	// Where little is heard in what both have by their media times, they may have
	// something else in common.
	for _, sure := range []bool{true, false} {
		u.Clock = UnionClock{By: byClock}
		id, places := u.places(sure)
		lags, err := u.compare(id, places)
		if err != nil {
			return err
		}
		err = u.Clock.agree(lags)
		if err == nil {
			u.place(u.Clock.ShiftSamples)
			return nil
		}
		if sure && u.Clock.Compared >= probeProof {
			return err
		}
	}
	return nil
}

// compare listens to both at places, and returns where they sound alike by how much the
// second is later than its media time says.
func (u *uniting) compare(id string, places []int64) (lags []int64, err error) {
	ears := [2]*ear{{u: u, side: 0, id: id}, {u: u, side: 1, id: id}}
	defer ears[0].close()
	defer ears[1].close()
	for _, at := range places {
		a, err := ears[0].hear(at, probeSamples)
		if err != nil {
			return nil, err
		}
		b, err := ears[1].hear(at-probeReach, probeSamples+2*probeReach)
		if err != nil {
			return nil, err
		}
		if loudness(a) < probeLoud || loudness(b) < probeLoud {
			continue
		}
		u.Clock.Compared++
		if lag, alike := lagOf(a, b); alike >= probeAlike {
			lags = append(lags, lag)
		}
	}
	return lags, nil
}

// agree takes the lag in the middle, if enough of the places agree on it.
func (c *UnionClock) agree(lags []int64) error {
	slices.Sort(lags)
	if len(lags) > 0 {
		middle := lags[len(lags)/2]
		lags = slices.DeleteFunc(lags, func(l int64) bool { return max(l-middle, middle-l) > probeAgree })
	}
	if 3*len(lags) < c.Compared || len(lags) == 0 {
		return fmt.Errorf("%w: %d places of %d seem the same", ErrNotAlike, len(lags), c.Compared)
	}
	c.By, c.Alike = byAudio, len(lags)
	// What the second says by so much later has to come by so much earlier.
	c.ShiftSamples, c.SpreadSamples = -lags[len(lags)/2], lags[len(lags)-1]-lags[0]
	return nil
}

// places are where both calls have samples of a track, evenly over the time: of the track
// of which both have most. Where it is not to be sure, they are where the first has
// samples, while the second was there.
func (u *uniting) places(sure bool) (id string, at []int64) {
	var most []extent
	tried := map[string]bool{}
	for _, k := range u.takes {
		for i := range k.m.Tracks {
			tr := &k.m.Tracks[i]
			if tr.Kind != "audio" || tried[tr.ID] {
				continue
			}
			tried[tr.ID] = true
			if both := u.inBoth(tr.ID, tr.Mode, sure); total(both) > total(most) {
				id, most = tr.ID, both
			}
		}
	}
	step := max(probeSamples/2, total(most)/probes)
	next := step / 4
	for _, e := range most {
		for ; next+probeSamples <= e.to-e.from; next += step {
			at = append(at, e.from+next)
		}
		next = max(0, next-(e.to-e.from))
	}
	return id, at
}

// An extent is samples of a union, the end exclusive.
type extent struct{ from, to int64 }

func total(all []extent) (n int64) {
	for _, e := range all {
		n += e.to - e.from
	}
	return n
}

// inBoth are the extents of which both calls have the samples, or only the first, if they
// are long enough to be compared.
func (u *uniting) inBoth(id, mode string, sure bool) (both []extent) {
	var has [2][]extent
	for _, k := range u.takes {
		for _, s := range k.stretches(id, mode) {
			if s.knows == recorded {
				has[k.side] = append(has[k.side], extent{s.from, s.to})
			}
		}
	}
	if !sure && len(has[1]) > 0 {
		has[1] = []extent{{has[1][0].from - probeReach, has[1][len(has[1])-1].to + probeReach}}
	}
	for i, k := 0, 0; i < len(has[0]) && k < len(has[1]); {
		a, b := has[0][i], has[1][k]
		if e := (extent{max(a.from, b.from), min(a.to, b.to)}); e.to-e.from >= probeSamples {
			both = append(both, e)
		}
		if a.to < b.to {
			i++
		} else {
			k++
		}
	}
	return both
}

// An ear hears a track of one call, at places that mostly grow.
type ear struct {
	u    *uniting
	side int
	id   string
	open opened
	src  map[int]*forward
}

func (e *ear) close() { e.open.close() }

// hear returns n samples from a place on; what no recording holds is silence.
func (e *ear) hear(at, n int64) ([]int16, error) {
	out := make([]int16, n)
	for _, k := range e.u.takes {
		tr := k.track(e.id)
		if k.side != e.side || tr == nil {
			continue
		}
		begin := k.starts(tr)
		from, to := max(at, begin), min(at+n, begin+tr.Samples)
		if from >= to {
			continue
		}
		src, err := e.source(k, tr, from-begin)
		if err != nil {
			return nil, err
		}
		next := from - at
		err = src.copy(e.u.ctx, from-begin, to-from, func(pcm []byte) error {
			for ; len(pcm) > 1; pcm = pcm[2:] {
				out[next] = int16(binary.LittleEndian.Uint16(pcm)) //nolint:gosec // two's complement
				next++
			}
			return nil
		})
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return out, nil
}

// source reads a take's file from a sample on.
func (e *ear) source(k *take, tr *Track, at int64) (*forward, error) {
	if f := e.src[k.index]; f != nil && f.at <= at {
		return f, nil
	}
	r, err := e.open.track(filepath.Join(k.folder, tr.File), 64<<10)
	if err != nil {
		return nil, err
	}
	if e.src == nil {
		e.src = map[int]*forward{}
	}
	e.src[k.index] = &forward{src: r}
	return e.src[k.index], nil
}

func loudness(pcm []int16) float64 {
	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(len(pcm)))
}

// lagOf finds the place in b, which reaches probeReach farther on both sides, that sounds
// most like a: by how many samples it is later than where it is expected, and how like
// the two are. Where it can't be told from the expected place, it is that.
func lagOf(a, b []int16) (lag int64, alike float64) {
	coarse := likeness(thinned(a), thinned(b))
	best := 0
	for i, l := range coarse {
		if l > coarse[best] {
			best = i
		}
	}
	const middle = probeReach / probeCoarse
	if coarse[middle] > coarse[best]-0.02 {
		best = middle
	}
	from := max(0, (best-1)*probeCoarse)
	fine := likeness(wide(a), wide(b[from:min(len(b), from+2*probeCoarse+len(a))]))
	top := slices.Index(fine, slices.MaxFunc(fine, cmp.Compare[float64]))
	if at := probeReach - from; at >= 0 && at < len(fine) && fine[at] >= fine[top] {
		top = at
	}
	return int64(from + top - probeReach), fine[top]
}

// likeness is, for each place in b, how like a it is: the correlation, 1 at most.
func likeness(a, b []float64) []float64 {
	power := func(s []float64) (p float64) {
		for _, v := range s {
			p += v * v
		}
		return p
	}
	own := power(a)
	out := make([]float64, len(b)-len(a)+1)
	there := power(b[:len(a)])
	for i := range out {
		dot := 0.0
		for k, v := range a {
			dot += v * b[i+k]
		}
		if own > 0 && there > own/1e6 {
			out[i] = dot / math.Sqrt(own*there)
		}
		if i+len(a) < len(b) {
			there += b[i+len(a)]*b[i+len(a)] - b[i]*b[i]
		}
	}
	return out
}

// thinned makes one of some samples, which a coarse look is enough for.
func thinned(pcm []int16) []float64 {
	out := make([]float64, len(pcm)/probeCoarse)
	for i := range out {
		for _, s := range pcm[i*probeCoarse : (i+1)*probeCoarse] {
			out[i] += float64(s)
		}
	}
	return out
}

func wide(pcm []int16) []float64 {
	out := make([]float64, len(pcm))
	for i, s := range pcm {
		out[i] = float64(s)
	}
	return out
}
