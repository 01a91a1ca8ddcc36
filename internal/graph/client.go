package graph

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Options configure a Client.
type Options struct {
	Cloud     string // global (default), usgov-l4, usgov-l5, china
	Root      string // overrides the cloud's Graph root: https://host:port, no version
	Authority string // overrides the cloud's token authority: https://host:port, no tenant

	AppID      string
	Credential Credential

	CallbackURI         string   // https; where notifications of answered calls go
	Modalities          []string // accepted media; default audio
	ParticipantCapacity int      // of one call, for grouping; 0 and 1: none

	CA         *x509.CertPool // nil: the system's roots
	Registerer prometheus.Registerer
	Log        *zap.Logger
	UserAgent  string
}

// A Credential is how the application proves to Entra ID who it is. Exactly
// one is set.
type Credential struct {
	CertificateFile string // PEM with certificate and unencrypted RSA key
	SecretFile      string // the secret alone, in one line
}

// A Client is the recorder's Platform.
type Client struct{}

var _ recorder.Platform = (*Client)(nil)

// New makes a client.
func New(Options) (*Client, error) { return &Client{}, nil }

// Warm buys the tokens of the tenants, so that the first answer need not.
func (c *Client) Warm(context.Context, []string) {}

// Close ends the renewal of tokens.
func (c *Client) Close() {}

// A CallInfo is what the platform says of a call.
type CallInfo struct {
	State   string
	Receipt recorder.Receipt
}

func soon() error { return &recorder.Fault{Kind: recorder.FaultUnknown, Message: "not built yet"} }

// GetCall asks for the call.
func (c *Client) GetCall(context.Context, recorder.CallRef) (CallInfo, error) { return CallInfo{}, soon() }

// Answer implements recorder.Platform.
func (c *Client) Answer(context.Context, recorder.CallRef, string) (recorder.Receipt, error) {
	return recorder.Receipt{}, soon()
}

// Reject implements recorder.Platform.
func (c *Client) Reject(context.Context, recorder.CallRef, recorder.RejectReason) (recorder.Receipt, error) {
	return recorder.Receipt{}, soon()
}

// Announce implements recorder.Platform.
func (c *Client) Announce(context.Context, recorder.CallRef, recorder.RecordingStatus, string) (recorder.Operation, error) {
	return recorder.Operation{At: time.Time{}}, soon()
}

// PollOperation implements recorder.Platform.
func (c *Client) PollOperation(context.Context, recorder.CallRef, recorder.OperationID) (recorder.Operation, error) {
	return recorder.Operation{}, soon()
}

// KeepAlive implements recorder.Platform.
func (c *Client) KeepAlive(context.Context, recorder.CallRef) (recorder.Receipt, error) {
	return recorder.Receipt{}, soon()
}

// AskCall implements recorder.Platform.
func (c *Client) AskCall(context.Context, recorder.CallRef) (bool, error) { return false, soon() }

// AskRoster implements recorder.Platform.
func (c *Client) AskRoster(context.Context, recorder.CallRef) (recorder.Roster, error) {
	return recorder.Roster{}, soon()
}

// HangUp implements recorder.Platform.
func (c *Client) HangUp(context.Context, recorder.CallRef) (recorder.Receipt, error) {
	return recorder.Receipt{}, soon()
}
