package trace

import (
	"fmt"
	"strings"
	"time"
)

// An Event is one thing that was seen or sent. Only the members that mean
// something for its Kind are set.
type Event struct {
	// Index is the event's place in the log, from 0. Add sets it.
	Index int `json:"index"`
	// At is when it happened; Add sets it where it is zero.
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
	// Call is the platform's call ID: a lower-case GUID with dashes, whatever
	// form the wire had.
	Call string `json:"call,omitempty"`
	// Session is the media session's ID.
	Session string `json:"session,omitempty"`
	// Host is the media host's ID.
	Host string `json:"host,omitempty"`
	// Status is the recording status of an announcement ("recording",
	// "notRecording", "failed"), the call state of a notification
	// ("established", "terminated") or the reason of a rejection.
	Status string `json:"status,omitempty"`
	// Context is an announcement's clientContext.
	Context string `json:"context,omitempty"`
	// Operation is the ID of an operation.
	Operation string `json:"operation,omitempty"`
	// Progress is the state of an operation as it was told to the bot:
	// "completed", "running", "failed", "notStarted"; empty where the bot could
	// not read any.
	Progress string `json:"progress,omitempty"`
	// HTTP is the status code sent or received; 0 where there was none (the
	// connection was closed, or nothing has been answered yet).
	HTTP int `json:"http,omitempty"`
	// Code is the platform's error code, for example "8506".
	Code string `json:"code,omitempty"`
	// Seq is a frame's sequence number, for the kinds that name one.
	Seq uint64 `json:"seq,omitempty"`
	// Lease is what a session was attached under.
	Lease uint64 `json:"lease,omitempty"`
	// Took is how long the thing took, for the kinds that end something.
	Took time.Duration `json:"took,omitempty"`
	// Detail is for people, and for violations the whole finding.
	Detail string `json:"detail,omitempty"`
}

// Kind says what an Event is about.
type Kind string

// The cloud's kinds.
const (
	// InviteSent: the request with the invite is about to be written.
	InviteSent Kind = "inviteSent"
	// InviteReplied: the bot's HTTP reply to it came (HTTP, Took), or did not
	// (HTTP 0, Detail).
	InviteReplied Kind = "inviteReplied"
	// NotificationSent: about to be written (Status: call state, "roster",
	// "operation", "joining", ...).
	NotificationSent Kind = "notificationSent"
	// NotificationReplied: the bot's HTTP reply to it.
	NotificationReplied Kind = "notificationReplied"
	// NotificationLost: the scenario has it lost; the bot never sees it.
	NotificationLost Kind = "notificationLost"

	// RequestReceived: any authorised request to a call, on arrival (Detail:
	// the operation's name).
	RequestReceived Kind = "requestReceived"
	// AnswerReceived, RejectReceived: on arrival.
	AnswerReceived Kind = "answerReceived"
	RejectReceived Kind = "rejectReceived"
	// AnswerReplied, RejectReplied: about to be sent.
	AnswerReplied Kind = "answerReplied"
	RejectReplied Kind = "rejectReplied"
	// StatusReceived: an announcement arrived (Status, Context).
	StatusReceived Kind = "statusReceived"
	// StatusApplied: the platform's own view of the recording status changes;
	// Teams shows it from here on. A reply may or may not follow.
	StatusApplied Kind = "statusApplied"
	// StatusReplied: the reply is about to be sent (HTTP, Progress, Operation).
	// HTTP 0: the connection is closed instead.
	StatusReplied Kind = "statusReplied"
	// OperationNotified: an operation notification is about to be sent, or an
	// operation poll is about to be answered (Progress).
	OperationNotified Kind = "operationNotified"
	// KeepAliveReceived, HangUpReceived: on arrival.
	KeepAliveReceived Kind = "keepAliveReceived"
	HangUpReceived    Kind = "hangUpReceived"

	// CallEstablished: on the platform's side; the bot may not know yet.
	CallEstablished Kind = "callEstablished"
	// CallEnded: from here on requests for the call get 404 (Detail: why).
	CallEnded Kind = "callEnded"

	// TokenIssued, TokenRefused: the authority's answers.
	TokenIssued  Kind = "tokenIssued"
	TokenRefused Kind = "tokenRefused"
	// FaultInjected: a scripted fault was used (Detail: which).
	FaultInjected Kind = "faultInjected"
	// Violation: the bot did what the documentation does not allow.
	Violation Kind = "violation"
)

// The media host's kinds.
const (
	SessionCreated Kind = "sessionCreated"
	SessionRefused Kind = "sessionRefused"
	// SessionConnected: the platform's media reaches the session.
	SessionConnected    Kind = "sessionConnected"
	SessionDisconnected Kind = "sessionDisconnected"
	SessionAttached     Kind = "sessionAttached"
	AttachRefused       Kind = "attachRefused"
	// OpenReceived: on arrival. SessionOpened: confirmed (Seq: first frame that
	// may follow).
	OpenReceived  Kind = "openReceived"
	SessionOpened Kind = "sessionOpened"
	// PauseReceived: on arrival. SessionPaused: confirmed (Seq: last frame sent).
	PauseReceived Kind = "pauseReceived"
	SessionPaused Kind = "sessionPaused"
	// FirstAck: the first acknowledgement of a session (Seq).
	FirstAck Kind = "firstAck"
	// LastAck: the acknowledgement that covers everything sent so far.
	LastAck       Kind = "lastAck"
	SessionClosed Kind = "sessionClosed"
	LinkUp        Kind = "linkUp"
	LinkDown      Kind = "linkDown"
	HostStarted   Kind = "hostStarted"
	HostStopped   Kind = "hostStopped"
)

// The kinds that whoever runs the bot notes: no wire tells of them.
const (
	// BotStarted: a process of the bot is about to be started (Detail: why). Where
	// one was started before and did not stop, it is a handover: both live for a
	// while.
	BotStarted Kind = "botStarted"
	// BotStopped: the process that was started first, of those that live, is gone:
	// killed, crashed or ended (Detail: how).
	BotStopped Kind = "botStopped"
	// BotFault: something that the process needs fails from now on, such as its
	// disk, so that it can't record any more (Detail: what).
	BotFault Kind = "botFault"
)

// String is one line for a person.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s", e.Index, e.At.UTC().Format("15:04:05.000000"), e.Kind)
	for _, m := range []struct{ name, value string }{
		{"call", e.Call},
		{"session", e.Session},
		{"host", e.Host},
		{"status", e.Status},
		{"context", e.Context},
		{"operation", e.Operation},
		{"progress", e.Progress},
		{"code", e.Code},
		{"detail", e.Detail},
	} {
		if m.value != "" {
			fmt.Fprintf(&b, " %s=%q", m.name, m.value)
		}
	}
	if e.HTTP != 0 {
		fmt.Fprintf(&b, " http=%d", e.HTTP)
	}
	if e.Seq != 0 {
		fmt.Fprintf(&b, " seq=%d", e.Seq)
	}
	if e.Lease != 0 {
		fmt.Fprintf(&b, " lease=%d", e.Lease)
	}
	if e.Took != 0 {
		fmt.Fprintf(&b, " took=%s", e.Took)
	}
	return b.String()
}
