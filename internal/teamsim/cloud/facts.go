package cloud

import (
	"slices"
	"time"
)

// Facts are what the platform saw of one call. Zero times mean that it did not
// happen.
type Facts struct {
	Number                        int    `json:"number"`
	ID                            string `json:"id"`
	Tenant                        string `json:"tenant"`
	Kind                          string `json:"kind"`
	Chain                         string `json:"chain"`
	Style                         Style  `json:"style"`
	Pair                          int    `json:"pair,omitempty"` // number of the other invite of a pair
	Observed                      string `json:"observed"`       // participant ID
	ObservedUser                  string `json:"observedUser"`   // object ID
	Blob                          string `json:"blob,omitempty"`
	CallbackURI                   string `json:"callbackURI,omitempty"`
	RejectReason                  string `json:"rejectReason,omitempty"`
	InviteHTTP                    int    `json:"inviteHTTP"`
	EndCode, EndSubcode           int
	KeepAlives                    int       `json:"keepAlives"`
	InviteSent, InviteWritten     time.Time // begun, and last byte written
	InviteReplied                 time.Time
	Answered, Rejected            time.Time // requests arrived
	Established, EstablishedSent  time.Time // on the platform; notification written
	Left, Ended                   time.Time
	Announcements                 []Announcement `json:"announcements,omitempty"`
	Notifications, NotifyRefusals int            // requests sent; not taken by the bot
	Operations                    int
	// Joins are the replies to participants who were about to join.
	Joins []JoinReply `json:"joins,omitempty"`
}

// An Announcement is one updateRecordingStatus that was well-formed and of this
// call.
type Announcement struct {
	Status    string    `json:"status"`
	Context   string    `json:"context"`
	Operation string    `json:"operation,omitempty"`
	Received  time.Time `json:"received"`
	// Applied is when the platform's view changed; zero: never.
	Applied time.Time `json:"applied,omitzero"`
	// Replied is when the reply, or the closing of the connection, began.
	Replied time.Time `json:"replied,omitzero"`
	// HTTP and Progress are what the reply said; 0 and "" where none was sent.
	HTTP     int    `json:"http"`
	Progress string `json:"progress,omitempty"`
	// Success is when the bot could first know of success: the reply with 2xx
	// and completed, or a later notification or poll.
	Success time.Time `json:"success,omitzero"`
}

// AnswerTook is the time from the invite's last byte to the bot's answer.
func (f Facts) AnswerTook() (time.Duration, bool) {
	if f.Answered.IsZero() {
		return 0, false
	}
	return max(0, f.Answered.Sub(f.InviteWritten)), true
}

// RejectTook is the time from the invite's last byte to the bot's rejection.
func (f Facts) RejectTook() (time.Duration, bool) {
	if f.Rejected.IsZero() {
		return 0, false
	}
	return max(0, f.Rejected.Sub(f.InviteWritten)), true
}

// AnnounceTook is the time from the established notification's sending to the
// first announcement of recording.
func (f Facts) AnnounceTook() (time.Duration, bool) {
	i := slices.IndexFunc(f.Announcements, func(a Announcement) bool { return a.Status == statusRecording })
	if i < 0 || f.EstablishedSent.IsZero() {
		return 0, false
	}
	return max(0, f.Announcements[i].Received.Sub(f.EstablishedSent)), true
}

// Facts returns a copy of what is known so far.
func (c *Call) Facts() Facts {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.facts
	f.Announcements, f.Joins = slices.Clone(f.Announcements), slices.Clone(f.Joins)
	return f
}

func sortedFacts(calls []*Call) []Facts {
	facts := make([]Facts, 0, len(calls))
	for _, c := range calls {
		facts = append(facts, c.Facts())
	}
	slices.SortFunc(facts, func(a, b Facts) int { return a.Number - b.Number })
	return facts
}
