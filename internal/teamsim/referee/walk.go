package referee

import "time"

// A walk goes through one track, sample by sample, beside the truth.
type walk struct {
	*content

	m      *manifest
	stored []int16
	gaps   []declaredGap
	a      int   // index in stored
	p      int64 // position it should have
	placed []extent
}

func (w *walk) run() {
	for w.a < len(w.stored) && w.found <= maxFindings {
		for len(w.gaps) > 0 && int64(w.a) >= w.gaps[0].AtSample+w.gaps[0].Samples {
			w.gaps = w.gaps[1:]
		}
		limit := len(w.stored)
		if len(w.gaps) > 0 {
			if int64(w.a) >= w.gaps[0].AtSample {
				if w.unmixed() {
					w.silence(w.touching())
					continue
				}
				w.gap(int(w.gaps[0].AtSample + w.gaps[0].Samples - int64(w.a)))
				continue
			}
			limit = int(w.gaps[0].AtSample)
		}
		s, ok, empty := w.truth.at(w.p)
		switch {
		case !ok:
			w.empty(int(min(int64(limit-w.a), empty)), limit)
		case s.outside:
			w.outside(s, int(min(int64(limit-w.a), s.to-w.p)), limit)
		default:
			w.frames(s, int(min(int64(limit-w.a), s.to-w.p)), limit)
		}
	}
}

// step goes on by n, which are accounted for.
func (w *walk) step(n int) {
	w.covered = append(w.covered, extent{w.p, w.p + int64(n)})
	w.a += n
	w.p += int64(n)
}

// gap: n samples that the manifest declares as missing.
func (w *walk) gap(n int) {
	end := w.p + int64(n)
	w.enter(extent{w.p, end}, w.gaps[0].Cause)
	for p := w.p; p < end; {
		s, ok, empty := w.truth.at(p)
		if !ok {
			next := min(end, p+empty)
			w.emptyGap(p, next)
			p = next
			continue
		}
		next := min(end, s.to)
		if !s.outside {
			w.unfounded(s, extent{p, next})
		}
		p = next
	}
	w.zeroed(n)
	w.stream.GapSamples += int64(n)
	w.m.missing = append(w.m.missing, extent{w.p, end})
	w.absent = append(w.absent, extent{w.p, end})
	w.m.endsInGap = w.a+n == len(w.stored)
	w.step(n)
}

// zeroed: n samples that are declared as missing, or as silence, are zero.
func (w *walk) zeroed(n int) {
	samples := w.stored[w.a : w.a+n]
	if z := zeros(samples); z < n {
		w.breach(4, KindGapNotSilent, w.m, "sample %d lies in a declared gap and is not zero", w.a+z)
		w.ledger.twice(w.p, samples)
	}
}

// emptyGap: a declared gap where no frames were; the host must have lost some.
func (w *walk) emptyGap(from, to int64) {
	for p := from; p < to; p += frameSamples {
		if a, b, ok := w.truth.between(p); ok && !w.truth.neverCame(p) {
			if w.pauseTold(a, b) {
				w.breach(4, KindPauseInGap, w.m, "a gap is declared at position %d, up to %d; recording was paused there", p, to)
			}
			return
		}
		if !w.truth.neverCame(p) && !w.truth.excuse {
			w.breach(4, KindGapUnfounded, w.m, "a gap is declared at position %d, up to %d; the host lost nothing there", p, to)
			return
		}
	}
}

// unfounded: a declared gap over frames that were captured.
func (w *walk) unfounded(s span, e extent) {
	all := w.inexcusable(s, e)
	w.ledger.strike(all)
	for _, bad := range all {
		first, last := s.seqAt(bad.from), s.seqAt(bad.to-1)
		if first <= w.truth.rec.Acked {
			w.breach(5, KindAckedButLost, w.m, "frames %d to %d are declared as missing; up to %d all were acknowledged", first, last, w.truth.rec.Acked)
			continue
		}
		w.breach(4, KindGapUnfounded, w.m, "frames %d to %d are declared as missing; nothing had broken", first, last)
	}
}

// empty: no frames were captured here, and no gap is declared.
func (w *walk) empty(n, limit int) {
	if n == 0 {
		return
	}
	if z := zeros(w.stored[w.a : w.a+n]); z == n {
		w.breach(4, KindGapUndeclared, w.m, "%d zeros at sample %d; the host sent nothing there and no gap is declared", n, w.a)
		w.ledger.put(extent{w.p, w.p + int64(n)}, unfounded)
		w.step(n)
		return
	}
	if q, ok := w.truth.search(w.stored[w.a:limit], w.p); ok && q != w.p {
		if d := q - w.p; d > 0 && w.truth.neverCame(w.p) {
			w.breach(4, KindGapClosed, w.m, "at sample %d, %d samples that never came were left out instead of filled", w.a, d)
			w.p = q
			return
		}
		w.jump(q)
		return
	}
	// Behind the last frame: the same words, had they been sent.
	if w.truth.equalAt(w.stored[w.a:w.a+n], w.p) {
		w.breach(2, KindStoredAfterSeal, w.m, "%d samples at sample %d are from after the recording time", n, w.a)
	} else {
		w.breach(4, KindSamplesWrong, w.m, "%d samples at sample %d; the host sent nothing there", n, w.a)
	}
	w.ledger.put(extent{w.p, w.p + int64(n)}, unfounded)
	w.a += n
	w.p += int64(n)
}

