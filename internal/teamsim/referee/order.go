package referee

import (
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// maxContext is what the platform takes as clientContext, in characters.
const maxContext = 256

// judgeOrder holds the requests and the host's events against the laws 1, 2 and
// 8.
func (j *judge) judgeOrder(c *call) {
	j.judgeAnswer(c)
	j.judgeContexts(c)
	j.judgeSequence(c)
	j.judgeTakeovers(c)
	for i, p := range c.periods() {
		if p.OpenAsked.IsZero() {
			continue
		}
		if !c.leave(p.OpenAsked) {
			j.add(1, KindOpenBeforeSuccess, c.id, "the host was told to open recording time %d at %s, %s",
				i+1, clock(p.OpenAsked), c.leaveText())
		}
		j.judgeEnd(c, i, p)
	}
	if s := c.session; s != nil && !s.AckedUnopened.IsZero() {
		j.add(1, KindAckedUnopened, c.id, "frames were acknowledged at %s, and the host was never told to open", clock(s.AckedUnopened))
	}
}

// leaveText says when leave was given.
func (c *call) leaveText() string {
	if t := c.firstSuccess(); !t.IsZero() {
		return "success was told at " + clock(t)
	}
	return "success was never told"
}

// judgeAnswer: five seconds.
func (j *judge) judgeAnswer(c *call) {
	if c.invited.IsZero() {
		return
	}
	limit := j.limits.Answer
	if _, died := j.lives.downIn(c.invited, c.invited.Add(limit)); died {
		return // nobody was there
	}
	switch {
	case c.answered.IsZero():
		if c.inviteTaken && !c.overBefore(c.invited.Add(limit-time.Millisecond)) {
			j.add(8, KindAnswerMissing, c.id, "the invite of %s was taken and neither answered nor rejected", clock(c.invited))
		}
	case c.answered.Sub(c.invited) > limit:
		j.add(8, KindAnswerTooLate, c.id, "answered %s after the invite, the limit is %s", c.answered.Sub(c.invited), limit)
	}
}

// judgeContexts: each announcement has a fresh context that tells whose it is.
func (j *judge) judgeContexts(c *call) {
	seen := make(map[string]bool)
	for _, a := range c.announcements {
		fault := ""
		switch {
		case a.context == "":
			fault = "there is none"
		case len([]rune(a.context)) > maxContext:
			fault = "it is longer than 256 characters"
		case seen[a.context]:
			fault = "it was used before: a reply to the one could be taken for a reply to the other"
		case !strings.HasSuffix(a.context, "/"+a.status), !strings.HasPrefix(plain(a.context), plain(c.id)):
			fault = "it is not <call>/<n>/" + a.status
		}
		if fault != "" {
			j.add(1, KindContext, c.id, "clientContext %q of %s: %s", a.context, a.status, fault)
		}
		seen[a.context] = true
	}
}

// judgeEnd: sealed first, then announced, and announced at all.
func (j *judge) judgeEnd(c *call, i int, p host.Period) {
	end, ok := c.announced(p.OpenAsked, notRecording, failed)
	if !ok {
		if j.diedIn(c, p) {
			return
		}
		j.add(2, KindNotRecordingMissing, c.id, "recording time %d began at %s and its end was never announced", i+1, clock(p.OpenAsked))
		return
	}
	if end.status == notRecording {
		j.judgeSealFirst(c, i, p, end.at)
	}
	// What was announced as stopped must not go on, whichever word was used.
	// After failed, what the gate let in before may still become durable.
	grace := j.limits.Ack
	if end.status == failed {
		grace = j.limits.Slack
	}
	stillOpen := p.PauseAsked.IsZero() || p.PauseAsked.After(end.at)
	if stillOpen && p.LastAck.After(end.at.Add(grace)) && !c.again(end.at, p.LastAck) {
		j.add(2, KindRecordedAfterStop, c.id, "%s was announced at %s; the last frame became durable at %s", end.status, clock(end.at), clock(p.LastAck))
	}
}

// diedIn tells whether the process died in the period, and nobody was left to be
// told of that when, or if ever, another one was there.
func (j *judge) diedIn(c *call, p host.Period) bool {
	until := time.Now()
	if !p.PauseAsked.IsZero() {
		until = p.PauseAsked
	}
	d, died := j.lives.downIn(p.OpenAsked, until)
	return died && (d.to.IsZero() || c.overBefore(d.to.Add(j.limits.Recover)))
}

// again tells whether recording was announced once more between the two times.
func (c *call) again(from, to time.Time) bool {
	a, ok := c.announced(from, recording)
	return ok && a.at.Before(to)
}

// judgeSealFirst: notRecording comes after Paused and after the last
// acknowledgement, where the host was in a state to give and take them.
func (j *judge) judgeSealFirst(c *call, i int, p host.Period, at time.Time) {
	s := c.session
	if !s.Closed.IsZero() && s.Closed.Before(at) && s.ClosedFor != "stopped" {
		return // there is nobody left to confirm
	}
	mute := has(s, host.FaultNeverPaused) || has(s, host.FaultStreamFailure) || has(s, host.FaultDetached) || unlinked(s, p, at)
	if mute {
		return
	}
	if p.Paused.IsZero() || p.Paused.After(at) {
		j.add(2, KindPausedTooLate, c.id, "notRecording was announced at %s; recording time %d: Pause asked %s, Paused %s",
			clock(at), i+1, clock(p.PauseAsked), clock(p.Paused))
		return
	}
	if p.AllAcked.IsZero() && forgotten(s, max(p.FirstSeq, p.AckSeq+1), p.LastSeq) {
		return // what the host holds no more can't become durable
	}
	if _, died := j.lives.downIn(p.Paused, at); died && p.AllAcked.IsZero() {
		return // the old process had all of it, and could not tell the host; that it is durable the archive shows
	}
	if p.AllAcked.IsZero() || p.AllAcked.After(at.Add(j.limits.Ack)) {
		j.add(2, KindDurableTooLate, c.id, "notRecording was announced at %s; recording time %d ends with frame %d, acknowledged up to %d, in full at %s",
			clock(at), i+1, p.LastSeq, p.AckSeq, clock(p.AllAcked))
	}
}

// unlinked tells whether the session was without a link when the period ended.
func unlinked(s *host.SessionRecord, p host.Period, at time.Time) bool {
	for _, b := range s.Breaks {
		if !b.Orderly && b.Down.Before(at) && b.Down.After(p.OpenAsked) && (b.Up.IsZero() || b.Up.After(at)) {
			return true
		}
	}
	return false
}

// forgotten tells whether the host has dropped the frames from first to last, and
// said so.
func forgotten(s *host.SessionRecord, first, last uint64) bool {
	for first <= last {
		i := slices.IndexFunc(s.Overflows, func(o host.GapRecord) bool { return o.FirstSeq <= first && first < o.FirstSeq+o.Count })
		if i < 0 {
			return false
		}
		first = s.Overflows[i].FirstSeq + s.Overflows[i].Count
	}
	return true
}

func has(s *host.SessionRecord, kinds ...host.FaultKind) bool {
	for _, f := range s.Faults {
		if slices.Contains(kinds, f.Kind) {
			return true
		}
	}
	return false
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("15:04:05.000000")
}
