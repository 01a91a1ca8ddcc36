package referee

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// An Account is where the samples of a session have gone, at one track or at several:
// each is in exactly one of the places. What was sent, and when, the media host's record
// tells; what was stored, and what is missing, the archive.
type Account struct {
	// Samples are the session's, from Connect to its end, once for each track.
	Samples int64 `json:"samples"`
	// BeforeConsent are those from before the host was first told to open, AfterEnd those
	// behind the last recording. Paused are those between two of them.
	BeforeConsent int64 `json:"beforeConsent"`
	Stored        int64 `json:"stored"`
	// Gaps are those that a recording has as missing, by cause.
	Gaps map[string]int64 `json:"gaps"`
	// Idle are those in which the track's speaker was silent.
	Idle     int64 `json:"idle"`
	Paused   int64 `json:"paused"`
	AfterEnd int64 `json:"afterEnd"`
	// Untold are the last words of a speaker in a recording, or the first of all, that the
	// host lost without telling: by numbers alone nobody knows whose they were, and by time
	// nobody knows that he had not ended, or that anybody had begun. The manifest counts
	// them (framesUnclaimed).
	Untold int64 `json:"untold"`
	// Error counts the samples that are in none of the places, or in several.
	Error int64 `json:"error"`
	// Wrong counts the samples in files, outside of gaps, that are not what was sent at
	// their place, and those in gaps that are not zero.
	Wrong int64 `json:"wrong"`
}

// Add adds up.
func (a *Account) Add(b Account) {
	a.Samples += b.Samples
	a.BeforeConsent += b.BeforeConsent
	a.Stored += b.Stored
	a.Idle += b.Idle
	a.Paused += b.Paused
	a.AfterEnd += b.AfterEnd
	a.Untold += b.Untold
	a.Error += b.Error
	a.Wrong += b.Wrong
	if a.Gaps == nil {
		a.Gaps = map[string]int64{}
	}
	for cause, n := range b.Gaps {
		a.Gaps[cause] += n
	}
}

// Missing is the sum of Gaps.
func (a *Account) Missing() (n int64) {
	for _, missing := range a.Gaps {
		n += missing
	}
	return n
}

// Sum is that of all places.
func (a *Account) Sum() int64 {
	return a.BeforeConsent + a.Stored + a.Missing() + a.Idle + a.Paused + a.AfterEnd + a.Untold
}

// String is one line for a person.
func (a *Account) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d samples = %d before consent + %d stored", a.Samples, a.BeforeConsent, a.Stored)
	for _, cause := range slices.Sorted(maps.Keys(a.Gaps)) {
		fmt.Fprintf(&b, " + %d missing (%s)", a.Gaps[cause], cause)
	}
	if a.Untold > 0 {
		fmt.Fprintf(&b, " + %d lost untold", a.Untold)
	}
	fmt.Fprintf(&b, " + %d silent + %d paused + %d after the end; error %d, wrong %d", a.Idle, a.Paused, a.AfterEnd, a.Error, a.Wrong)
	return b.String()
}

// causes are all that a gap may have. The last one is of a speaker's silence.
func causes() []string {
	return []string{"overflow", "platform", "host", "unannounced", "time", "link", "crash", "tail", causeIdle}
}

// A ledger has an entry for each sample of a session: which recordings account for it.
type ledger struct {
	entries []uint8
	missing map[string]int64 // in the ledger, by cause
	stored  int64
	idle    int64
	// beyond are declared as missing behind the end of the session: where that broke,
	// nobody could know when it did.
	beyond int64
	errors int64
	first  int64 // position of the first one
	wrong  int64
}

// The entries of a ledger.
const (
	nowhere   uint8 = iota
	unfounded       // in a file or declared as missing, and without reason
	inFile
	inGap // and above: the number of the cause
)

func newLedger(samples int64) *ledger {
	return &ledger{entries: make([]uint8, samples), missing: map[string]int64{}, first: -1}
}

// err notes a sample that is in no place, or in several.
func (l *ledger) err(p int64) {
	if l.errors++; l.first < 0 || p < l.first {
		l.first = p
	}
}

