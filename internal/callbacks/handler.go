package callbacks

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/graph"
)

const (
	// handoverTime bounds the receiver, which only queues.
	handoverTime = 3 * time.Second
	// busyRetry is the Retry-After, in seconds, where there is no room.
	busyRetry = 1
)

// What became of a notification, as a metric label.
const (
	verdictAccepted  = "accepted"
	verdictForbidden = "forbidden"
	verdictBusy      = "busy"
	verdictFailed    = "failed"
	verdictSkipped   = "skipped" // nobody can use it; of a kind that is not known
)

// post takes notifications: the checks of doc.go in their order, then the
// handover.
func (s *Server) post(x *exchange) reply {
	limit := s.options.MaxBody
	if x.r.ContentLength > limit {
		return refuse(http.StatusRequestEntityTooLarge, reasonSize, "the body is too large")
	}
	caller, no := s.verifier.authenticate(x.r.Context(), x.r.Header)
	if no != nil {
		return *no
	}
	x.verified = true
	if !isJSON(x.r.Header) {
		return refuse(http.StatusUnsupportedMediaType, reasonContentType, "only uncompressed application/json is taken")
	}
	body, no := readBody(x.w, x.r, limit)
	x.size = int64(len(body))
	if no != nil {
		return *no
	}
	batch, err := graph.Decode(body, graph.Arrival{At: x.at, Chain: x.r.Header.Get(chainID)})
	if err != nil {
		return undecodable(err)
	}
	x.saw(batch)
	s.m.notifications.WithLabelValues(graph.Unknown.String(), verdictSkipped).Add(float64(len(batch.Skipped)))
	return s.handOver(x.r.Context(), caller, batch.Notifications)
}

// isJSON demands JSON in UTF-8 and in the clear: a compressed body would
// escape the limit.
func isJSON(h http.Header) bool {
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return false
	}
	kind, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset, named := parameters["charset"]
	return err == nil && kind == "application/json" && (!named || strings.EqualFold(charset, "utf-8"))
}

// readBody reads the whole body, at most limit bytes whatever length was
// declared. How long it may take is the http.Server's to say.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *reply) {
	body := make([]byte, 0, max(512, min(r.ContentLength+1, limit+1)))
	reader := http.MaxBytesReader(w, r.Body, limit)
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := reader.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return body, nil
		default:
			no := unread(err)
			return body, &no
		}
	}
}

func unread(err error) reply {
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return refuse(http.StatusRequestEntityTooLarge, reasonSize, "the body is too large")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, reasonBody, "the body did not arrive in time")
	}
	return refuse(http.StatusBadRequest, reasonBody, "the body did not arrive whole")
}

// undecodable names the fault by its reason; the detail, which quotes no
// content, goes to the log.
func undecodable(err error) reply {
	no := refuse(http.StatusBadRequest, reasonDecode, "the body is not a notification")
	if bad, ok := errors.AsType[*graph.DecodeError](err); ok {
		no = refuse(http.StatusBadRequest, reason(bad.Reason), "the body is not a notification: "+bad.Reason)
	}
	no.err = err
	return no
}

// handOver gives the notifications to the receiver, all or none.
//
// If we die here, before the reply is out, the platform has no 202: it sends
// again, or, since nobody has documented that it does, the call is found by
// asking it. The receiver therefore bears repetition.
func (s *Server) handOver(ctx context.Context, from Caller, ns []graph.Notification) reply {
	joinings := 0
	for i := range ns {
		if t := ns[i].Tenant; t != "" && canonicalID(t) != from.Tenant {
			s.count(ns, verdictForbidden)
			return unauthorized(reasonTenantDiffer)
		}
		if ns[i].Kind == graph.ParticipantJoining {
			joinings++
		}
	}
	if joinings > 1 {
		s.count(ns, verdictFailed)
		return refuse(http.StatusBadRequest, reasonJoinings, "more than one participantJoining: the reply has room for one")
	}
	// The notification has arrived: that its sender hangs up must not lose it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handoverTime)
	defer cancel()
	answer, err := s.receive(ctx, from, ns, joinings == 1)
	if err != nil {
		no, verdict := refusedBy(err)
		s.count(ns, verdict)
		return no
	}
	s.count(ns, verdictAccepted)
	if joinings == 1 {
		return reply{status: http.StatusOK, payload: answer}
	}
	return reply{status: http.StatusAccepted}
}

// receive calls the receiver. The question whether someone may join is put
// last: by then the rest of its batch is in its place.
func (s *Server) receive(ctx context.Context, from Caller, ns []graph.Notification, joining bool) ([]byte, error) {
	if !joining {
		if len(ns) == 0 {
			return nil, nil
		}
		return nil, s.receiver.Receive(ctx, from, ns)
	}
	rest := make([]graph.Notification, 0, len(ns))
	var question graph.Notification
	for _, n := range ns {
		if n.Kind == graph.ParticipantJoining {
			question = n
		} else {
			rest = append(rest, n)
		}
	}
	if len(rest) > 0 {
		if err := s.receiver.Receive(ctx, from, rest); err != nil {
			return nil, err
		}
	}
	return s.receiver.Joining(ctx, from, question)
}

// refusedBy sorts the receiver's errors.
func refusedBy(err error) (reply, string) {
	switch {
	case errors.Is(err, ErrForbidden):
		no := unauthorized(reasonForbidden)
		no.err = err
		return no, verdictForbidden
	case errors.Is(err, ErrBusy):
		return unavailable(reasonBusy, busyRetry, "no room at the moment", err), verdictBusy
	}
	return unavailable(reasonReceiver, busyRetry, "not handed over", err), verdictFailed
}

func (s *Server) count(ns []graph.Notification, verdict string) {
	for i := range ns {
		s.m.notifications.WithLabelValues(ns[i].Kind.String(), verdict).Inc()
		if n := ns[i].Unknown; n > 0 && verdict == verdictAccepted {
			s.m.unknown.WithLabelValues(ns[i].Kind.String()).Add(float64(n))
		}
	}
}
