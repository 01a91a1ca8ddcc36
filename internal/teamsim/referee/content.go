package referee

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// content compares one stream of audio, of all of a call's recordings, with the truth.
type content struct {
	*judge

	call   *call
	truth  *truth
	report *CallReport
	stream *StreamReport
	// covered is what has been accounted for: stored, declared or already
	// reported as missing.
	covered []extent
	stored  []extent   // in their place, of all recordings
	absent  []extent   // declared as missing, of all recordings
	ledger  *ledger    // who accounts for each sample
	silent  []extent   // declared as the speaker's silence, of all recordings
	others  []*content // the call's streams of audio
	whole   *truth     // of all streams together
	tracks  int
	found   int // violations of the current recording
}

// breach reports, up to a bound.
func (c *content) breach(law int, kind string, m *manifest, format string, args ...any) {
	if c.found++; c.found <= maxFindings {
		c.add(law, kind, c.call.id, "%s: %s%s", m.folder, c.name(), fmt.Sprintf(format, args...))
	}
}

// name says whose stream it is, where there are several.
func (c *content) name() string {
	if c.truth.of.Source == 0 {
		return ""
	}
	return fmt.Sprintf("source %d: ", c.truth.of.Source)
}

// unmixed tells whether the stream is one speaker's, who is not always there.
func (c *content) unmixed() bool { return c.truth.of.Kind == host.KindUnmixed }

// counts holds the track's numbers against the file and the gaps. It returns
// false where the gaps make no sense.
func (c *content) counts(m *manifest, tr track, n int64) bool {
	var gaps, at int64
	for i, g := range tr.Gaps {
		if g.Samples <= 0 || g.AtSample < at || g.AtSample+g.Samples > n {
			c.breach(4, KindManifestCounts, m, "gap %d (%d samples at %d) overlaps another or leads beyond the file's %d samples", i, g.Samples, g.AtSample, n)
			return false
		}
		gaps, at = gaps+g.Samples, g.AtSample+g.Samples
	}
	if tr.Samples != n || tr.GapSamples != gaps || tr.StoredSamples != n-gaps {
		c.breach(4, KindManifestCounts, m, "%s holds %d samples, %d of them in declared gaps; the manifest says %d = %d stored + %d missing",
			tr.File, n, gaps, tr.Samples, tr.StoredSamples, tr.GapSamples)
	}
	return true
}

func (c *content) track(m *manifest, tr track, pcm []int16) {
	c.tracks++
	if len(pcm) == 0 {
		return
	}
	c.ledger.wrong += int64(len(pcm)) - tr.GapSamples // until they are found in their place
	hints := c.hints(m, tr)
	if len(hints) == 0 && tr.GapSamples == int64(len(pcm)) {
		// Leave was given and the host was never asked: nothing but what is missing.
		if z := zeros(pcm); z < len(pcm) {
			c.breach(4, KindGapNotSilent, m, "sample %d lies in a declared gap and is not zero", z)
		}
		c.stream.GapSamples += tr.GapSamples
		c.lostAll(m, tr)
		return
	}
	if len(hints) == 0 {
		c.breach(1, KindStoredBeforeSuccess, m, "%s holds %d samples; the host captured none", tr.File, len(pcm))
		return
	}
	at, ok := c.truth.locate(pcm, tr.Gaps, hints)
	if !ok {
		if other := c.whose(m, tr, pcm); other != nil {
			c.breach(4, KindSourceWrong, m, "%s holds what source %d said", tr.File, other.truth.of.Source)
			return
		}
		c.breach(4, KindSamplesWrong, m, "nothing in %s (%d samples) is what the session sent", tr.File, len(pcm))
		return
	}
	if off := (at - hints[0]) % frameSamples; off != 0 {
		c.breach(4, KindSamplesShifted, m, "%s begins %d samples off the start of a frame", tr.File, off)
	}
	if told := c.position(tr); c.unmixed() && told >= 0 && told != at {
		c.breach(4, KindTrackTime, m, "%s begins at position %d by its media time, and its samples at %d", tr.File, told, at)
	}
	w := &walk{content: c, m: m, stored: pcm, gaps: tr.Gaps, p: at}
	w.run()
	m.stored = append(m.stored, w.placed...)
	c.stored = append(c.stored, w.placed...)
}