// put enters that an extent is accounted for.
func (l *ledger) put(e extent, what uint8) {
	for p := e.from; p < e.to; p++ {
		switch {
		case p >= int64(len(l.entries)) && what >= inGap:
			l.beyond++
		case p < 0, p >= int64(len(l.entries)):
			l.err(p)
		case l.entries[p] == unfounded && what != unfounded:
			l.err(p)
			l.entries[p] = what
		case l.entries[p] != nowhere:
			l.err(p)
		default:
			l.entries[p] = what
		}
	}
}

// gap enters an extent that is declared as missing, or as silence. It returns false
// where the cause is none.
func (l *ledger) gap(e extent, cause string) bool {
	i := slices.Index(causes(), cause)
	if i < 0 {
		return false
	}
	l.put(e, inGap+uint8(i)) //nolint:gosec // a few
	return true
}

// strike takes out what nobody had a reason to declare as missing.
func (l *ledger) strike(all []extent) {
	for _, e := range all {
		for p := max(e.from, 0); p < min(e.to, int64(len(l.entries))); p++ {
			if l.entries[p] >= inGap {
				l.entries[p] = unfounded
			}
		}
	}
}

// twice enters samples of a gap that are not zero: missing, and in the file.
func (l *ledger) twice(at int64, samples []int16) {
	for i, s := range samples {
		if s == 0 {
			continue
		}
		l.wrong++
		if p := at + int64(i); p >= int64(len(l.entries)) || l.entries[p] >= inGap {
			l.err(p)
		}
	}
}

// count adds an entry of the archive's to its place.
func (l *ledger) count(what uint8) {
	switch cause := ""; {
	case what <= unfounded:
	case what == inFile:
		l.stored++
	default:
		if cause = causes()[what-inGap]; cause == causeIdle {
			l.idle++
			return
		}
		l.missing[cause]++
	}
}

// What is known of a sample that no recording accounts for.
const (
	neverSent uint8 = iota
	due             // it was sent, or told as lost: it has to be somewhere
	underWay        // it was sent, and an end that nobody chose came first
	untold          // it was lost, and nobody can know
)

// facts are what is known of each sample of the session.
func (c *content) facts() []uint8 {
	facts := make([]uint8, len(c.ledger.entries))
	set := func(e extent, what uint8) {
		for p := max(e.from, 0); p < min(e.to, int64(len(facts))); p++ {
			facts[p] = what
		}
	}
	end := int64(0)
	if n := len(c.stored); n > 0 {
		end = c.stored[n-1].to
	}
	for _, l := range c.truth.lost {
		what := due
		if c.unmixed() && !slices.Contains(c.truth.told, l) && (!c.heardAgain(l) || c.firstWords(l)) {
			what = untold
		}
		if l.from >= end && (c.truth.cutOff || c.diedLast() || c.unmixed() && c.diedAlone(c.call)) {
			what = underWay
		}
		set(l, what)
	}
	for _, s := range c.truth.spans {
		if s.outside {
			continue
		}
		set(s.extent, due)
		for _, rest := range uncovered(s.extent, c.covered) {
			set(rest, underWay)
			for _, e := range c.unaccounted(s, rest) {
				set(e, due)
			}
		}
	}
	return facts
}

// heardAgain tells whether the speaker said something behind a loss while the host was still
// open.
func (c *content) heardAgain(lost extent) bool {
	return slices.ContainsFunc(c.truth.rec.Periods, func(p host.Period) bool {
		return lost.from >= p.From && lost.from < p.To && slices.ContainsFunc(c.truth.spans, func(s span) bool {
			return !s.outside && s.from >= lost.to && s.from < p.To
		})
	})
}

