package referee

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// A holding is all that is archived of one call, beside all that was sent.
type holding struct {
	*content // of all streams together: how the recordings follow each other

	sounds  []*content // by stream
	sights  []*gallery
	unmixed bool
}

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
	h := j.hold(c, &r)
	for _, m := range c.manifests {
		h.manifest(m)
	}
	for _, s := range h.sounds {
		s.coverage()
		s.settle()
	}
	for _, g := range h.sights {
		g.coverage()
	}
	h.joints()
	h.sum()
	h.outcomes()
	j.holdings[c.id] = h
	return r
}

// hold collects the truth of each stream.
func (j *judge) hold(c *call, r *CallReport) *holding {
	rec := c.session
	_, failedTold := c.announced(c.invited, failed)
	streams := rec.Streams
	if !rec.Unmixed && !slices.ContainsFunc(streams, func(s host.StreamRecord) bool { return s.Kind == host.KindMixed }) {
		streams = append(streams, host.StreamRecord{Stream: host.Stream{Kind: host.KindMixed}, Audio: rec.Audio})
	}
	for _, g := range rec.Gaps { // of whom all was lost is to be told, too
		if g.Announced && g.Stream.Kind != host.KindMixed && !slices.ContainsFunc(streams, func(s host.StreamRecord) bool { return s.Stream == g.Stream }) {
			streams = append(streams, host.StreamRecord{Stream: g.Stream})
		}
	}
	r.Streams = make([]StreamReport, len(streams))
	h := &holding{unmixed: rec.Unmixed}
	for i, s := range streams {
		report := &r.Streams[i]
		report.Kind, report.Source = s.Kind, s.Source
		if s.Kind > host.KindUnmixed {
			h.sights = append(h.sights, newGallery(j, c, s.Stream, report, failedTold))
			continue
		}
		one := &content{judge: j, call: c, truth: newTruth(rec, s, failedTold), report: r, stream: report, ledger: newLedger(rec.Samples)}
		report.SamplesSent = one.truth.sent()
		h.sounds = append(h.sounds, one)
	}
	h.content = &content{judge: j, call: c, truth: wholeTruth(rec, failedTold), report: r, stream: &StreamReport{}}
	for _, s := range h.sounds {
		s.whole, s.others = h.truth, h.sounds
	}
	for _, g := range h.sights {
		g.others = h.sights
	}
	if !h.unmixed {
		h.truth = h.sounds[0].truth
	}
	return h
}

// manifest compares one recording.
func (h *holding) manifest(m *manifest) {
	h.found = 0
	for _, s := range h.sounds {
		s.found = 0
	}
	for _, g := range h.sights {
		g.found = 0
	}
	if err := m.checkFiles(); err != nil {
		h.breach(4, KindArchiveBroken, m, "%v", err)
	}
	heard := map[string][]int16{}
	for _, tr := range m.Tracks {
		switch {
		case tr.isMix():
			continue
		case tr.Kind == "video" || tr.Kind == "screen":
			h.sight(m, tr)
		default:
			heard[tr.File] = h.sound(m, tr)
		}
		h.report.Tracks++
	}
	h.totals(m)
	h.mix(m, heard)
}

// sound compares a track of audio, and returns its samples.
func (h *holding) sound(m *manifest, tr track) []int16 {
	pcm, err := m.decode(tr.File)
	if err != nil {
		h.breach(4, KindArchiveBroken, m, "%v", err)
		return nil
	}
	one := h.content
	if i := slices.IndexFunc(h.sounds, func(s *content) bool { return s.truth.of == tr.stream() }); i >= 0 {
		one = h.sounds[i]
	}
	if !one.counts(m, tr, int64(len(pcm))) {
		return pcm // the gaps can't be used to find one's way
	}
	if one == h.content {
		h.stranger(m, tr, pcm)
		return pcm
	}
	one.track(m, tr, pcm)
	return pcm
}

// stranger is a track of a source that was never heard. It may say that something is
// missing, and nothing else.
func (h *holding) stranger(m *manifest, tr track, pcm []int16) {
	z := zeros(pcm)
	switch {
	case z < len(pcm):
		h.breach(4, KindStreamUnknown, m, "%s holds sound of source %d (%s); nothing was sent of it", tr.File, tr.SourceID, tr.Mode)
	case tr.StoredSamples > 0:
		h.breach(4, KindStreamUnknown, m, "%s holds %d samples of source %d (%s); nothing was sent of it", tr.File, tr.StoredSamples, tr.SourceID, tr.Mode)
	case !h.truth.excuse && !h.lostOf(tr.stream()):
		h.breach(4, KindGapUnfounded, m, "%s says that something of source %d is missing; nothing was sent of it, and nothing had broken", tr.File, tr.SourceID)
	}
}

// lostOf tells whether the host has said that it lost something of a stream.
func (h *holding) lostOf(of host.Stream) bool {
	return slices.ContainsFunc(h.truth.rec.Gaps, func(g host.GapRecord) bool { return g.Stream == of && g.Announced })
}

