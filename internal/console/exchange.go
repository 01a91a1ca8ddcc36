package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// An exchange is one request on its way to its reply.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	id     string // names the request in the audit and the log
	at     time.Time
	who    identity // zero: a stranger
	action action
	call   recorder.CallID // empty: not about one
	reason string          // that was given for an order
}

type exchangeKey struct{}

// guarded lets in who has an identity, and has not been sent by another site.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{w: w, r: r, id: uuid.NewString(), at: time.Now(), action: actionNone}
		who, no := s.login(r)
		if no != nil {
			// Connections are bounded, and strangers must not sit on them. It also
			// keeps net/http from reading their body.
			w.Header().Set("Connection", "close")
			s.finish(x, *no)
			return
		}
		x.who = who
		if err := s.origin.Check(r); err != nil {
			s.finish(x, refuse(http.StatusForbidden, outcomeForeign, "the browser was sent here by another site", "call the API from where it is meant to be called"))
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
	})
}

// serve makes a handler of a function. A panic becomes a 500 and touches no other
// request.
func (s *Server) serve(handle func(*exchange) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x, ok := r.Context().Value(exchangeKey{}).(*exchange)
		if !ok { // a route that is not behind guarded
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		x.w, x.r = w, r
		s.finish(x, s.caught(handle, x))
	}
}

// caught turns a panic into a reply. The panic's value may quote what was
// received, so only its type is logged.
func (s *Server) caught(handle func(*exchange) reply, x *exchange) (a reply) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if err, ok := value.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(value) // net/http's own word for giving up
		}
		a = refuse(http.StatusInternalServerError, outcomeFailed, "internal error", "report it, with the log's lines about it")
		a.err = fmt.Errorf("panic of type %T", value)
		s.log.Error("panic while serving the console", zap.Error(a.err), zap.String("action", string(x.action)), zap.ByteString("stack", debug.Stack()))
	}()
	return handle(x)
}

// finish sends the reply, counts it and writes the access log.
func (s *Server) finish(x *exchange, a reply) {
	a.write(x.w)
	s.m.requests.WithLabelValues(string(x.action), string(a.outcome)).Inc()
	level := zapcore.InfoLevel
	if a.status >= http.StatusInternalServerError {
		level = zapcore.WarnLevel
	}
	entry := s.log.Check(level, "console")
	if entry == nil {
		return
	}
	entry.Write(
		zap.String("request", x.id), zap.String("method", clean(x.r.Method, 16)), zap.String("path", clean(x.r.URL.Path, 128)),
		zap.Int("status", a.status), zap.Duration("duration", time.Since(x.at)), zap.String("identity", x.who.name),
		zap.String("action", string(x.action)), zap.String("call", string(x.call)), zap.String("outcome", string(a.outcome)),
		zap.String("peer", clean(x.r.RemoteAddr, 64)), zap.String("detail", a.detail), zap.Error(a.err),
	)
}

// The audit's words beside those of outcomes.
const (
	auditGranted   = "granted"
	auditForbidden = "forbidden"
)

// audit enters something about the request, durably.
func (s *Server) audit(x *exchange, result, detail string) error {
	// Who asked may hang up: what happened is entered all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), auditTime)
	defer cancel()
	return s.options.Auditor.Audit(ctx, catalogue.AuditEntry{
		Request: x.id, At: time.Now(), Identity: x.who.name, Role: x.who.role.String(), Action: string(x.action), Call: x.call,
		Result: result, Remote: x.r.RemoteAddr, Detail: detail,
	})
}

func unaudited(err error) reply {
	return unavailable(outcomeUnaudited, "the audit can't be written, so nothing was done", "see why the catalogue can't be written (GET /readyz of the ops listener), then try again", err)
}

// clean keeps at most limit characters of what a stranger wrote: letters,
// digits and "-._/:[]"; anything else becomes "?".
func clean(s string, limit int) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._/:[]", r) {
			return r
		}
		return '?'
	}, s[:min(len(s), limit)])
}
