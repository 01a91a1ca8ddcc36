package recorder

import "time"

// The data of journal entries. Their JSON is read by the archive, by check and
// by people; it may grow.
type (
	announceData struct {
		Status  string `json:"status"`
		Context string `json:"clientContext"`
	}
	announcedData struct {
		Status    string      `json:"status,omitempty"` // empty: told by the platform alone
		Context   string      `json:"clientContext"`
		Operation OperationID `json:"operation,omitempty"`
		Progress  string      `json:"progress,omitempty"`
		Reason    string      `json:"reason,omitempty"`
		Fault     string      `json:"fault,omitempty"`
		Receipt   Receipt     `json:"receipt"`
		At        time.Time   `json:"at,omitzero"`
	}
	reply struct {
		Reason  string  `json:"reason,omitempty"`
		Fault   string  `json:"fault,omitempty"`
		Receipt Receipt `json:"receipt"`
	}
	// A step is one event and what the machine made of it: what Replay goes by.
	step struct {
		State    string   `json:"state"` // after it
		Event    string   `json:"event"`
		Data     any      `json:"data,omitempty"` // the event's
		Commands []string `json:"commands,omitempty"`
		Memory   Memory   `json:"memory"`
	}
	beginData struct {
		Refused   Cause         `json:"refused,omitempty"`
		OnFailure FailurePolicy `json:"onFailure,omitempty"`
	}
	operatorData struct {
		Action string `json:"action"`
	}
	faultData struct {
		During string `json:"during"`
		Fault  string `json:"fault"`
	}
	rosterData struct {
		Sequence     int64         `json:"sequence"`
		Delta        bool          `json:"delta"`
		Participants []Participant `json:"participants"`
		Asked        time.Time     `json:"asked,omitzero"`
		// List numbers the whole lists, 0: none. With Since the entry stands for a whole
		// list too: that one, without those who are Gone and without the participants
		// named here, and then these. To whoever does not have that one it is a delta.
		List  int      `json:"list,omitempty"`
		Since int      `json:"since,omitempty"`
		Gone  []string `json:"gone,omitempty"`
	}
)

var _ Peopled = rosterData{}

// People returns those whom the roster names.
func (d rosterData) People() []Participant { return d.Participants }

// Events that a journal has and the machine has not: how a call comes to be.
const (
	eventBegin  = "begin"  // of an invite
	eventResume = "resume" // of what a dead process has left
	eventGiveUp = "giveUp" // of nothing: the machine has panicked, and again when it was told
)

func stepOf(event string, data any, s state, cmds []Command) step {
	d := step{State: s.kind(), Event: event, Data: data, Memory: remember(s, cmds)}
	for _, cmd := range cmds {
		d.Commands = append(d.Commands, Words(cmd))
	}
	return d
}

func announced(op Operation) announcedData {
	d := announcedData{
		Context: op.Context, Operation: op.ID, Reason: op.Reason, Receipt: op.Receipt, At: op.At,
	}
	if op.Progress != 0 {
		d.Progress = op.Progress.String()
	}
	return d
}

func replyData(r Receipt, err error, reason string) reply {
	d := reply{Reason: reason, Receipt: r}
	if f := faultOf(err); f != nil {
		d.Fault, d.Receipt = f.Error(), f.Receipt
	}
	return d
}
