package chaos

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// disobeyed holds what operators were told against what was seen on the wire: an
// order that was said to be done is done, and stays so until there is another one,
// whoever dies in between. (That nothing of a pause is stored is the referee's.)
func disobeyed(orders []given, calls []cloud.Facts, sessions []host.SessionRecord) []string {
	var found []string
	for _, g := range orders {
		i := slices.IndexFunc(calls, func(c cloud.Facts) bool { return c.ID == g.call })
		if i < 0 {
			found = append(found, fmt.Sprintf("order to a call that never was: %v", g))
			continue
		}
		fault := ""
		switch {
		case !slices.Contains([]int{0, http.StatusOK, http.StatusAccepted, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}, g.http):
			fault = "that is no answer to an order"
		case !g.done:
		case g.do == "pause":
			fault = paused(g, orders, calls[i], periods(calls[i], sessions))
		case g.do == "resume":
			fault = resumed(g, periods(calls[i], sessions))
		case g.do == "stop":
			if c := calls[i]; !before(c.Left, g.ended) && !before(c.Ended, g.ended) && !before(c.Rejected, g.ended) {
				fault = "the call was not left"
			}
		}
		if fault != "" {
			found = append(found, fmt.Sprintf("order %v: %s", g, fault))
		}
	}
	return found
}

// unheard tells whether the order surely came to nothing. One that led to another
// state than was wanted did come to something.
func (g given) unheard() bool {
	return g.http == http.StatusNotFound || g.http == http.StatusConflict && !strings.Contains(g.detail, "led to state")
}

// before tells whether something has happened by then.
func before(at, then time.Time) bool { return !at.IsZero() && !at.After(then) }

func periods(c cloud.Facts, sessions []host.SessionRecord) []host.Period {
	i := slices.IndexFunc(sessions, func(s host.SessionRecord) bool { return c.Blob != "" && s.Blob == c.Blob })
	if i < 0 {
		return nil
	}
	return sessions[i].Periods
}

// paused: recording is over, on the wire too, and begins again by order alone.
func paused(g given, orders []given, c cloud.Facts, periods []host.Period) string {
	until := time.Now()
	for _, o := range orders {
		switch {
		case o.call != g.call || o.do != "resume" || o.unheard():
		case o.asked.After(g.ended):
			if o.asked.Before(until) {
				until = o.asked
			}
		case o.http == http.StatusOK && o.ended.Before(g.asked):
		default:
			return "" // it may have come behind
		}
	}
	for _, p := range periods {
		if p.OpenAsked.After(g.ended) && p.OpenAsked.Before(until) {
			return "the host was told to open at " + clock(p.OpenAsked)
		}
	}
	last := ""
	for _, a := range c.Announcements {
		switch {
		case a.Received.After(g.ended):
			if a.Status == "recording" && a.Received.Before(until) {
				return "recording was announced at " + clock(a.Received)
			}
		case !a.Applied.IsZero():
			last = a.Status
		}
	}
	if last == "recording" {
		return "recording was still announced"
	}
	return ""
}

// resumed: it is being recorded again.
func resumed(g given, periods []host.Period) string {
	if !slices.ContainsFunc(periods, func(p host.Period) bool {
		return before(p.OpenAsked, g.ended) && !before(p.PauseAsked, g.asked)
	}) {
		return "the host was not told to open"
	}
	return ""
}

// silent finds the calls that were being recorded when a process could store no more,
// and that it left without a word. (That the next one takes them up is no excuse: in
// between Teams shows that they are recorded.)
func silent(gaveUp []ending, calls []cloud.Facts, sessions []host.SessionRecord) []string {
	var found []string
	for _, e := range gaveUp {
		for _, c := range calls {
			if before(c.Ended, e.to) || !slices.ContainsFunc(periods(c, sessions), func(p host.Period) bool {
				return before(p.OpenAsked, e.from) && !before(p.PauseAsked, e.from)
			}) {
				continue
			}
			if !slices.ContainsFunc(c.Announcements, func(a cloud.Announcement) bool {
				return a.Status == "failed" && a.Received.After(e.from) && before(a.Received, e.to)
			}) {
				found = append(found, fmt.Sprintf("law 3: call %s was recorded when the disk failed at %s; the process ended at %s and had not announced failed",
					c.ID, clock(e.from), clock(e.to)))
			}
		}
	}
	return found
}