// outside: frames that were captured while the session was not open.
func (w *walk) outside(s span, n, limit int) {
	if n = equal(w.stored[w.a:w.a+n], w.truth.pcm[w.p:]); n == 0 {
		w.mismatch(limit)
		return
	}
	if s.period < 0 {
		w.breach(1, KindStoredBeforeSuccess, w.m, "%d samples at sample %d (from frame %d on) were sent before the host was told to open", n, w.a, s.seqAt(w.p))
	} else {
		w.breach(2, KindStoredAfterSeal, w.m, "%d samples at sample %d (from frame %d on) were sent after Paused{%d}", n, w.a, s.seqAt(w.p), w.truth.rec.Periods[s.period].LastSeq)
	}
	w.ledger.put(extent{w.p, w.p + int64(n)}, inFile)
	w.step(n)
}

// frames: what was captured while open must be here.
func (w *walk) frames(s span, n, limit int) {
	same := equal(w.stored[w.a:w.a+n], w.truth.pcm[w.p:])
	if same > 0 {
		w.early(s)
		for _, e := range uncovered(extent{w.p, w.p + int64(same)}, w.placed) { // a frame that is there twice counts once
			w.placed = append(w.placed, e)
			w.stream.SamplesStored += e.length()
			w.ledger.wrong -= e.length()
		}
		w.ledger.put(extent{w.p, w.p + int64(same)}, inFile)
		w.step(same)
	}
	if same < n {
		w.mismatch(limit)
	}
}

// early: the session was open, but was it allowed?
func (w *walk) early(s span) {
	p := w.truth.rec.Periods[s.period]
	if w.p != s.from || s.seq != p.FirstSeq {
		return
	}
	captured := w.captured(s.seq)
	if !w.call.leave(captured) {
		w.breach(1, KindStoredBeforeSuccess, w.m, "frame %d was captured at %s and is stored; %s", s.seq, clock(captured), w.call.leaveText())
	}
}

// captured is when the first frame of a run was captured.
func (w *walk) captured(seq uint64) time.Time {
	for _, r := range w.truth.rec.Runs {
		if r.FirstSeq == seq {
			return r.FirstAt
		}
	}
	return time.Time{}
}

// mismatch: the sample at a is not the one of position p. Find out why.
func (w *walk) mismatch(limit int) {
	if z := zeros(w.stored[w.a:limit]); z >= windowSure || (z > 0 && w.a+z == limit) {
		w.breach(4, KindGapUndeclared, w.m, "%d zeros at sample %d where the host sent sound, and no gap is declared", z, w.a)
		w.lost(int64(z))
		w.ledger.put(extent{w.p, w.p + int64(z)}, unfounded)
		w.step(z)
		return
	}
	if q, ok := w.truth.search(w.stored[w.a:limit], w.p); ok && q != w.p {
		w.jump(q)
		return
	}
	n := min(frameSamples, limit-w.a)
	w.breach(4, KindSamplesWrong, w.m, "the samples from %d on are not those of position %d, nor of any other nearby", w.a, w.p)
	w.lost(int64(n))
	w.ledger.put(extent{w.p, w.p + int64(n)}, unfounded)
	w.step(n)
}

// jump goes on at another position, and says what that means.
func (w *walk) jump(q int64) {
	switch d := q - w.p; {
	case d%frameSamples != 0:
		w.breach(4, KindSamplesShifted, w.m, "from sample %d on everything is shifted by %d samples", w.a, d)
	case d > 0:
		w.breach(4, KindFrameLost, w.m, "at sample %d, %d frames are missing and what follows moved up", w.a, d/frameSamples)
		w.lost(d)
		w.covered = append(w.covered, extent{w.p, q}) // reported
	default:
		w.breach(4, KindFrameDuplicated, w.m, "at sample %d, %d frames are there a second time", w.a, -d/frameSamples)
	}
	w.p = q
}

// zeros is how many samples at the beginning are zero.
func zeros(samples []int16) int {
	for i, s := range samples {
		if s != 0 {
			return i
		}
	}
	return len(samples)
}

// equal is how many samples at the beginning are the same.
func equal(a, b []int16) int {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return len(a)
}