// firstWords tells whether nobody was heard before a loss since the host was open: by its
// numbers it is known, and counted as of nobody knows whom, and there is no time to tell
// where it lies.
func (c *content) firstWords(lost extent) bool {
	counted := slices.ContainsFunc(c.call.manifests, func(m *manifest) bool { return m.Unclaimed > 0 })
	return counted && slices.ContainsFunc(c.truth.rec.Periods, func(p host.Period) bool {
		return lost.from >= p.From && lost.from < p.To && !slices.ContainsFunc(c.truth.rec.Runs, func(r host.Run) bool {
			return r.Stream.Kind == host.KindUnmixed && !r.Outside && r.Position >= p.From && r.Position < lost.from
		})
	})
}

// settle closes the ledger: what no recording accounts for was before consent, in a
// pause, a speaker's silence, or behind the end, or else it is an error.
func (c *content) settle() {
	slices.SortFunc(c.stored, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	l, a, facts, periods := c.ledger, &c.stream.Account, c.facts(), c.truth.rec.Periods
	at := int64(0)
	for i, p := range periods {
		place, strict := &a.BeforeConsent, true
		if i > 0 {
			place, strict = &a.Paused, c.pauseTold(i-1, i)
		}
		c.shut(extent{at, p.From}, place, strict)
		place = &a.Paused
		if i == len(periods)-1 {
			place = &a.AfterEnd
		}
		c.open(extent{p.From, p.To}, facts, a, place)
		at = p.To
	}
	place := &a.AfterEnd
	if len(periods) == 0 {
		place = &a.BeforeConsent
	}
	c.shut(extent{at, c.truth.rec.Samples}, place, !c.truth.excuse && !c.died())
	if l.beyond > 0 && !c.truth.excuse && !c.died() {
		l.errors += l.beyond
	}
	a.Samples, a.Stored, a.Gaps, a.Wrong = c.truth.rec.Samples, l.stored, l.missing, l.wrong
	a.Idle += l.idle
	a.Error = max(l.errors, distance(a.Sum(), a.Samples))
	if a.Error > 0 {
		c.add(4, KindAccounting, c.call.id, "%s%d samples are accounted for nowhere or twice, the first at position %d: %s", c.name(), a.Error, l.first, a)
	}
}

// shut counts the samples of a time in which the host was not open. strict: none of them
// may be in a recording, not even as missing.
func (c *content) shut(e extent, place *int64, strict bool) {
	for p := e.from; p < e.to; p++ {
		what := c.ledger.entries[p]
		if what == nowhere {
			*place++
			continue
		}
		c.ledger.count(what)
		if strict || what <= inFile {
			*place++
			c.ledger.err(p)
		}
	}
}

// open counts those of a time in which it was.
func (c *content) open(e extent, facts []uint8, a *Account, behind *int64) {
	last := e.to // behind the last that was sent or lost
	for last > e.from && facts[last-1] == neverSent && c.ledger.entries[last-1] == nowhere {
		last--
	}
	for p := e.from; p < e.to; p++ {
		switch what := c.ledger.entries[p]; {
		case what == unfounded:
			c.ledger.err(p)
		case what != nowhere:
			c.ledger.count(what)
		case facts[p] == underWay:
			a.AfterEnd++
		case facts[p] == untold:
			a.Untold++
		case facts[p] == neverSent && c.unmixed():
			a.Idle++
		case p >= last: // the platform delivered nothing any more
			*behind++
		default:
			c.ledger.err(p)
		}
	}
}

// enter notes a declared gap, whose cause is one of the closed set.
func (w *walk) enter(e extent, cause string) {
	if w.ledger.gap(e, cause) && (cause != causeIdle || w.unmixed()) {
		return
	}
	w.breach(4, KindAccounting, w.m, "%d samples at position %d are declared as missing, and the cause is %q", e.length(), e.from, cause)
}

// lostAll: a track of a session of which nothing was captured says that all is missing.
func (c *content) lostAll(m *manifest, tr track) {
	for _, g := range tr.Gaps {
		if at := c.position(tr) + g.AtSample; at >= 0 && !c.ledger.gap(extent{at, at + g.Samples}, g.Cause) {
			c.breach(4, KindAccounting, m, "%d samples at position %d are declared as missing, and the cause is %q", g.Samples, at, g.Cause)
		}
	}
}
