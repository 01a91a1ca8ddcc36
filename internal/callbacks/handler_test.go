package callbacks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/recorderbot/recorderbot/internal/graph"
)

func TestAccepted(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	start := time.Now()
	w := e.do(post(t, goodToken().String(), invite(ourTenant, callID)))
	if w.Code != 202 || w.Body.Len() != 0 {
		t.Fatalf("status %d, body %q", w.Code, w.Body)
	}
	got := e.receiver.batches()
	if len(got) != 1 || len(got[0]) != 1 {
		t.Fatalf("handed over: %v", got)
	}
	n := got[0][0]
	if n.Kind != graph.Invite || string(n.Call) != callID || n.Invite == nil || n.Invite.At.Before(start) {
		t.Errorf("handed over: %+v", n)
	}
	if diff := cmp.Diff([]Caller{{Tenant: ourTenant}}, e.receiver.from); diff != "" {
		t.Error(diff)
	}
	for name, labels := range map[string][]string{
		"recorderbot_callback_requests_total": {"code", "202"},
		"recorderbot_notifications_total":     {"kind", graph.Invite.String(), "verdict", verdictAccepted},
		"recorderbot_callback_seconds":        nil,
	} {
		if got := e.value(t, name, labels...); got != 1 {
			t.Errorf("%s%v is %v, want 1", name, labels, got)
		}
	}
}

// TestBatch: many notifications in one request are handed over in one call.
func TestBatch(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	entries := make([]string, 50)
	for i := range entries {
		entries[i] = entry(ourTenant, fmt.Sprintf("57dab8b1-894c-409a-b240-%012x", i))
	}
	if w := e.do(post(t, goodToken().String(), batch(entries...))); w.Code != 202 {
		t.Fatalf("status %d (%s)", w.Code, w.Body)
	}
	if got := e.receiver.batches(); len(got) != 1 || len(got[0]) != 50 {
		t.Errorf("%d calls of the receiver", len(got))
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	good := goodToken().String()
	change := func(how func(*http.Request)) *http.Request {
		r := post(t, good, invite(ourTenant, callID))
		how(r)
		return r
	}
	header := func(name, value string) *http.Request {
		return change(func(r *http.Request) { r.Header.Set(name, value) })
	}
	huge := `{"@odata.type":"#microsoft.graph.commsNotifications","value":[` + strings.Repeat(" ", DefaultMaxBody) + `]}`
	for name, test := range map[string]struct {
		r      *http.Request
		status int
	}{
		"get":            {change(func(r *http.Request) { r.Method = http.MethodGet }), 405},
		"head":           {change(func(r *http.Request) { r.Method = http.MethodHead }), 405},
		"unheard method": {change(func(r *http.Request) { r.Method = "BREW" }), 405},
		"path":           {change(func(r *http.Request) { r.URL.Path = "/" }), 404},
		"path below":     {change(func(r *http.Request) { r.URL.Path = Path + "/x" }), 404},
		"path upwards":   {change(func(r *http.Request) { r.URL.Path = "/api/x/../calls" }), 404},
		"path in case":   {change(func(r *http.Request) { r.URL.Path = "/api/Calls" }), 404},

		"too large":                     {post(t, good, huge), 413},
		"too large, length not told":    {change(func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader(huge)), -1 }), 413},
		"too large and a stranger":      {post(t, "", huge), 413},
		"length not told, a stranger":   {change(func(r *http.Request) { r.ContentLength = -1; r.Header.Del("Authorization") }), 401},
		"stranger's wrong content type": {change(func(r *http.Request) { r.Header = http.Header{} }), 401},

		"no content type":   {header("Content-Type", ""), 415},
		"form":              {header("Content-Type", "application/x-www-form-urlencoded"), 415},
		"text":              {header("Content-Type", "text/plain; application/json"), 415},
		"utf-16":            {header("Content-Type", "application/json; charset=utf-16"), 415},
		"compressed":        {header("Content-Encoding", "gzip"), 415},
		"charset":           {header("Content-Type", `application/json; charset="UTF-8"; odata.metadata=minimal`), 202},
		"not compressed":    {header("Content-Encoding", "identity"), 202},
		"content type case": {header("Content-Type", "Application/JSON"), 202},

		"empty":               {post(t, good, ""), 400},
		"not JSON":            {post(t, good, "hello"), 400},
		"cut":                 {post(t, good, invite(ourTenant, callID)[:200]), 400},
		"trailing":            {post(t, good, invite(ourTenant, callID)+"{}"), 400},
		"array":               {post(t, good, "[]"), 400},
		"null":                {post(t, good, "null"), 400},
		"wrong type":          {post(t, good, strings.Replace(invite(ourTenant, callID), "commsNotifications", "chatMessages", 1)), 400},
		"deep arrays":         {post(t, good, batch(strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000))), 400},
		"deep objects":        {post(t, good, batch(strings.Repeat(`{"a":`, 50_000)+"1"+strings.Repeat("}", 50_000))), 400},
		"10 000 entries":      {post(t, good, batch(strings.Split(strings.Repeat("{},", 9999)+"{}", ",")...)), 400},
		"call ID is a path":   {post(t, good, invite(ourTenant, "../../users/x")), 400},
		"call ID with query":  {post(t, good, invite(ourTenant, "x?y=z")), 400},
		"call ID with escape": {post(t, good, invite(ourTenant, "x%2fy")), 400},
		"call ID endless":     {post(t, good, invite(ourTenant, strings.Repeat("x", 4000))), 400},

		"other tenant":                   {post(t, good, invite(otherTenant, callID)), 401},
		"other tenant in a batch":        {post(t, good, batch(entry(ourTenant, callID), entry(otherTenant, callID))), 401},
		"tenant in another form, as one": {post(t, good, invite(strings.ToUpper(strings.ReplaceAll(ourTenant, "-", "")), callID)), 202},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t, nil)
			w := e.do(test.r)
			if w.Code != test.status {
				t.Fatalf("status %d (%s), want %d", w.Code, w.Body, test.status)
			}
			if got := e.value(t, "recorderbot_callback_requests_total", "code", fmt.Sprint(test.status)); got != 1 {
				t.Errorf("counted %v times", got)
			}
			if test.status == 202 {
				return
			}
			if len(e.receiver.batches()) != 0 {
				t.Error("handed over all the same")
			}
			if got := e.value(t, "recorderbot_callbacks_rejected_total"); got != 1 {
				t.Errorf("the refusal is counted %v times", got)
			}
			if body := w.Body.String(); strings.Count(body, "\n") != 1 || len(body) > 200 {
				t.Errorf("the reply is not one line: %q", body)
			}
			if allow := w.Header().Get("Allow"); (test.status == 405) != (allow == "POST") {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

// untouchable is a body that must not be read.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read before the token was verified")
	return 0, io.EOF
}

