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
	sessionData struct {
		ID   string `json:"id"`
		Host string `json:"host"`
	}
	stateData struct {
		State string `json:"state"`
	}
	faultData struct {
		During string `json:"during"`
		Fault  string `json:"fault"`
	}
	rosterData struct {
		Sequence     int64         `json:"sequence"`
		Delta        bool          `json:"delta"`
		Participants []Participant `json:"participants"`
	}
)

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
