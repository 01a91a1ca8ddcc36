package callbacks

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/recorderbot/recorderbot/internal/graph"
)

const (
	// messageID is the platform's own ID of the request, for its support.
	messageID = "X-Microsoft-Skype-Message-ID"
	// chainID names the conversation that the request is about.
	chainID = "X-Microsoft-Skype-Chain-ID"
)

// An exchange is one request on its way to its reply, and what the access log
// says about it.
type exchange struct {
	w        http.ResponseWriter
	r        *http.Request
	at       time.Time // when the headers had arrived
	verified bool      // the sender is no stranger
	size     int64     // bytes of body read
	kinds    []string  // of notifications, each once
	count    int       // of notifications
	faults   []string  // reasons for entries that were skipped, each once
	skipped  int       // of entries
}

func (x *exchange) saw(b graph.Batch) {
	x.count, x.skipped = len(b.Notifications), len(b.Skipped)
	for i := range b.Notifications {
		if kind := b.Notifications[i].Kind.String(); !slices.Contains(x.kinds, kind) {
			x.kinds = append(x.kinds, kind)
		}
	}
	for _, bad := range b.Skipped {
		if !slices.Contains(x.faults, bad.Reason) {
			x.faults = append(x.faults, bad.Reason)
		}
	}
}

// serve makes a handler: it sends what the function returns, once, counts it
// and writes the access log. A panic becomes a 500 and touches no other request.
func (s *Server) serve(handle func(*exchange) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{w: w, r: r, at: time.Now()}
		a := s.guard(handle, x)
		if !x.verified {
			// Connections are bounded, and strangers must not sit on them.
			w.Header().Set("Connection", "close")
		}
		a.write(w)
		s.m.requests.WithLabelValues(strconv.Itoa(a.status)).Inc()
		if a.reason != "" {
			s.m.rejected.WithLabelValues(string(a.reason)).Inc()
		}
		took := time.Since(x.at)
		s.m.seconds.Observe(took.Seconds())
		s.access(x, a, took)
		if a.reason != "" {
			x.linger()
		}
	}
}

// The bounds of what is read, and thrown away, after a refusal.
const (
	lingerBytes = 2 * DefaultMaxBody
	lingerTime  = time.Second
)

// linger reads on for a moment where a refused sender may still be writing: a
// connection that is closed over unread bytes is reset, and the reply is lost with
// it. HTTP/2 has streams for that.
func (x *exchange) linger() {
	if x.r.ProtoMajor != 1 {
		return
	}
	conn := http.NewResponseController(x.w)
	if conn.Flush() != nil || conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, x.r.Body, lingerBytes)
}

// guard turns a panic into a reply. The panic's value may quote what was
// received, so only a runtime error's own words are logged.
func (s *Server) guard(handle func(*exchange) reply, x *exchange) (a reply) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if err, ok := value.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(value) // net/http's own word for giving up
		}
		a = refuse(http.StatusInternalServerError, reasonPanic, "internal error")
		a.err = describe(value)
		s.log.Error("panic while taking notifications",
			zap.Error(a.err), zap.Strings("kinds", x.kinds), zap.ByteString("stack", debug.Stack()))
	}()
	return handle(x)
}

func describe(value any) error {
	var err interface {
		error
		RuntimeError()
	}
	if e, ok := value.(error); ok && errors.As(e, &err) {
		return err
	}
	return fmt.Errorf("panic of type %T", value)
}

// access writes the log's line: nothing of the content, and what the sender
// chose (method, path, message ID) only in a safe alphabet and length.
func (s *Server) access(x *exchange, a reply, took time.Duration) {
	level := zapcore.InfoLevel
	if a.status >= http.StatusInternalServerError {
		level = zapcore.WarnLevel
	}
	entry := s.log.Check(level, "callback")
	if entry == nil {
		return
	}
	fields := make([]zap.Field, 0, 12)
	fields = append(fields,
		zap.String("method", clean(x.r.Method, 16)),
		zap.String("path", clean(x.r.URL.Path, 64)),
		zap.Int("status", a.status),
		zap.Duration("duration", took),
		zap.Int64("size", x.size),
	)
	if id := x.r.Header.Get(messageID); id != "" {
		fields = append(fields, zap.String("messageID", clean(id, 64)))
	}
	if x.count > 0 {
		fields = append(fields, zap.Int("notifications", x.count), zap.Strings("kinds", x.kinds))
	}
	if x.skipped > 0 {
		fields = append(fields, zap.Int("skipped", x.skipped), zap.Strings("faults", x.faults))
	}
	if a.reason != "" {
		fields = append(fields, zap.String("reason", string(a.reason)))
	}
	if a.err != nil {
		fields = append(fields, zap.Error(a.err))
	}
	entry.Write(fields...)
}

// clean keeps at most limit characters of what a stranger wrote: letters,
// digits and "-._/"; anything else becomes "?".
func clean(s string, limit int) string {
	s = s[:min(len(s), limit)]
	for i := range len(s) {
		if !plain(s[i]) {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if !plain(b[j]) {
					b[j] = '?'
				}
			}
			return string(b)
		}
	}
	return s
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '/'
}
