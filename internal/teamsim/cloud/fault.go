package cloud

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// An Op names a request that the bot makes.
type Op string

// The operations.
const (
	OpAnswer       Op = "answer"
	OpReject       Op = "reject"
	OpStatus       Op = "updateRecordingStatus"
	OpKeepAlive    Op = "keepAlive"
	OpGetCall      Op = "getCall"
	OpParticipants Op = "listParticipants"
	OpGetOperation Op = "getOperation"
	OpDelete       Op = "deleteCall"
	OpToken        Op = "token"     // the authority's token endpoint
	OpDiscovery    Op = "discovery" // the authority's OpenID configuration
	OpOpenID       Op = "openid"    // the calling service's OpenID configuration
	OpKeys         Op = "keys"      // the calling service's JWKS
)

func ops() []Op {
	return []Op{
		OpAnswer, OpReject, OpStatus, OpKeepAlive, OpGetCall, OpParticipants, OpGetOperation, OpDelete,
		OpToken, OpDiscovery, OpOpenID, OpKeys,
	}
}

// The bodies a Fault may have instead of the documented one.
const (
	BodyHTML       = "html"       // a proxy's page
	BodyTruncated  = "truncated"  // half of the JSON
	BodyCut        = "cut"        // half of the JSON, then the connection breaks
	BodyEmpty      = "empty"      //
	BodyRunning    = "running"    // operation not finished
	BodyNotStarted = "notStarted" // operation not begun
	BodyFailed     = "failed"     // operation failed
	BodyCapital    = "capital"    // "Completed", as observed with other operations
	BodyForeign    = "foreign"    // another request's clientContext
)

// A Fault is a scripted deviation from the good reply. Its zero members leave
// that part as it is.
type Fault struct {
	Op Op `yaml:"op"`
	// Status picks one kind of announcement: recording, notRecording, failed.
	Status string `yaml:"status"`
	// Skip lets that many requests pass first; Times is how many are hit then,
	// default 1, negative: all.
	Skip  int `yaml:"skip"`
	Times int `yaml:"times"`

	// HTTP is the status code; 400 and above mean that nothing was done, unless
	// Applied.
	HTTP int `yaml:"http"`
	// Code and Message are of Graph's error envelope; the defaults fit HTTP.
	Code    string `yaml:"code"`
	Message string `yaml:"message"`
	// RetryAfter becomes a Retry-After header, in whole seconds, rounded up.
	RetryAfter time.Duration `yaml:"retryAfter"`
	// Body replaces the reply's body: html, truncated, cut, empty, and for
	// announcements running, notStarted, failed, capital, foreign.
	Body string `yaml:"body"`
	// Applied: the request has its effect although the reply says otherwise.
	Applied bool `yaml:"applied"`
	// Drop: the request has its effect, and the connection is closed instead of
	// a reply. Lose: the same without effect.
	Drop bool `yaml:"drop"`
	Lose bool `yaml:"lose"`
	// Delay is between the effect and the reply.
	Delay time.Duration `yaml:"delay"`
	// Later is what becomes of an operation that was not completed at once.
	Later *Later `yaml:"later"`
}

// Later is the end of an operation, told by a notification.
type Later struct {
	// Progress is "completed" or "failed".
	Progress string `yaml:"progress"`
	// After is the time from the effect of the request.
	After time.Duration `yaml:"after"`
	// BeforeReply sends the notification first and waits for the bot's 202; After
	// is then the time before that.
	BeforeReply bool `yaml:"beforeReply"`
	// Silent: no notification is sent; only a poll can learn of it.
	Silent bool `yaml:"silent"`
}

// String is one line for the trace.
func (f *Fault) String() string {
	s := string(f.Op)
	if f.Status != "" {
		s += " " + f.Status
	}
	if f.HTTP != 0 {
		s += fmt.Sprintf(", http %d %s", f.HTTP, f.Code)
	}
	if f.Body != "" {
		s += ", body " + f.Body
	}
	if f.Drop {
		s += ", applied and dropped"
	}
	if f.Lose {
		s += ", lost"
	}
	if f.Delay != 0 {
		s += ", delay " + f.Delay.String()
	}
	if f.Later != nil {
		s += ", later " + f.Later.Progress
	}
	return s
}

