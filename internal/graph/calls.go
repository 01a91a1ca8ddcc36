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

// The operations, as labels. opAnswer is the one whose 404 means more than that the
// call is gone: too late.
const (
	opAnswer    = "answer"
	opReject    = "reject"
	opAnnounce  = "updateRecordingStatus"
	opPoll      = "getOperation"
	opKeepAlive = "keepAlive"
	opHangUp    = "deleteCall"
	opAskCall   = "getCall"
	opAskRoster = "listParticipants"
)

type (
	answerBody struct {
		CallbackURI         string      `json:"callbackUri"`
		AcceptedModalities  []string    `json:"acceptedModalities"`
		MediaConfig         mediaConfig `json:"mediaConfig"`
		CallOptions         callOptions `json:"callOptions"`
		ParticipantCapacity int         `json:"participantCapacity,omitempty"`
	}
	mediaConfig struct {
		Type string `json:"@odata.type"`
		Blob string `json:"blob"`
	}
	// callOptions: a roster comes in full each time, because a lost delta would
	// stay lost, and with everybody in it, not the interactive only.
	callOptions struct {
		Type           string `json:"@odata.type"`
		ContentSharing bool   `json:"isContentSharingNotificationEnabled"`
		DeltaRoster    bool   `json:"isDeltaRosterEnabled"`
		Interactive    bool   `json:"isInteractiveRosterEnabled"`
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
func (c *Client) Answer(ctx context.Context, call recorder.CallRef, session recorder.Session) (recorder.Receipt, error) {
	modalities := c.opts.Modalities
	if len(session.Modalities) > 0 {
		modalities = session.Modalities
	}
	re, err := c.send(ctx, call, request{
		operation: opAnswer, method: http.MethodPost, path: "/answer", repeat: true, limit: requestLimit,
		body: answerBody{
			CallbackURI: c.opts.CallbackURI, AcceptedModalities: modalities, ParticipantCapacity: c.opts.ParticipantCapacity,
			MediaConfig: mediaConfig{Type: "#microsoft.graph.appHostedMediaConfig", Blob: session.Blob},
			CallOptions: callOptions{Type: "#microsoft.graph.incomingCallOptions", ContentSharing: true},
		},
	})
	return re.receipt, err
}

// Reject turns an invite down: POST …/reject, 202 (Graph, call: reject).
func (c *Client) Reject(ctx context.Context, call recorder.CallRef, reason recorder.RejectReason) (recorder.Receipt, error) {
	re, err := c.send(ctx, call, request{
		operation: opReject, method: http.MethodPost, path: "/reject", repeat: true, limit: requestLimit, body: rejectBody{reason.String()},
	})
	return re.receipt, err
}

// Announce sets the recording status: POST …/updateRecordingStatus, 200 with an
// operation (Graph, call: updateRecordingStatus). It asks once, also where the
// token is refused: whether to ask again is the recorder's decision, and it
// takes a fresh client context.
func (c *Client) Announce(ctx context.Context, call recorder.CallRef, status recorder.RecordingStatus, clientContext string) (recorder.Operation, error) {
	if clientContext == "" || len(clientContext) > maxContext {
		return recorder.Operation{}, &recorder.Fault{Kind: recorder.FaultRefused, Message: "not sent: a client context has 1 to 256 characters"}
	}
	re, err := c.send(ctx, call, request{
		operation: opAnnounce, method: http.MethodPost, path: "/updateRecordingStatus", limit: announceLimit,
		body: statusBody{ClientContext: clientContext, Status: status.String()},
	})
	if err != nil {
		return recorder.Operation{}, err
	}
	op, err := readOperation(re)
	if err == nil && op.Context != clientContext {
		return recorder.Operation{}, unknown(errors.New("the reply is about another announcement"), re.receipt)
	}
	return op, err
}

// maxContext is how long a clientContext may be, in characters.
const maxContext = 256

// PollOperation asks for an operation: GET …/operations/{id}. No page of this
// operation's GET is published.
func (c *Client) PollOperation(ctx context.Context, call recorder.CallRef, id recorder.OperationID) (recorder.Operation, error) {
	if _, err := callID(string(id)); err != nil {
		return recorder.Operation{}, unknown(errors.New("the operation has no ID that could be asked for"), recorder.Receipt{})
	}
	re, err := c.send(ctx, call, request{
		operation: opPoll, method: http.MethodGet, path: "/operations/" + string(id), repeat: true, limit: requestLimit,
	})
	if err != nil {
		return recorder.Operation{}, err
	}
	return readOperation(re)
}

// KeepAlive tells that we are here: POST …/keepAlive, 200 (Graph, call: keepAlive; at least every 45
// minutes).
func (c *Client) KeepAlive(ctx context.Context, call recorder.CallRef) (recorder.Receipt, error) {
	re, err := c.send(ctx, call, request{operation: opKeepAlive, method: http.MethodPost, path: "/keepAlive", repeat: true, few: true, limit: requestLimit})
	return re.receipt, err
}

// HangUp leaves the call: DELETE …, 204 (Graph, call: delete). It removes our
// leg only.
func (c *Client) HangUp(ctx context.Context, call recorder.CallRef) (recorder.Receipt, error) {
	re, err := c.send(ctx, call, request{operation: opHangUp, method: http.MethodDelete, repeat: true, limit: requestLimit})
	return re.receipt, err
}

// A CallState is what GET of a call tells.
type CallState struct {
	State   string // lower case: incoming, establishing, established, terminated, …
	Receipt recorder.Receipt
}

// GetCall asks for the call: GET …, 200 (Graph, call: get).
func (c *Client) GetCall(ctx context.Context, call recorder.CallRef) (CallState, error) {
	re, err := c.send(ctx, call, request{operation: opAskCall, method: http.MethodGet, repeat: true, limit: requestLimit})
	if err != nil {
		return CallState{Receipt: re.receipt}, err
	}
	w, err := readCall(re.body, call.ID)
	if err != nil {
		return CallState{Receipt: re.receipt}, unknown(err, re.receipt)
	}
	return CallState{State: strings.ToLower(w.State), Receipt: re.receipt}, nil
}

// readCall reads a call out of a 2xx reply, and believes nothing that is said
// of another: a terminated state ends the call's recording.
func readCall(body []byte, call recorder.CallID) (wireCall, error) {
	if err := bound(body, maxReply); err != nil {
		return wireCall{}, err
	}
	var w wireCall
	if err := json.Unmarshal(body, &w); err != nil {
		return wireCall{}, fmt.Errorf("the reply is not a call: %w", err)
	}
	if t := typeName(w.Type); t != "" && t != "call" {
		return wireCall{}, fmt.Errorf("the reply is a %.60q", w.Type)
	}
	if w.ID != "" && recorder.CallID(canonicalID(w.ID)) != call {
		return wireCall{}, errors.New("the reply is about another call")
	}
	return w, nil
}

// AskCall tells where the call stands. One that is terminated, or about to be, is
// gone: nothing leads back from there (Graph, call: callState).
func (c *Client) AskCall(ctx context.Context, call recorder.CallRef) (recorder.Standing, error) {
	s, err := c.GetCall(ctx, call)
	switch {
	case err != nil:
		return recorder.StandingUnknown, err
	case s.State == "terminated", s.State == "terminating":
		return recorder.StandingUnknown, &recorder.Fault{Kind: recorder.FaultGone, Message: "the call is " + s.State, Receipt: s.Receipt}
	case s.State == "established":
		return recorder.StandingEstablished, nil
	case s.State == "incoming":
		return recorder.StandingIncoming, nil
	}
	return recorder.StandingUnknown, nil
}

// maxPages bounds how many pages of participants are read.
const maxPages = 50

// AskRoster lists the participants: GET …/participants, 200 (Graph, call: list
// participants), page by page where the platform sends pages.
func (c *Client) AskRoster(ctx context.Context, call recorder.CallRef) (recorder.Roster, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit) // for all pages
	defer cancel()
	var roster recorder.Roster
	r := request{operation: opAskRoster, method: http.MethodGet, path: "/participants", repeat: true, limit: requestLimit}
	for range maxPages {
		re, err := c.send(ctx, call, r)
		if err != nil {
			return recorder.Roster{}, err
		}
		roster.At = re.receipt.RepliedAt
		if r.page, err = c.addPage(&roster, re.body); err != nil {
			return recorder.Roster{}, unknown(err, re.receipt)
		}
		if r.page == "" {
			return roster, nil
		}
	}
	return recorder.Roster{}, unknown(fmt.Errorf("the roster has more than %d pages", maxPages), recorder.Receipt{})
}

// addPage adds one page to the roster and returns the address of the next.
func (c *Client) addPage(roster *recorder.Roster, body []byte) (next string, err error) {
	var list struct {
		Value []json.RawMessage `json:"value"`
		Next  string            `json:"@odata.nextLink"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return "", fmt.Errorf("the reply is not a list of participants: %w", err)
	}
	if list.Value == nil {
		return "", errors.New("the reply has no list of participants")
	}
	for _, raw := range list.Value {
		l, err := participantsOf(raw)
		if err != nil {
			return "", err
		}
		c.metrics.unknown.WithLabelValues(opAskRoster).Add(float64(l.unknown))
		roster.Sequence, roster.Delta = max(roster.Sequence, l.sequence), roster.Delta || l.delta
		roster.Participants = append(roster.Participants, l.participants...)
	}
	if list.Next != "" && !strings.HasPrefix(list.Next, c.base) { // our token goes nowhere else
		return "", errors.New("the next page is not one of Graph's")
	}
	return list.Next, nil
}
