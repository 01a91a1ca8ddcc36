package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The deadlines of requests. The answer's is its caller's: what is left of
// five seconds.
const (
	announceLimit = 5 * time.Second
	requestLimit  = 10 * time.Second
)

type (
	answerBody struct {
		CallbackURI         string      `json:"callbackUri"`
		AcceptedModalities  []string    `json:"acceptedModalities"`
		MediaConfig         mediaConfig `json:"mediaConfig"`
		ParticipantCapacity int         `json:"participantCapacity,omitempty"`
	}
	mediaConfig struct {
		Type string `json:"@odata.type"`
		Blob string `json:"blob"`
	}
	rejectBody struct {
		Reason string `json:"reason"`
	}
	statusBody struct {
		ClientContext string `json:"clientContext"`
		Status        string `json:"status"`
	}
)

// Answer accepts an invite: POST …/answer, 202 (Graph, call: answer).
func (c *Client) Answer(ctx context.Context, call recorder.CallRef, blob string) (recorder.Receipt, error) {
	re, err := c.send(ctx, call, request{
		operation: "answer", method: http.MethodPost, path: "/answer", repeat: true, limit: requestLimit,
		body: answerBody{
			CallbackURI: c.opts.CallbackURI, AcceptedModalities: c.opts.Modalities, ParticipantCapacity: c.opts.ParticipantCapacity,
			MediaConfig: mediaConfig{Type: "#microsoft.graph.appHostedMediaConfig", Blob: blob},
		},
	})
	return re.receipt, err
}

// Reject turns an invite down: POST …/reject, 202 (Graph, call: reject).
func (c *Client) Reject(ctx context.Context, call recorder.CallRef, reason recorder.RejectReason) (recorder.Receipt, error) {
	re, err := c.send(ctx, call, request{
		operation: "reject", method: http.MethodPost, path: "/reject", repeat: true, limit: requestLimit, body: rejectBody{reason.String()},
	})
	return re.receipt, err
}

// Announce sets the recording status: POST …/updateRecordingStatus, 200 with an
// operation (Graph, call: updateRecordingStatus). It asks once.
func (c *Client) Announce(ctx context.Context, call recorder.CallRef, status recorder.RecordingStatus, clientContext string) (recorder.Operation, error) {
	re, err := c.send(ctx, call, request{
		operation: "updateRecordingStatus", method: http.MethodPost, path: "/updateRecordingStatus", limit: announceLimit,
		body: statusBody{ClientContext: clientContext, Status: status.String()},
	})
	if err != nil {
		return recorder.Operation{}, err
	}
	return readOperation(re)
}

// PollOperation asks for an operation: GET …/operations/{id}. No page of this
// operation's GET is published.
func (c *Client) PollOperation(ctx context.Context, call recorder.CallRef, id recorder.OperationID) (recorder.Operation, error) {
	if _, err := callID(string(id)); err != nil {
		return recorder.Operation{}, unknown(errors.New("the operation has no ID that could be asked for"), recorder.Receipt{})
	}
	re, err := c.send(ctx, call, request{
		operation: "getOperation", method: http.MethodGet, path: "/operations/" + string(id), repeat: true, limit: requestLimit,
	})
	if err != nil {
		return recorder.Operation{}, err
	}
	return readOperation(re)
}

// readOperation reads an operation out of a 2xx reply. What cannot be read has
// an unknown fate; it is never taken for a success.
func readOperation(re reply) (recorder.Operation, error) {
	var w wireOperation
	if err := json.Unmarshal(re.body, &w); err != nil {
		return recorder.Operation{}, unknown(fmt.Errorf("the reply is not an operation: %w", err), re.receipt)
	}
	if t := typeName(w.Type); t != "" && t != "updaterecordingstatusoperation" && t != "commsoperation" {
		return recorder.Operation{}, unknown(fmt.Errorf("the reply is a %.60q", w.Type), re.receipt)
	}
	if w.Status == "" && w.ID == "" && w.ClientContext == "" {
		return recorder.Operation{}, unknown(errors.New("the reply is not an operation"), re.receipt)
	}
	op, _ := operationOf(w, re.receipt.RepliedAt)
	op.Receipt = re.receipt
	return op, nil
}

// KeepAlive: POST …/keepAlive, 200 (Graph, call: keepAlive; at least every 45
// minutes).
func (c *Client) KeepAlive(ctx context.Context, call recorder.CallRef) (recorder.Receipt, error) {
	re, err := c.send(ctx, call, request{operation: "keepAlive", method: http.MethodPost, path: "/keepAlive", repeat: true, limit: requestLimit})
	return re.receipt, err
}

// HangUp leaves the call: DELETE …, 204 (Graph, call: delete). It removes our
// leg only.
func (c *Client) HangUp(ctx context.Context, call recorder.CallRef) (recorder.Receipt, error) {
	re, err := c.send(ctx, call, request{operation: "deleteCall", method: http.MethodDelete, repeat: true, limit: requestLimit})
	return re.receipt, err
}

// A CallState is what GET of a call tells.
type CallState struct {
	State   string // lower case: incoming, establishing, established, terminated, …
	Tenant  string
	Receipt recorder.Receipt
}

// GetCall asks for the call: GET …, 200 (Graph, call: get).
func (c *Client) GetCall(ctx context.Context, call recorder.CallRef) (CallState, error) {
	re, err := c.send(ctx, call, request{operation: "getCall", method: http.MethodGet, repeat: true, limit: requestLimit})
	if err != nil {
		return CallState{Receipt: re.receipt}, err
	}
	var w wireCall
	if err := json.Unmarshal(re.body, &w); err != nil {
		return CallState{Receipt: re.receipt}, unknown(fmt.Errorf("the reply is not a call: %w", err), re.receipt)
	}
	return CallState{State: strings.ToLower(w.State), Tenant: strings.ToLower(w.TenantID), Receipt: re.receipt}, nil
}

// AskCall tells whether the call is established. A terminated call is gone.
func (c *Client) AskCall(ctx context.Context, call recorder.CallRef) (bool, error) {
	s, err := c.GetCall(ctx, call)
	switch {
	case err != nil:
		return false, err
	case s.State == "terminated":
		return false, &recorder.Fault{Kind: recorder.FaultGone, Message: "the call is terminated", Receipt: s.Receipt}
	}
	return s.State == "established", nil
}

// AskRoster lists the participants: GET …/participants, 200 (Graph, call: list
// participants).
func (c *Client) AskRoster(ctx context.Context, call recorder.CallRef) (recorder.Roster, error) {
	re, err := c.send(ctx, call, request{operation: "listParticipants", method: http.MethodGet, path: "/participants", repeat: true, limit: requestLimit})
	if err != nil {
		return recorder.Roster{}, err
	}
	var list struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(re.body, &list); err != nil {
		return recorder.Roster{}, unknown(fmt.Errorf("the reply is not a list of participants: %w", err), re.receipt)
	}
	ps, seq, delta, err := participantsOf(list.Value)
	if err != nil {
		return recorder.Roster{}, unknown(err, re.receipt)
	}
	r := recorder.Roster{Sequence: seq, Delta: delta, At: re.receipt.RepliedAt}
	for _, w := range ps {
		p, _ := participantOf(w)
		r.Participants = append(r.Participants, p)
	}
	return r, nil
}
