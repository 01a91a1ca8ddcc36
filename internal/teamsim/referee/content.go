package referee

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// judgeContent compares what was archived with what was sent.
func (j *judge) judgeContent(c *call) CallReport {
	r := CallReport{Call: c.id}
	for _, m := range c.manifests {
		r.Recordings = append(r.Recordings, m.folder)
		if r.Outcome == "" {
			r.Outcome = m.Outcome
		}
	}
	if len(c.manifests) > 0 && c.firstSuccess().IsZero() {
		j.add(1, KindArchiveWithoutPermit, c.id, "%s was archived, success was never told", c.manifests[0].folder)
	}
	if c.session == nil {
		if len(c.manifests) > 0 {
			j.add(4, KindArchiveUnknown, c.id, "%s was archived, the call had no media session", c.manifests[0].folder)
		}
		return r
	}
	r.Session = c.session.Session
	_, failedTold := c.announced(c.invited, failed)
	t := newTruth(c.session, failedTold)
	r.SamplesSent = t.sent()
	check := &content{judge: j, call: c, truth: t, report: &r}
	for _, m := range c.manifests {
		check.manifest(m)
	}
	slices.SortFunc(check.stored, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	check.coverage()
	check.joints()
	check.outcomes()
	return r
}

// content compares one call's recordings with the truth.
type content struct {
	*judge

	call   *call
	truth  *truth
	report *CallReport
	// covered is what has been accounted for: stored, declared or already
	// reported as missing.
	covered []extent
	stored  []extent // in their place, of all recordings
	found   int      // violations of the current recording
}

// breach reports, up to a bound.
func (c *content) breach(law int, kind string, m *manifest, format string, args ...any) {
	if c.found++; c.found <= maxFindings {
		c.add(law, kind, c.call.id, "%s: %s", m.folder, fmt.Sprintf(format, args...))
	}
}

func (c *content) manifest(m *manifest) {
	c.found = 0
	if err := m.checkFiles(); err != nil {
		c.breach(4, KindArchiveBroken, m, "%v", err)
	}
	var samples, stored, gaps int64
	for _, tr := range m.Tracks {
		samples, stored, gaps = samples+tr.Samples, stored+tr.StoredSamples, gaps+tr.GapSamples
		pcm, err := m.decode(tr.File)
		if err != nil {
			c.breach(4, KindArchiveBroken, m, "%v", err)
			continue
		}
		if !c.counts(m, tr, int64(len(pcm))) {
			continue // the gaps can't be used to find one's way
		}
		c.track(m, tr, pcm)
	}
	if m.Samples != samples || m.StoredSamples != stored || m.GapSamples != gaps {
		c.breach(4, KindManifestCounts, m, "the manifest says %d samples = %d stored + %d missing, its tracks %d = %d + %d",
			m.Samples, m.StoredSamples, m.GapSamples, samples, stored, gaps)
	}
}

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
	if len(pcm) == 0 {
		return
	}
	hints := c.hints(tr)
	if len(hints) == 0 && tr.GapSamples == int64(len(pcm)) {
		// Leave was given and the host was never asked: nothing but what is missing.
		if z := zeros(pcm); z < len(pcm) {
			c.breach(4, KindGapNotSilent, m, "sample %d lies in a declared gap and is not zero", z)
		}
		c.report.GapSamples += tr.GapSamples
		return
	}
	if len(hints) == 0 {
		c.breach(1, KindStoredBeforeSuccess, m, "%s holds %d samples; the host captured none", tr.File, len(pcm))
		return
	}
	at, ok := c.truth.locate(pcm, tr.Gaps, hints)
	if !ok {
		c.breach(4, KindSamplesWrong, m, "nothing in %s (%d samples) is what the session sent", tr.File, len(pcm))
		return
	}
	if off := (at - hints[0]) % frameSamples; off != 0 {
		c.breach(4, KindSamplesShifted, m, "%s begins %d samples off the start of a frame", tr.File, off)
	}
	w := &walk{content: c, m: m, stored: pcm, gaps: tr.Gaps, p: at}
	w.run()
	m.stored = append(m.stored, w.placed...)
	c.stored = append(c.stored, w.placed...)
}

// hints are positions at which a recording may begin, the likeliest first.
func (c *content) hints(tr track) []int64 {
	var hints []int64
	for i := range c.truth.rec.Periods {
		if start, ok := c.truth.start(i); ok {
			if rest := uncovered(extent{start, start + 1}, c.covered); len(rest) > 0 {
				hints = append(hints, start)
			}
		}
	}
	// A recording that was taken over begins in the middle.
	var end int64
	for _, e := range c.covered {
		end = max(end, e.to)
	}
	if end > 0 {
		hints = append(hints, end)
	}
	if p := (tr.MediaTime - c.truth.rec.MediaStart) / host.TicksPerSample; p >= 0 && p < int64(len(c.truth.pcm)) {
		hints = append(hints, p)
	}
	return hints
}

// coverage looks for what is in no recording.
func (c *content) coverage() {
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
		if len(missing) == 0 {
			continue
		}
		if whole && len(c.call.manifests) == 0 {
			c.add(4, KindArchiveMissing, c.call.id, "recording time %d: frames %d to %d were sent, %d acknowledged, none archived",
				i+1, p.FirstSeq, p.LastSeq, p.AckSeq)
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
			c.add(4, KindArchiveExtra, c.call.id, "%d samples at %d are archived twice", twice, c.stored[i].from)
		}
	}
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
	tail = tail && (c.truth.cutOff || c.diedLast())
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
	c.add(4, kind, c.call.id, "recording time %d: %d samples at position %d (from frame %d on) are in no recording", period+1, e.length(), e.from, s.seqAt(e.from))
	c.lost(e.length())
}
