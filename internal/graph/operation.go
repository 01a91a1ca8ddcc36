package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// decodeOperation reads a change of a long-running operation. Only those that
// set the recording status concern us. Where the notification does not repeat
// our clientContext, the operation's ID says which it is, and the recorder pairs
// it with what the reply to its announcement said.
func decodeOperation(raw json.RawMessage, p place, at time.Time) (Notification, error) {
	n, err := about(Operation, p.call)
	if err != nil {
		return Notification{}, err
	}
	var w wireOperation
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &w); err != nil {
			return Notification{}, refuse(ReasonBadShape, "resourceData is not an operation")
		}
	}
	switch {
	case !ofStatus(w.Type), w.ClientContext == "" && w.Status == "":
		return n, nil
	case w.ID == "":
		w.ID = p.id
	case w.ClientContext == "" && p.id != "" && canonicalID(p.id) != canonicalID(w.ID):
		return Notification{}, refuse(ReasonBadShape, "the resource and resourceData.id name different operations")
	}
	if w.ClientContext == "" && w.ID == "" || contradicted(w) {
		n.Unknown++ // told in the evidence, and nothing follows from it
		return n, nil
	}
	op, known := operationOf(w, at)
	if !known {
		n.Unknown++
	}
	n.Events = []recorder.Event{recorder.StatusReplied{Operation: op}}
	return n, nil
}

// readOperation reads an operation out of a 2xx reply. What cannot be read, or
// says two things, has an unknown fate; it is never taken for a success.
func readOperation(re reply) (recorder.Operation, error) {
	if err := bound(re.body, maxReply); err != nil {
		return recorder.Operation{}, unknown(err, re.receipt)
	}
	var w wireOperation
	if err := json.Unmarshal(re.body, &w); err != nil {
		return recorder.Operation{}, unknown(fmt.Errorf("the reply is not an operation: %w", err), re.receipt)
	}
	switch {
	case !ofStatus(w.Type):
		return recorder.Operation{}, unknown(fmt.Errorf("the reply is a %.60q", w.Type), re.receipt)
	case w.Status == "" && w.ID == "" && w.ClientContext == "":
		return recorder.Operation{}, unknown(errors.New("the reply is not an operation"), re.receipt)
	case contradicted(w):
		return recorder.Operation{}, unknown(errors.New("the reply is an operation and an error at once"), re.receipt)
	}
	op, _ := operationOf(w, re.receipt.RepliedAt)
	op.Receipt = re.receipt
	return op, nil
}

// ofStatus tells whether an operation of that @odata.type may be one that sets
// the recording status: the type itself, the one that it derives from, or none.
func ofStatus(odataType string) bool {
	switch typeName(odataType) {
	case "", "updaterecordingstatusoperation", "commsoperation":
		return true
	}
	return false
}

// contradicted tells whether an operation is denied by what comes with it: an
// error beside it, or "completed" with a result code of failure.
func contradicted(w wireOperation) bool {
	if len(w.Error) > 0 && string(w.Error) != "null" {
		return true
	}
	return strings.EqualFold(w.Status, "completed") && w.ResultInfo != nil && w.ResultInfo.Code >= 400
}

// operationOf translates an operation. A status that no page names is no
// success: it counts as running, and known is false.
func operationOf(w wireOperation, at time.Time) (op recorder.Operation, known bool) {
	op = recorder.Operation{ID: recorder.OperationID(shorten(w.ID)), Context: w.ClientContext, At: at, Progress: recorder.Running}
	if w.ResultInfo != nil {
		op.Reason = shorten(w.ResultInfo.Message)
	}
	switch strings.ToLower(w.Status) {
	case "completed":
		op.Progress = recorder.Completed
	case "failed":
		op.Progress = recorder.Failed
	case "running", "notstarted", "":
	default:
		return op, false
	}
	return op, true
}