// whose finds the stream that a track is of in truth; nil where it is none.
func (c *content) whose(m *manifest, tr track, pcm []int16) *content {
	for _, o := range c.others {
		if hints := o.hints(m, tr); o != c && len(hints) > 0 {
			if _, ok := o.truth.locate(pcm, tr.Gaps, hints); ok {
				return o
			}
		}
	}
	return nil
}

// position is where the track begins by its media time; negative where that can't be
// held against the clock, which was set anew or told absurd times.
func (c *content) position(tr track) int64 {
	if tr.MediaTime == 0 || has(c.truth.rec, host.FaultClockStep, host.FaultAbsurdTime) {
		return -1
	}
	return (tr.MediaTime - c.truth.rec.MediaStart) / host.TicksPerSample
}

// hints are positions at which a recording may begin, the likeliest first.
func (c *content) hints(m *manifest, tr track) []int64 {
	var hints []int64
	if p := c.position(tr); c.unmixed() && p >= 0 && p < int64(len(c.truth.pcm)) {
		hints = append(hints, p)
	}
	var end int64
	for _, e := range c.covered {
		end = max(end, e.to)
	}
	if i := c.nearest(m); i >= 0 && !c.unmixed() && tr.StoredSamples == 0 && m.Joint != "takeover" {
		// Nothing of it came, and that is what the recording says.
		if from := c.truth.rec.Periods[i].From; len(uncovered(extent{from, from + 1}, c.covered)) > 0 {
			hints = append(hints, from)
		}
	}
	for i := range c.truth.rec.Periods {
		if start, ok := c.truth.start(i); ok {
			if rest := uncovered(extent{start, start + 1}, c.covered); len(rest) > 0 {
				hints = append(hints, start)
			}
		}
	}
	// A recording that was taken over begins in the middle.
	if end > 0 {
		hints = append(hints, end)
	}
	if p := (tr.MediaTime - c.truth.rec.MediaStart) / host.TicksPerSample; p >= 0 && p < int64(len(c.truth.pcm)) {
		hints = append(hints, p)
	}
	return hints
}

// nearest is the time of being open that began when a recording says that it did, as far as
// there is one; -1: there is none.
func (c *content) nearest(m *manifest) int {
	best := -1
	for i, p := range c.truth.rec.Periods {
		if off := p.OpenAsked.Sub(m.StartedAt).Abs(); best < 0 || off < c.truth.rec.Periods[best].OpenAsked.Sub(m.StartedAt).Abs() {
			best = i
		}
	}
	return best
}