func (f *Fault) check() error {
	var faults []error
	if !slices.Contains(ops(), f.Op) {
		faults = append(faults, fmt.Errorf("op %q is none of %v", f.Op, ops()))
	}
	if f.Status != "" && (f.Op != OpStatus || !slices.Contains(statuses(), f.Status)) {
		faults = append(faults, fmt.Errorf("status %q does not go with op %s: use one of %v with %s", f.Status, f.Op, statuses(), OpStatus))
	}
	switch f.Body {
	case "", BodyHTML, BodyTruncated, BodyCut, BodyEmpty:
	case BodyRunning, BodyNotStarted, BodyFailed, BodyCapital, BodyForeign:
		if f.Op != OpStatus && f.Op != OpGetOperation {
			faults = append(faults, fmt.Errorf("body %q goes with %s and %s only", f.Body, OpStatus, OpGetOperation))
		}
	default:
		faults = append(faults, fmt.Errorf("body %q is not known", f.Body))
	}
	if f.HTTP != 0 && (f.HTTP < 200 || f.HTTP > 599) {
		faults = append(faults, fmt.Errorf("http %d is no final status", f.HTTP))
	}
	if f.Drop && f.Lose {
		faults = append(faults, errors.New("drop and lose exclude each other: with drop the request has its effect, with lose it has none"))
	}
	if f.Later != nil {
		if f.Later.Progress != progressCompleted && f.Later.Progress != progressFailed {
			faults = append(faults, fmt.Errorf("later: progress %q is neither completed nor failed", f.Later.Progress))
		}
		if f.Op != OpStatus {
			faults = append(faults, fmt.Errorf("later goes with %s only", OpStatus))
		}
	}
	return errors.Join(faults...)
}

// effective says whether the request does what it asks for.
func (f *Fault) effective() bool {
	switch {
	case f == nil:
		return true
	case f.Lose:
		return false
	case f.Applied || f.Drop:
		return true
	}
	return f.HTTP < 400
}

// A script hands out faults; each is used up on its own.
type script struct {
	mu     sync.Mutex
	faults []Fault
	seen   []int
}

func newScript(faults []Fault) *script {
	s := &script{faults: slices.Clone(faults), seen: make([]int, len(faults))}
	for i := range s.faults {
		orDefault(&s.faults[i].Times, 1)
	}
	return s
}

// next returns the first fault that is due for the request, or nil. A fault
// whose Skip has not run down counts the request and lets it pass on.
func (s *script) next(op Op, status string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		if f.Op != op || f.Status != "" && f.Status != status {
			continue
		}
		if f.Times >= 0 && s.seen[i] >= f.Skip+f.Times {
			continue
		}
		s.seen[i]++
		if s.seen[i] > f.Skip {
			return f
		}
	}
	return nil
}

// add puts a fault behind the others, while the call runs.
func (s *script) add(f Fault) {
	orDefault(&f.Times, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
	s.seen = append(s.seen, 0)
}

// serveFault plays a fault of an endpoint that belongs to no call. It says
// whether the reply is done; a mere delay leaves it to the caller.
func (c *Cloud) serveFault(w http.ResponseWriter, r *http.Request, op Op) bool {
	f := c.script.next(op, "")
	if f == nil {
		return false
	}
	c.trace(trace.Event{Kind: trace.FaultInjected, HTTP: f.HTTP, Detail: f.String()})
	wait(r.Context(), f.Delay)
	switch {
	case f.Drop || f.Lose:
		panic(http.ErrAbortHandler)
	case f.Body == BodyHTML:
		writeHTML(w, f.HTTP)
	case f.Body == BodyTruncated || f.Body == BodyCut:
		_, _ = w.Write([]byte(`{"issuer":"https:`))
	case f.Body == BodyEmpty || f.HTTP != 0:
		setRetryAfter(w, f.RetryAfter)
		w.WriteHeader(max(f.HTTP, http.StatusOK))
	default:
		return false
	}
	return true
}

func setRetryAfter(w http.ResponseWriter, d time.Duration) {
	if d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
	}
}

func writeHTML(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(max(status, http.StatusOK))
	_, _ = w.Write([]byte("<html><head><title>Proxy</title></head><body>" + uuid.NewString() + "</body></html>"))
}
