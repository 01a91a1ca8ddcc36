package roster

import (
	"slices"
	"time"
)

// Sending returns when whoever had a source could be heard or seen with it: they were
// in the call, the stream's direction let them send, and neither they nor the server
// had muted it. Silence at any other time says nothing.
func (h *History) Sending(source Source) []Span {
	var all []Span
	for _, n := range h.Named(source) {
		if p := h.past[n.Participant]; p != nil { // else there was no room for them
			all = append(all, within(p.sending(func(s Source) bool { return s == source }), n.From, n.To)...)
		}
	}
	return union(all)
}

// Audible returns when anybody in the call could be heard, applications aside.
func (h *History) Audible() []Span {
	var all []Span
	for _, p := range h.order {
		if !p.Bot() {
			all = append(all, p.sending(func(s Source) bool { return s.Type == typeAudio })...)
		}
	}
	return union(all)
}

// sending returns when a participant could be heard or seen with certain sources.
func (p *Past) sending(with func(Source) bool) []Span {
	var all []Span
	for _, s := range p.Streams {
		if !with(s.Source) || !sends(s.Direction) {
			continue
		}
		could := without([]Span{{From: s.From, To: s.To}}, s.Muted)
		if s.Source.Type == typeAudio {
			could = without(could, p.Muted)
		}
		all = append(all, could...)
	}
	return union(all)
}

// ends reports whether a span ends before a time, or as it comes; a span without an
// end never does.
func ends(to, at time.Time) bool { return !to.IsZero() && !to.After(at) }

// earlier is the earlier of two ends, where zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// within is the part of spans between two times.
func within(spans []Span, from, to time.Time) []Span {
	var in []Span
	for _, s := range spans {
		s.From, s.To = later(s.From, from), earlier(s.To, to)
		if !ends(s.To, s.From) {
			in = append(in, s)
		}
	}
	return in
}

// union joins spans that touch, and puts them in order.
func union(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return a.From.Compare(b.From) })
	var all []Span
	for _, s := range spans {
		n := len(all)
		if n == 0 || !all[n-1].To.IsZero() && all[n-1].To.Before(s.From) {
			all = append(all, s)
			continue
		}
		if last := &all[n-1]; last.To.IsZero() || s.To.IsZero() {
			last.To = time.Time{}
		} else {
			last.To = later(last.To, s.To)
		}
	}
	return all
}

// without is what is left of spans beside others; both are in order. One without a
// beginning was always.
func without(spans, others []Span) []Span {
	left := slices.Clone(spans)
	for _, o := range others {
		var rest []Span
		for _, s := range left {
			if !o.From.IsZero() {
				rest = append(rest, within([]Span{s}, time.Time{}, o.From)...)
			}
			if !o.To.IsZero() {
				rest = append(rest, within([]Span{s}, o.To, time.Time{})...)
			}
		}
		left = rest
	}
	return left
}