// totals holds a manifest's sums against its tracks. Where a speaker's silence is
// counted, it may be left out of them.
func (h *holding) totals(m *manifest) {
	var samples, stored, gaps, idle int64
	for _, tr := range m.Tracks {
		if tr.isMix() {
			continue
		}
		samples, stored, gaps = samples+tr.Samples, stored+tr.StoredSamples, gaps+tr.GapSamples
		for _, g := range tr.Gaps {
			if g.Cause == causeIdle {
				idle += g.Samples
			}
		}
	}
	whole := m.GapSamples == gaps && m.Samples == samples
	heard := m.GapSamples == gaps-idle && (m.Samples == samples || m.Samples == samples-idle)
	if m.StoredSamples != stored || !whole && !heard {
		h.breach(4, KindManifestCounts, m, "the manifest says %d samples = %d stored + %d missing, its tracks %d = %d + %d",
			m.Samples, m.StoredSamples, m.GapSamples, samples, stored, gaps)
	}
}

// sum adds up what was found, stream by stream.
func (h *holding) sum() {
	r := h.report
	for _, s := range r.Streams {
		r.SamplesSent += s.SamplesSent
		r.SamplesStored += s.SamplesStored
		r.GapSamples += s.GapSamples
		r.IdleSamples += s.IdleSamples
		r.FramesSent += s.FramesSent
		r.FramesStored += s.FramesStored
		r.FramesInGaps += s.FramesInGaps
		r.FramesUndecodable += s.FramesUndecodable
		r.Account.Add(s.Account)
	}
	slices.SortFunc(r.Streams, func(a, b StreamReport) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Source, b.Source))
	})
}

// mix compares mix.flac, where there is one, with the sum of the tracks.
func (h *holding) mix(m *manifest, heard map[string][]int16) {
	name := m.mixFile()
	if name == "" {
		return
	}
	got, err := m.decode(name)
	if err != nil {
		h.breach(4, KindArchiveBroken, m, "%v", err)
		return
	}
	want := m.mixed(heard)
	if len(got) != len(want) {
		h.breach(4, KindMixWrong, m, "%s holds %d samples, the tracks together %d", name, len(got), len(want))
	}
	if at := equal(got, want); at < min(len(got), len(want)) {
		h.breach(4, KindMixWrong, m, "sample %d of %s is %d, the tracks' sum is %d", at, name, got[at], want[at])
	}
	h.report.Account.Wrong += different(got, want)
}

// different counts the samples in which two differ.
func different(a, b []int16) int64 {
	n := max(len(a), len(b)) - min(len(a), len(b))
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			n++
		}
	}
	return int64(n)
}

// mixed is the sum of a recording's tracks of audio, clipped to 16 bits, from where the
// first of them begins.
func (m *manifest) mixed(heard map[string][]int16) []int16 {
	begin := int64(1) << 62
	for _, tr := range m.Tracks {
		if heard[tr.File] != nil && tr.MediaTime != 0 {
			begin = min(begin, tr.MediaTime)
		}
	}
	var sum []int32
	for _, tr := range m.Tracks {
		at := int((tr.MediaTime - begin) / host.TicksPerSample)
		if heard[tr.File] == nil || tr.MediaTime == 0 || at > 24*3600*sampleRate { // without a time all of it is missing
			continue
		}
		if n := at + len(heard[tr.File]); n > len(sum) {
			sum = append(sum, make([]int32, n-len(sum))...)
		}
		for i, s := range heard[tr.File] {
			sum[at+i] += int32(s)
		}
	}
	out := make([]int16, len(sum))
	for i, s := range sum {
		out[i] = int16(max(-1<<15, min(1<<15-1, s)))
	}
	return out
}

const mixName = "mix.flac"

func (m *manifest) mixFile() string {
	if slices.ContainsFunc(m.Files, func(f archivedFile) bool { return f.Name == mixName }) {
		return mixName
	}
	return ""
}

func (tr track) isMix() bool { return tr.File == mixName }

// stream is the one that the track says it is of.
func (tr track) stream() host.Stream {
	switch {
	case tr.Kind == "video":
		return host.Stream{Kind: host.KindVideo, Source: tr.SourceID}
	case tr.Kind == "screen":
		return host.Stream{Kind: host.KindScreen, Source: tr.SourceID}
	case tr.Mode == "unmixed":
		return host.Stream{Kind: host.KindUnmixed, Source: tr.SourceID}
	}
	return host.Stream{Kind: host.KindMixed}
}

// sight compares a track of video.
func (h *holding) sight(m *manifest, tr track) {
	i := slices.IndexFunc(h.sights, func(g *gallery) bool { return g.of == tr.stream() })
	if i < 0 {
		h.breach(4, KindStreamUnknown, m, "%s is a track of %s %d; nothing was sent of it", tr.File, tr.Kind, tr.SourceID)
		return
	}
	if err := h.sights[i].track(m, tr); err != nil {
		h.breach(4, KindArchiveBroken, m, "%s: %v", tr.File, fmt.Errorf("read the video: %w", err))
	}
}
