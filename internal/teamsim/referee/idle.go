package referee

// In a track of unmixed audio, declared gaps that touch are one silence: of some of it
// the speaker was silent, some may be lost. How much of it was lost is held against the
// truth, not in which of the samples: a recorder that misses frames by number can't know
// on which side of a pause they were.

// touching are the gaps from here on that follow each other without a sound.
func (w *walk) touching() []declaredGap {
	n := 1
	for n < len(w.gaps) && w.gaps[n].AtSample == w.gaps[n-1].AtSample+w.gaps[n-1].Samples {
		n++
	}
	return w.gaps[:n]
}

// silence: what the manifest declares as silence of a speaker, or as missing.
func (w *walk) silence(gaps []declaredGap) {
	last := gaps[len(gaps)-1]
	n := int(last.AtSample + last.Samples - int64(w.a))
	var missing, idle int64
	for _, g := range gaps {
		at := w.p + g.AtSample - int64(w.a)
		e := extent{at, at + g.Samples}
		w.enter(e, g.Cause)
		if g.Cause == causeIdle {
			idle += g.Samples
			w.silent = append(w.silent, e)
			continue
		}
		missing += g.Samples
		w.m.missing, w.absent = append(w.m.missing, e), append(w.absent, e)
	}
	e := extent{w.p, w.p + int64(n)}
	told, silent := w.lostIn(e)
	switch {
	case missing < told:
		w.breach(4, KindLossAsIdle, w.m, "%d samples from position %d on are declared as missing, and %d as the speaker's silence; %d are lost, as the host had said",
			missing, e.from, idle, told)
	case missing > told+silent && !w.truth.excuse:
		w.breach(4, KindGapUnfounded, w.m, "%d samples from position %d on are declared as missing; the host lost %d there", missing, e.from, told+silent)
	}
	w.acrossPause(e)
	w.zeroed(n)
	w.stream.GapSamples += missing
	w.stream.IdleSamples += idle
	w.m.endsInGap = w.a+n == len(w.stored) && last.Cause != causeIdle
	w.step(n)
}

// lostIn counts what is rightly missing in an extent: told by the host, and not told.
// What must be there, and is declared away, is a breach.
func (w *walk) lostIn(e extent) (told, silent int64) {
	for i, lost := range [][]extent{w.truth.told, w.truth.lost} {
		for _, l := range lost {
			n := max(0, min(l.to, e.to)-max(l.from, e.from))
			if i == 0 {
				told += n
			} else {
				silent += n
			}
		}
	}
	silent -= told // those that were told are in both
	for _, s := range w.truth.spans {
		part := extent{max(s.from, e.from), min(s.to, e.to)}
		if s.outside || part.length() <= 0 {
			continue
		}
		w.unfounded(s, part)
		for _, p := range w.parts(s, part, func(seq uint64) bool { return w.truth.excused(s, seq) }) {
			if seq := s.seqAt(p.from); overflown(w.truth.rec, seq) {
				told += p.length()
			} else {
				silent += p.length()
			}
		}
	}
	return told, silent
}

// acrossPause: a recording ends where it is paused.
func (w *walk) acrossPause(e extent) {
	periods := w.truth.rec.Periods
	for i := 1; i < len(periods); i++ {
		pause := extent{periods[i-1].To, periods[i].From}
		if pause.length() > 0 && pause.from < e.to && pause.to > e.from && w.pauseTold(i-1, i) {
			w.breach(4, KindPauseInGap, w.m, "silence is declared from position %d to %d; recording was paused from %d to %d", e.from, e.to, pause.from, pause.to)
		}
	}
}
