package cloud

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// Media is the side of the media host that the platform sees: media flows
// between Connect and Disconnect. The blob is what the bot put into its answer.
// Both are safe for concurrent use and idempotent.
type Media interface {
	// Connect fails where the blob names no live session.
	Connect(blob string) error
	Disconnect(blob string)
}

// Options are what a Cloud is made of. AppID, Tenants, TLS and one credential
// are required.
type Options struct {
	// AppID is the bot's application ID: audience of callback tokens, client of
	// the authority.
	AppID string
	// Tenants have consented: the authority issues tokens for them.
	Tenants []string
	// Secret and Certificate are the credentials registered for the app; either
	// may be missing, not both.
	Secret      string
	Certificate *x509.Certificate

	// Addr is where to listen; default 127.0.0.1:0.
	Addr string
	// TLS is the certificate of this server.
	TLS tls.Certificate
	// Webhook is the bot's calling webhook, where invites go. It may be set
	// later, with SetWebhook.
	Webhook string
	// BotCA verifies the bot's callback listener.
	BotCA *x509.CertPool
	// Media may be nil: then any blob is good and nothing flows.
	Media Media
	// Trace may be nil: then the cloud makes its own.
	Trace *trace.Log
	// Seed chooses every variant and every ID.
	Seed uint64
	// SigningKey is the first that signs callback tokens; nil: a new one. Making
	// RSA keys takes longer than most tests.
	SigningKey *rsa.PrivateKey
	// Faults apply to all calls and to the authority, after a call's own.
	Faults []Fault

	// AnswerWithin is the time from invite to answer; default 5 s, as
	// documented for policy-based recording.
	AnswerWithin time.Duration
	// KeepAliveWindow is the longest time between keepAlives, or from the start
	// to the first; default 45 min, as documented.
	KeepAliveWindow time.Duration
	// AccessTokenLifetime is of tokens for Graph; default 1 h.
	AccessTokenLifetime time.Duration
	// CallbackTokenLifetime is of tokens on notifications; default 3900 s, as in
	// the documented example.
	CallbackTokenLifetime time.Duration
	// RefuseEarlyStatus refuses updateRecordingStatus before the call is
	// established (400, code 8501). Nothing public says what Graph does; by
	// default it is taken.
	RefuseEarlyStatus bool
	// Retries is how often a notification is sent again after a 5xx, a 429 or no
	// reply; RetryAfter is the pause where the bot names none. Nothing public
	// says what Teams does; defaults 3 and 500 ms. Negative: never.
	Retries    int
	RetryAfter time.Duration
	// NotificationTimeout bounds one notification; default 10 s.
	NotificationTimeout time.Duration

	// Log may be nil.
	Log *zap.Logger
}

// withDefaults fills in what is missing and says all that is wrong.
func (o Options) withDefaults() (Options, error) {
	var faults []error
	if _, err := uuid.Parse(o.AppID); err != nil {
		faults = append(faults, fmt.Errorf("app ID %q is not a GUID", o.AppID))
	}
	if len(o.Tenants) == 0 {
		faults = append(faults, errors.New("no tenant"))
	}
	for _, t := range o.Tenants {
		if _, err := uuid.Parse(t); err != nil {
			faults = append(faults, fmt.Errorf("tenant %q is not a GUID", t))
		}
	}
	if o.Secret == "" && o.Certificate == nil {
		faults = append(faults, errors.New("no credential is registered: give a secret or a certificate"))
	}
	if len(o.TLS.Certificate) == 0 {
		faults = append(faults, errors.New("no TLS certificate"))
	}
	for i, f := range o.Faults {
		if err := f.check(); err != nil {
			faults = append(faults, fmt.Errorf("fault %d: %w", i, err))
		}
	}
	orDefault(&o.Addr, "127.0.0.1:0")
	orDefault(&o.AnswerWithin, 5*time.Second)
	orDefault(&o.KeepAliveWindow, 45*time.Minute)
	orDefault(&o.AccessTokenLifetime, time.Hour)
	orDefault(&o.CallbackTokenLifetime, 3900*time.Second)
	orDefault(&o.Retries, 3)
	orDefault(&o.RetryAfter, 500*time.Millisecond)
	orDefault(&o.NotificationTimeout, 10*time.Second)
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Trace == nil {
		o.Trace = trace.New()
	}
	return o, errors.Join(faults...)
}

func orDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}