// coverage looks for what is in no recording, and for what is in several.
func (c *content) coverage() {
	slices.SortFunc(c.stored, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	for i, p := range c.truth.rec.Periods {
		var missing []extent
		whole := true
		for _, s := range c.truth.spans {
			if s.outside || s.period != i {
				continue
			}
			rest := uncovered(s.extent, c.covered)
			whole = whole && len(rest) == 1 && rest[0] == s.extent
			for _, e := range rest {
				missing = append(missing, c.unaccounted(s, e)...)
			}
		}
		missing = joined(missing)
		if len(missing) == 0 {
			continue
		}
		if whole && (len(c.call.manifests) == 0 || c.tracks == 0) {
			if len(c.call.manifests) == 0 {
				c.add(4, KindArchiveMissing, c.call.id, "%srecording time %d: frames %d to %d were sent, %d acknowledged, none archived",
					c.name(), i+1, p.FirstSeq, p.LastSeq, p.AckSeq)
			} else {
				c.add(4, KindStreamMissing, c.call.id, "%srecording time %d: it was heard, and no recording has a track of it", c.name(), i+1)
			}
			for _, e := range missing {
				c.lost(e.length())
			}
			continue
		}
		for _, e := range missing {
			c.missing(i, e)
		}
	}
	for i := 1; i < len(c.stored); i++ {
		if twice := c.stored[i-1].to - c.stored[i].from; twice > 0 {
			c.add(4, KindArchiveExtra, c.call.id, "%s%d samples at %d are archived twice", c.name(), twice, c.stored[i].from)
		}
	}
	c.twice()
}

// joined makes one of extents that touch; they are in order.
func joined(all []extent) []extent {
	var out []extent
	for _, e := range all {
		if n := len(out); n > 0 && out[n-1].to == e.from {
			out[n-1].to = e.to
			continue
		}
		out = append(out, e)
	}
	return out
}

// inexcusable returns the parts of e, within s, that must not be declared as
// missing.
func (c *content) inexcusable(s span, e extent) []extent {
	return c.parts(s, e, func(seq uint64) bool { return !c.truth.excused(s, seq) })
}

// unaccounted returns the parts of e, within s, that must be in a recording:
// stored, or declared as missing. That is all that was sent but for what was under
// way when there was an end that nobody chose.
func (c *content) unaccounted(s span, e extent) []extent {
	tail := len(c.stored) == 0 || e.from >= c.stored[len(c.stored)-1].to
	tail = tail && (c.truth.cutOff || c.diedLast() || c.unmixed() && c.diedAlone(c.call))
	return c.parts(s, e, func(seq uint64) bool { return !s.malformed && (!tail || seq <= c.truth.rec.Acked) })
}

// diedLast tells whether the call's last recording was ended by the death of its
// process, and says so with a gap at its end: nobody can know its exact length.
func (c *content) diedLast() bool {
	n := len(c.call.manifests)
	return n > 0 && c.call.manifests[n-1].endsInGap && c.died()
}

// died tells whether the process did while the host was open.
func (c *content) died() bool {
	for _, d := range c.lives.downs {
		if openAt(c.truth.rec, d.from) {
			return true
		}
	}
	return false
}

// diedAlone tells whether the process of a call died while the host was open, and nobody
// had the session afterwards. Of speakers, who may be silent, and of cameras nobody can
// know then what was under way.
func (j *judge) diedAlone(c *call) bool {
	return slices.ContainsFunc(j.lives.downs, func(d down) bool {
		return openAt(c.session, d.from) && !slices.ContainsFunc(c.attaches, func(a attach) bool { return a.at.After(d.from) })
	})
}

// parts returns the parts of e, within s, of which pick is true, in whole frames.
func (c *content) parts(s span, e extent, pick func(seq uint64) bool) []extent {
	var out []extent
	for p := e.from; p < e.to; {
		end := min(e.to, s.from+((p-s.from)/frameSamples+1)*frameSamples)
		if pick(s.seqAt(p)) {
			if n := len(out); n > 0 && out[n-1].to == p {
				out[n-1].to = end
			} else {
				out = append(out, extent{p, end})
			}
		}
		p = end
	}
	return out
}

// missing reports an extent of a period that is in no recording.
func (c *content) missing(period int, e extent) {
	first, _ := c.truth.start(period)
	last := first
	for _, s := range c.truth.spans {
		if s.period == period && !s.outside {
			last = s.to
		}
	}
	kind := KindFrameLost
	switch {
	case e.to == last:
		kind = KindTailLost
	case e.from == first:
		kind = KindHeadLost
	}
	s, _, _ := c.truth.at(e.from)
	c.add(4, kind, c.call.id, "%srecording time %d: %d samples at position %d (from frame %d on) are in no recording", c.name(), period+1, e.length(), e.from, s.seqAt(e.from))
	c.lost(e.length())
}
