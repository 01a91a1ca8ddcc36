package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The limits of what may be sent, in bytes.
const (
	mostBody   = 4 << 10
	mostReason = 1 << 10
	mostID     = 256
)

// action makes a handler of what does an action: role, body and audit first.
func (s *Server) action(a action, do func(*exchange) reply) http.HandlerFunc {
	return s.serve(func(x *exchange) reply {
		x.action = a
		if a.aboutCall() {
			var ok bool
			if x.call, ok = callID(chi.URLParam(x.r, "id")); !ok {
				return noSuchCall()
			}
		}
		if x.who.role < a.needs() {
			if err := s.audit(x, auditForbidden, ""); err != nil {
				return unaudited(err)
			}
			return refuse(http.StatusForbidden, outcomeForbidden, x.who.name+" is a "+x.who.role.String()+", and this needs a "+a.needs().String(),
				"use an identity with that role, or change its role in the configuration")
		}
		if no := x.read(); no != nil {
			return *no
		}
		// The commit point of law 7: nothing is looked up or done before this is
		// durable.
		if err := s.audit(x, auditGranted, x.reason); err != nil {
			return unaudited(err)
		}
		if !a.acts() {
			return do(x)
		}
		return s.act(x, do)
	})
}

// act does what changes something, and enters what came of it.
func (s *Server) act(x *exchange, do func(*exchange) reply) reply {
	result := s.caught(do, x)
	detail := ""
	if result.err != nil {
		detail = result.err.Error()
	}
	s.m.acts.WithLabelValues(string(x.action), string(result.outcome)).Inc()
	if err := s.audit(x, string(result.outcome), detail); err != nil {
		// It is done: to say otherwise would be wrong. The entry before it stands,
		// and the call's journal has the rest.
		s.log.Error("what came of an order is not in the audit", zap.String("request", x.id), zap.String("identity", x.who.name),
			zap.String("action", string(x.action)), zap.String("call", string(x.call)), zap.String("outcome", string(result.outcome)), zap.Error(err))
	}
	return result
}

// callID takes a call's ID from a path, in its canonical form: people copy GUIDs
// in whatever case. The platform's IDs need no escapes.
func callID(id string) (recorder.CallID, bool) {
	if id == "" || len(id) > mostID || strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._", r)
	}) {
		return "", false
	}
	if n := len(id); n == 36 || n == 32 {
		if u, err := uuid.Parse(id); err == nil {
			return recorder.CallID(u.String()), true
		}
	}
	return recorder.CallID(id), true
}

// read takes the body, of orders only. The identity is verified by now.
func (x *exchange) read() *reply {
	no := func(status int, o outcome, fault, remedy string) *reply {
		a := refuse(status, o, fault, remedy)
		return &a
	}
	const remedy = `send no body, or {"reason": "…"} of at most a thousand bytes`
	switch {
	case x.r.ContentLength == 0:
		return nil
	case !x.action.acts():
		return no(http.StatusBadRequest, outcomeBody, "there is a body where none is taken", "send none")
	case x.r.ContentLength > mostBody:
		return no(http.StatusRequestEntityTooLarge, outcomeSize, "the body is too large", remedy)
	}
	kind, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || x.r.Header.Get("Content-Encoding") != "" {
		return no(http.StatusUnsupportedMediaType, outcomeContentType, "the body is not uncompressed application/json", remedy)
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, mostBody))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return no(http.StatusRequestEntityTooLarge, outcomeSize, "the body is too large", remedy)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return no(http.StatusRequestTimeout, outcomeBody, "the body did not arrive in time", "send it again")
	case err != nil:
		return no(http.StatusBadRequest, outcomeBody, "the body did not arrive whole", "send it again")
	}
	var ask Ask
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if d.Decode(&ask) != nil || d.More() || len(ask.Reason) > mostReason {
		return no(http.StatusBadRequest, outcomeBody, "the body is not what is taken here", remedy)
	}
	x.reason = ask.Reason
	return nil
}

func noSuchCall() reply {
	return refuse(http.StatusNotFound, outcomeNotFound, "no such call is live", "GET "+Root+"/calls lists those that are; recorderbot recordings show tells what came of others")
}

func (s *Server) list(*exchange) reply {
	all := s.options.Recorder.Calls()
	l := Calls{Calls: make([]Call, 0, min(len(all), mostCalls)), More: max(0, len(all)-mostCalls)}
	for _, v := range all[:min(len(all), mostCalls)] {
		l.Calls = append(l.Calls, shown(v))
	}
	return done(l)
}

func (s *Server) show(x *exchange) reply {
	v, ok := s.options.Recorder.View(x.call)
	if !ok {
		return noSuchCall()
	}
	return done(shown(v))
}

func (s *Server) status(*exchange) reply { return done(s.state()) }

func (s *Server) state() Status {
	reasons := s.options.Reasons()
	if reasons == nil {
		reasons = []string{}
	}
	r := s.options.Recorder
	return Status{Version: s.options.Version, Ready: len(reasons) == 0, Reasons: reasons, Draining: r.Draining(), Calls: r.Live()}
}

// drain refuses new calls. There is no way back but a new start: what was told to
// Teams and to load balancers would not be.
func (s *Server) drain(*exchange) reply {
	s.options.Recorder.Drain()
	return done(s.state())
}

// order gives an order to a call and waits for what comes of it.
func (s *Server) order(give func(Recorder, context.Context, recorder.CallID) (recorder.View, error)) func(*exchange) reply {
	return func(x *exchange) reply {
		// An order that was given is not taken back by hanging up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), s.options.ActTime)
		defer cancel()
		v, err := give(s.options.Recorder, ctx, x.call)
		a := ordered(ctx, v, err)
		a.err = err
		return a
	}
}

func ordered(ctx context.Context, v recorder.View, err error) reply {
	switch {
	case err == nil:
		return done(Order{Call: shown(v), Done: true})
	case errors.Is(err, recorder.ErrUnknownCall):
		return noSuchCall()
	case errors.Is(err, recorder.ErrConflict):
		return refuse(http.StatusConflict, outcomeConflict, strings.TrimPrefix(err.Error(), "recorder: "),
			"look at the call's state (GET "+Root+"/calls/"+url.PathEscape(string(v.Call))+"), and order what fits it")
	case errors.Is(err, recorder.ErrNotGiven):
		return unavailable(outcomeFailed, strings.TrimPrefix(err.Error(), "recorder: "), "put that right, then order it again", err)
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return reply{
			status: http.StatusAccepted, outcome: outcomePending,
			body: Order{Call: shown(v), Detail: strings.TrimPrefix(err.Error(), "recorder: ") + "; look at the call again"},
		}
	}
	return unavailable(outcomeFailed, "the order was not carried out: "+strings.TrimPrefix(err.Error(), "recorder: "), "put that right, then order it again", err)
}