func (untouchable) Close() error { return nil }

// TestStrangersBodyIsNotRead is law 7.
func TestStrangersBodyIsNotRead(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	for _, bearer := range []string{"", "garbage", goodToken().by(testKeys()[1], "k0").String(), goodToken().with("tid", otherTenant).String()} {
		r := post(t, bearer, "")
		r.Body, r.ContentLength = untouchable{t}, -1
		if w := e.do(r); w.Code != 401 {
			t.Errorf("status %d", w.Code)
		}
	}
}

func TestReceiverRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err     error
		status  int
		retry   bool
		verdict string
	}{
		"busy":      {fmt.Errorf("mailbox: %w", ErrBusy), 503, true, verdictBusy},
		"forbidden": {fmt.Errorf("call: %w", ErrForbidden), 401, false, verdictForbidden},
		"other":     {errors.New("wires crossed: secret"), 503, true, verdictFailed},
	} {
		e := newEdge(t, nil)
		e.receiver.receive = func(context.Context, []graph.Notification) error { return test.err }
		w := e.do(post(t, goodToken().String(), invite(ourTenant, callID)))
		if w.Code != test.status || (w.Header().Get("Retry-After") != "") != test.retry {
			t.Errorf("%s: status %d, Retry-After %q", name, w.Code, w.Header().Get("Retry-After"))
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: our error went out: %q", name, w.Body)
		}
		if got := e.value(t, "recorderbot_notifications_total", "verdict", test.verdict); got != 1 {
			t.Errorf("%s: verdict counted %v times", name, got)
		}
	}
}

// TestReceiverPanics: 500, counted, logged without the panic's value, and the
// next request is served.
func TestReceiverPanics(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.DebugLevel)
	e := newEdge(t, func(o *Options) { o.Log = zap.New(core) })
	for _, value := range []any{"quoted body", errors.New("quoted body"), 7} {
		e.receiver.receive = func(context.Context, []graph.Notification) error { panic(value) }
		if w := e.do(post(t, goodToken().String(), invite(ourTenant, callID))); w.Code != 500 {
			t.Errorf("status %d", w.Code)
		}
	}
	e.receiver.receive = func(_ context.Context, ns []graph.Notification) error {
		_ = ns[len(ns)] // a runtime error
		return nil
	}
	if w := e.do(post(t, goodToken().String(), invite(ourTenant, callID))); w.Code != 500 {
		t.Errorf("status %d", w.Code)
	}
	if got := e.value(t, "recorderbot_callbacks_rejected_total", "reason", string(reasonPanic)); got != 4 {
		t.Errorf("counted %v times, want 4", got)
	}
	e.receiver.receive = nil
	if w := e.do(post(t, goodToken().String(), invite(ourTenant, callID))); w.Code != 202 {
		t.Errorf("status %d afterwards", w.Code)
	}
	all := fmt.Sprint(logs.All())
	if strings.Contains(all, "quoted body") || !strings.Contains(fmt.Sprint(logs.FilterMessageSnippet("panic").All()), "index out of range") {
		t.Errorf("log: %.500s", all)
	}
}

// TestSenderHangsUp: what has arrived is handed over although nobody waits for
// the reply.
func TestSenderHangsUp(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	e.receiver.receive = func(ctx context.Context, _ []graph.Notification) error {
		hangUp()
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the receiver may take for ever")
		}
		return ctx.Err()
	}
	if w := e.do(post(t, goodToken().String(), invite(ourTenant, callID)).WithContext(ctx)); w.Code != 202 {
		t.Errorf("status %d", w.Code)
	}
}

