package referee

// How much has to be equal to be the same place, in samples. Speech does not
// repeat itself exactly.
const (
	windowSure  = 160 // where it is expected
	windowFound = 480 // where it was searched for
	voiced      = 32  // of them not zero
	reach       = 60 * sampleRate
)

// equalAt tells whether stored lies at position q.
func (t *truth) equalAt(stored []int16, q int64) bool {
	if q < 0 || q+int64(len(stored)) > int64(len(t.pcm)) {
		return false
	}
	for i, s := range stored {
		if t.pcm[q+int64(i)] != s {
			return false
		}
	}
	return true
}

// sounds tells whether there is enough in the samples to know them again.
func sounds(samples []int16) bool {
	n := 0
	for _, s := range samples {
		if s != 0 {
			n++
		}
	}
	return n >= voiced
}

// search finds the position near p at which stored lies: whole frames away
// first, then any number of samples.
func (t *truth) search(stored []int16, p int64) (int64, bool) {
	if len(stored) < windowSure || !sounds(stored) {
		return 0, false
	}
	stored = stored[:min(len(stored), windowFound)]
	for _, step := range []int64{frameSamples, 1} {
		for d := int64(0); d <= reach; d += step {
			if t.equalAt(stored, p+d) {
				return p + d, true
			}
			if t.equalAt(stored, p-d) {
				return p - d, true
			}
		}
	}
	return 0, false
}

// locate finds the position of stored's first sample: at one of the hints, or
// near the first of them.
func (t *truth) locate(stored []int16, gaps []declaredGap, hints []int64) (int64, bool) {
	a, free := 0, 0
	for ; a < len(stored); a += free {
		if free = heard(stored, gaps, a); free == 0 {
			free = 1
			continue
		}
		if free >= windowSure && sounds(stored[a:a+min(free, windowSure)]) {
			break
		}
		free = min(free, windowSure)
	}
	if a >= len(stored) { // nothing to know it by but that it is silent
		for _, h := range hints {
			if n := heard(stored, gaps, 0); n > 0 && t.equalAt(stored[:n], h) {
				return h, true
			}
		}
		return hints[0], len(hints) > 0
	}
	for _, h := range hints {
		if t.equalAt(stored[a:a+windowSure], h+int64(a)) {
			return h, true
		}
	}
	// The first place may be the very one that is wrong: try the next ones too.
	for range 10 {
		if q, ok := t.search(stored[a:a+min(heard(stored, gaps, a), windowFound)], hints[0]+int64(a)); ok {
			return q - int64(a), true
		}
		if a += windowFound; a >= len(stored) {
			break
		}
	}
	return 0, false
}

// heard is how many samples from a on lie outside the declared gaps.
func heard(stored []int16, gaps []declaredGap, a int) int {
	end := int64(len(stored))
	for _, g := range gaps {
		if int64(a) >= g.AtSample && int64(a) < g.AtSample+g.Samples {
			return 0
		}
		if g.AtSample > int64(a) {
			end = min(end, g.AtSample)
		}
	}
	return int(end) - a
}
