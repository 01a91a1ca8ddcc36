package referee

import (
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

const (
	recording    = "recording"
	notRecording = "notRecording"
	failed       = "failed"
)

// A call is what was seen of one call.
type call struct {
	id            string
	invited       time.Time
	inviteTaken   bool      // 2xx came for the invite
	answered      time.Time // or rejected; zero: neither
	rejected      bool
	ended         time.Time // on the platform, for whatever reason
	hungUp        time.Time
	announcements []announcement
	session       *host.SessionRecord
	attaches      []attach
	told          []Failure
	manifests     []*manifest
}

// An announcement is one updateRecordingStatus.
type announcement struct {
	status, context string
	at              time.Time // arrived
	replied         time.Time
	http            int
	progress        string
	success         time.Time // when the bot could know of it; zero: never
}

// gather sorts the trace by call.
func (j *judge) gather() []*call {
	byID := make(map[string]*call)
	bySession, byBlob := make(map[string]*host.SessionRecord), make(map[string]*host.SessionRecord)
	for i := range j.in.Sessions {
		r := &j.in.Sessions[i]
		bySession[r.Session], byBlob[r.Blob] = r, r
	}
	var order []*call
	of := func(id string) *call {
		c := byID[id]
		if c == nil {
			c = &call{id: id}
			byID[id] = c
			order = append(order, c)
		}
		return c
	}
	for _, e := range j.in.Trace {
		if e.Kind == trace.Violation {
			j.add(0, KindProtocol, e.Call, "%s", e.Detail)
		}
		if e.Call == "" {
			continue
		}
		c := of(e.Call)
		c.take(e)
		if e.Session != "" {
			c.session = bySession[e.Session]
		}
	}
	owner := make(map[string]*call)
	for _, c := range order {
		if blob := j.in.Blobs[c.id]; blob != "" {
			c.session = byBlob[blob]
		}
		if c.session != nil {
			owner[c.session.Session] = c
		}
	}
	for _, e := range j.in.Trace {
		if c := owner[e.Session]; c != nil && e.Kind == trace.SessionAttached {
			c.attaches = append(c.attaches, attach{e.At, e.Lease, e.Seq})
		}
	}
	return order
}

// take notes what one event says of the call.
func (c *call) take(e trace.Event) {
	first := func(t *time.Time) {
		if t.IsZero() {
			*t = e.At
		}
	}
	switch e.Kind { //nolint:exhaustive // the others say nothing that is judged here
	case trace.InviteSent:
		first(&c.invited)
	case trace.InviteReplied:
		c.inviteTaken = c.inviteTaken || e.HTTP/100 == 2
	case trace.AnswerReceived:
		first(&c.answered)
	case trace.RejectReceived:
		first(&c.answered)
		c.rejected = true
	case trace.CallEnded:
		first(&c.ended)
	case trace.HangUpReceived:
		first(&c.hungUp)
	case trace.StatusReceived:
		c.announcements = append(c.announcements, announcement{status: e.Status, context: e.Context, at: e.At})
	case trace.StatusReplied:
		if a := c.asked(e.Context); a != nil {
			a.replied, a.http, a.progress = e.At, e.HTTP, e.Progress
			if e.HTTP/100 == 2 && strings.EqualFold(e.Progress, "completed") && a.success.IsZero() {
				a.success = e.At
			}
		}
	case trace.OperationNotified:
		if a := c.asked(e.Context); a != nil && strings.EqualFold(e.Progress, "completed") && a.success.IsZero() {
			a.success = e.At
		} else if a != nil && strings.EqualFold(e.Progress, "failed") {
			a.progress = "failed"
		}
	}
}

// asked returns the last announcement with the context.
func (c *call) asked(context string) *announcement {
	for i := range slices.Backward(c.announcements) {
		if c.announcements[i].context == context {
			return &c.announcements[i]
		}
	}
	return nil
}

// leave tells whether media could be recorded at t: the last announcement that
// matters before t was a success of recording.
func (c *call) leave(t time.Time) bool {
	ok := false
	for _, a := range c.announcements {
		switch {
		case a.status == recording && !a.success.IsZero() && a.success.Before(t):
			ok = true
		case a.status != recording && a.at.Before(t):
			ok = false
		}
	}
	return ok
}

// firstSuccess is when the first recording announcement succeeded.
func (c *call) firstSuccess() time.Time {
	var first time.Time
	for _, a := range c.announcements {
		if a.status == recording && !a.success.IsZero() && (first.IsZero() || a.success.Before(first)) {
			first = a.success
		}
	}
	return first
}

// announced returns the first announcement of the status in [from, ∞).
func (c *call) announced(from time.Time, statuses ...string) (announcement, bool) {
	for _, a := range c.announcements {
		if slices.Contains(statuses, a.status) && !a.at.Before(from) {
			return a, true
		}
	}
	return announcement{}, false
}

// overBefore tells whether the platform had ended the call by t. A bot that
// hangs up has not been released from its duties.
func (c *call) overBefore(t time.Time) bool {
	return !c.ended.IsZero() && c.ended.Before(t) && (c.hungUp.IsZero() || c.ended.Before(c.hungUp))
}

func (c *call) periods() []host.Period {
	if c.session == nil {
		return nil
	}
	return c.session.Periods
}

// plain is a call ID in one form: a GUID may have been written in upper case
// and without dashes.
func plain(id string) string { return strings.ReplaceAll(strings.ToLower(id), "-", "") }