func joiningBody() string {
	return `{"@odata.type":"#microsoft.graph.participantJoiningNotification","call":{"@odata.type":"#microsoft.graph.call",
"id":"` + callID + `","state":"incoming","direction":"incoming","tenantId":"` + ourTenant + `",
"incomingContext":{"observedParticipantId":"ec040873-8235-45fd-a403-c7259a5a548e"}}}`
}

func TestJoining(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	for range 2 { // it is repeated
		w := e.do(post(t, goodToken().String(), joiningBody()))
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") ||
			!strings.Contains(w.Body.String(), "#microsoft.graph.acceptJoinResponse") {
			t.Fatalf("status %d, %s: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
	e.receiver.joining = func() ([]byte, error) { return nil, ErrBusy }
	if w := e.do(post(t, goodToken().String(), joiningBody())); w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
	e.receiver.joining = func() ([]byte, error) { return nil, ErrForbidden }
	if w := e.do(post(t, goodToken().String(), joiningBody())); w.Code != 401 {
		t.Errorf("status %d", w.Code)
	}
	if w := e.do(post(t, goodToken().String(), strings.ReplaceAll(joiningBody(), ourTenant, otherTenant))); w.Code != 401 {
		t.Errorf("status %d", w.Code)
	}
}

// TestJoiningInBatch: the rest of the batch goes its usual way; two questions
// cannot be answered by one reply.
func TestJoiningInBatch(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	joining := `{"@odata.type":"#microsoft.graph.commsNotification","changeType":"created","resourceUrl":"/communications/calls/` +
		callID + `","resourceData":` + joiningBody() + `}`
	w := e.do(post(t, goodToken().String(), batch(entry(ourTenant, callID), joining, entry(ourTenant, callID))))
	if w.Code != 200 {
		t.Fatalf("status %d (%s)", w.Code, w.Body)
	}
	if got := e.receiver.batches(); len(got) != 1 || len(got[0]) != 2 {
		t.Errorf("handed over: %v", got)
	}
	if w := e.do(post(t, goodToken().String(), batch(joining, entry(ourTenant, callID), joining))); w.Code != 400 {
		t.Errorf("two questions: status %d", w.Code)
	}
	if got := e.receiver.batches(); len(got) != 1 {
		t.Errorf("handed over although refused: %v", got)
	}
}

// TestAccessLog: one line each, with what is promised and nothing else.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.DebugLevel)
	e := newEdge(t, func(o *Options) { o.Log = zap.New(core) })
	good := goodToken().String()
	body := strings.Replace(invite(ourTenant, callID), `"state"`, `"subject":"Merger talks","state"`, 1)
	r := post(t, good, body)
	r.Header.Set(messageID, "1ef734c1-0497-4844-aef6-a73b8de5aaf0\r\nforged=line \x1b[31m"+strings.Repeat("x", 9000))
	r.URL.RawQuery = "token=hidden"
	e.do(r)
	r = post(t, "strangers-token", body)
	r.URL.Path, r.Method = "/\n<script>"+strings.Repeat("y", 9000), "BR\nEW"
	e.do(r)
	entries := logs.All()
	if len(entries) != 2 {
		t.Fatalf("%d lines, want 2", len(entries))
	}
	first := entries[0].ContextMap()
	for key, want := range map[string]any{
		"method": "POST", "path": Path, "status": int64(202), "size": int64(len(body)),
		"notifications": int64(1), "kinds": []any{graph.Invite.String()},
	} {
		if diff := cmp.Diff(want, first[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if id, _ := first["messageID"].(string); !strings.HasPrefix(id, "1ef734c1-0497-4844-aef6-a73b8de5aaf0??forged?line") || len(id) > 64 {
		t.Errorf("messageID: %q", id)
	}
	all := fmt.Sprint(first, entries[1].ContextMap())
	for _, secret := range []string{good, "hidden", "Merger", "strangers", "ec040873", "\n", "\x1b", "<", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"} {
		if strings.Contains(all, secret) {
			t.Errorf("the log holds %q: %.300s", secret, all)
		}
	}
}

func TestNewFindsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := New(Options{OpenIDConfigurationURL: "http://example.com/x", Tenants: []string{" "}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"application ID", "tenant", "receiver", "https"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	s, err := New(Options{AppID: appID, Tenants: []string{ourTenant}, Receiver: &receiver{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "not read yet") {
		t.Errorf("Ready: %v", err)
	}
}

// failing is a body that breaks off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
func (failing) Close() error               { return nil }

func TestBodyDoesNotArrive(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	for status, err := range map[int]error{408: os.ErrDeadlineExceeded, 400: io.ErrUnexpectedEOF} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, failing{err})
		r.Header = post(t, goodToken().String(), "").Header
		if w := e.do(r); w.Code != status {
			t.Errorf("status %d, want %d", w.Code, status)
		}
	}
}
