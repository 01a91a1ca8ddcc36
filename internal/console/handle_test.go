package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

const callPath = Root + "/calls/" + string(liveCall)

// TestEveryStatus: each reply, what was asked of the recorder for it, and what the
// audit has of it.
func TestEveryStatus(t *testing.T) {
	t.Parallel()
	conflict := fmt.Errorf("%w: pause in state announcing", recorder.ErrConflict)
	id := string(liveCall)
	json := func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }
	type setting func(*desk)
	for name, tt := range map[string]struct {
		method, path, token, body string
		set                       setting
		change                    func(*http.Request)
		status                    int
		orders, audit             []string
	}{
		"list":               {"GET", "/calls", viewerToken, "", nil, nil, 200, []string{"list"}, []string{"token/eye viewer list  granted"}},
		"show":               {"GET", "/calls/" + id, viewerToken, "", nil, nil, 200, []string{"show " + id}, []string{"token/eye viewer show " + id + " granted"}},
		"show, capitals":     {"GET", "/calls/" + strings.ToUpper(id), viewerToken, "", nil, nil, 200, []string{"show " + id}, []string{"token/eye viewer show " + id + " granted"}},
		"show, unknown":      {"GET", "/calls/nobody", viewerToken, "", nil, nil, 404, []string{"show nobody"}, []string{"token/eye viewer show nobody granted"}},
		"show, odd":          {"GET", "/calls/a%2f..%2fb", viewerToken, "", nil, nil, 404, nil, nil},
		"show, long":         {"GET", "/calls/" + strings.Repeat("a", 300), viewerToken, "", nil, nil, 404, nil, nil},
		"status":             {"GET", "/status", viewerToken, "", nil, nil, 200, nil, []string{"token/eye viewer status  granted"}},
		"pause":              {"POST", "/calls/" + id + "/pause", operatorToken, "", nil, nil, 200, []string{"pause " + id}, []string{"token/desk operator pause " + id + " granted", "token/desk operator pause " + id + " done"}},
		"resume by an admin": {"POST", "/calls/" + id + "/resume", adminToken, "", nil, nil, 200, []string{"resume " + id}, []string{"token/chief admin resume " + id + " granted", "token/chief admin resume " + id + " done"}},
		"stop, with reason":  {"POST", "/calls/" + id + "/stop", operatorToken, `{"reason": "asked"}`, nil, json, 200, []string{"stop " + id}, []string{"token/desk operator stop " + id + " granted asked", "token/desk operator stop " + id + " done"}},
		"stop, unknown":      {"POST", "/calls/nobody/stop", operatorToken, "", nil, nil, 404, []string{"stop nobody"}, []string{"token/desk operator stop nobody granted", "token/desk operator stop nobody notFound recorder: no such call"}},
		"conflict":           {"POST", "/calls/" + id + "/pause", operatorToken, "", func(d *desk) { d.err = conflict }, nil, 409, []string{"pause " + id}, []string{"token/desk operator pause " + id + " granted", "token/desk operator pause " + id + " conflict " + conflict.Error()}},
		"unjournaled":        {"POST", "/calls/" + id + "/pause", operatorToken, "", func(d *desk) { d.err = io.ErrShortWrite }, nil, 503, []string{"pause " + id}, []string{"token/desk operator pause " + id + " granted", "token/desk operator pause " + id + " failed short write"}},
		"panic":              {"POST", "/calls/" + id + "/pause", operatorToken, "", func(d *desk) { d.panics = true }, nil, 500, []string{"pause " + id}, []string{"token/desk operator pause " + id + " granted", "token/desk operator pause " + id + " failed panic of type string"}},
		"drain":              {"POST", "/drain", adminToken, "", nil, nil, 200, []string{"drain"}, []string{"token/chief admin drain  granted", "token/chief admin drain  done"}},
		"viewer pauses":      {"POST", "/calls/" + id + "/pause", viewerToken, "", nil, nil, 403, nil, []string{"token/eye viewer pause " + id + " forbidden"}},
		"operator drains":    {"POST", "/drain", operatorToken, "", nil, nil, 403, nil, []string{"token/desk operator drain  forbidden"}},
		"no token":           {"POST", "/drain", "", "", nil, nil, 401, nil, nil},
		"strange token":      {"GET", "/calls", strangeToken, "", nil, nil, 401, nil, nil},
		"basic":              {"GET", "/calls", "", "", nil, func(r *http.Request) { r.SetBasicAuth("desk", operatorToken) }, 401, nil, nil},
		"two tokens":         {"GET", "/calls", viewerToken, "", nil, func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+viewerToken) }, 401, nil, nil},
		"no path, stranger":  {"GET", "/nowhere", strangeToken, "", nil, nil, 401, nil, nil},
		"no path":            {"GET", "/nowhere", viewerToken, "", nil, nil, 404, nil, nil},
		"empty ID":           {"POST", "/calls//pause", operatorToken, "", nil, nil, 404, nil, nil},
		"method":             {"DELETE", "/calls/" + id, adminToken, "", nil, nil, 405, nil, nil},
		"get an order":       {"GET", "/calls/" + id + "/stop", adminToken, "", nil, nil, 405, nil, nil},
		"head":               {"HEAD", "/calls", viewerToken, "", nil, nil, 405, nil, nil},
		"foreign site":       {"POST", "/drain", adminToken, "", nil, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403, nil, nil},
		"body of a read":     {"GET", "/calls", viewerToken, "{}", nil, json, 400, nil, nil},
		"too large":          {"POST", "/drain", adminToken, strings.Repeat(" ", mostBody+1), nil, json, 413, nil, nil},
		"too large, hidden":  {"POST", "/drain", adminToken, strings.Repeat(" ", mostBody+1), nil, func(r *http.Request) { json(r); r.ContentLength = -1 }, 413, nil, nil},
		"content type":       {"POST", "/drain", adminToken, "reason=x", nil, func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 415, nil, nil},
		"no content type":    {"POST", "/drain", adminToken, "{}", nil, nil, 415, nil, nil},
		"compressed":         {"POST", "/drain", adminToken, "{}", nil, func(r *http.Request) { json(r); r.Header.Set("Content-Encoding", "gzip") }, 415, nil, nil},
		"no JSON":            {"POST", "/drain", adminToken, "{", nil, json, 400, nil, nil},
		"unknown member":     {"POST", "/drain", adminToken, `{"force": true}`, nil, json, 400, nil, nil},
		"two values":         {"POST", "/drain", adminToken, `{} {}`, nil, json, 400, nil, nil},
		"long reason":        {"POST", "/drain", adminToken, `{"reason": "` + strings.Repeat("x", mostReason+1) + `"}`, nil, json, 400, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			if tt.set != nil {
				tt.set(w.desk)
			}
			var body io.Reader = http.NoBody
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			change := func(*http.Request) {}
			if tt.change != nil {
				change = tt.change
			}
			reply := w.ask(tt.method, Root+tt.path, tt.token, body, change)
			if reply.Code != tt.status {
				t.Errorf("status %d, want %d: %s", reply.Code, tt.status, reply.Body)
			}
			if diff := cmp.Diff(tt.orders, w.desk.orders); diff != "" {
				t.Errorf("orders (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.audit, w.audit(t)); diff != "" {
				t.Errorf("audit (-want +got):\n%s", diff)
			}
			h := reply.Header()
			if h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("headers %v", h)
			}
			if (reply.Code == 401) != (h.Get("WWW-Authenticate") != "") || (reply.Code == 405) != (h.Get("Allow") != "") || (reply.Code == 503) != (h.Get("Retry-After") != "") {
				t.Errorf("headers %v", h)
			}
			if reply.Code >= 400 {
				if p := decode[Problem](t, reply); p.Error == "" || p.Remedy == "" || strings.Contains(p.Error, "secret") {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Reasons = func() []string { return []string{"spool: full"} } })
	l := decode[Calls](t, w.ask("GET", Root+"/calls", viewerToken, http.NoBody))
	want := shown(w.desk.view())
	if diff := cmp.Diff(Calls{Calls: []Call{want}}, l); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, decode[Call](t, w.ask("GET", callPath, viewerToken, http.NoBody))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Order{Call: want, Done: true}, decode[Order](t, w.ask("POST", callPath+"/pause", operatorToken, http.NoBody))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Status{Version: "v1", Reasons: []string{"spool: full"}, Draining: true, Calls: 1}, decode[Status](t, w.ask("POST", Root+"/drain", adminToken, http.NoBody))); diff != "" {
		t.Error(diff)
	}
	if got := w.ask("GET", callPath+"/stop", adminToken, http.NoBody).Header().Get("Allow"); got != "POST" {
		t.Errorf("Allow: %s", got)
	}
	if got := w.ask("POST", Root+"/calls", adminToken, http.NoBody).Header().Get("Allow"); got != "GET" {
		t.Errorf("Allow: %s", got)
	}
}

// TestOrderThatTakesLong: the order stands, and who asked is told so.
func TestOrderThatTakesLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.ActTime = time.Millisecond })
	w.desk.hold = true
	reply := w.ask("POST", callPath+"/stop", operatorToken, http.NoBody)
	o := decode[Order](t, reply)
	if reply.Code != 202 || o.Done || o.Detail == "" || o.Call.State != "recording" {
		t.Errorf("%d %+v", reply.Code, o)
	}
	if lines := w.audit(t); !strings.Contains(lines[1], " pending context deadline exceeded") {
		t.Error(lines)
	}
}

// TestHangingUpTakesNothingBack: the order goes on, and what came of it is entered.
func TestHangingUpTakesNothingBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	w.desk.before = hangUp
	reply := w.ask("POST", callPath+"/stop", operatorToken, http.NoBody, func(r *http.Request) { *r = *r.WithContext(ctx) })
	if lines := w.audit(t); reply.Code != 200 || len(lines) != 2 || !strings.HasSuffix(lines[1], " done") {
		t.Errorf("%d, audit %q", reply.Code, lines)
	}
}

// TestAuditComesFirst: when an order arrives its entry is durable, and where there
// can be none, nothing is looked up or done.
func TestAuditComesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.desk.before = func() {
		if lines := w.audit(t); len(lines) != 1 || !strings.HasSuffix(lines[0], " granted") {
			t.Errorf("when the order arrives the audit has %q", lines)
		}
	}
	if reply := w.ask("POST", callPath+"/stop", operatorToken, http.NoBody); reply.Code != 200 {
		t.Error(reply.Code)
	}
	w.desk.orders = nil
	if err := w.catalogue.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, ask := range [][2]string{
		{"GET", "/calls"}, {"GET", "/calls/" + string(liveCall)}, {"GET", "/status"}, {"POST", "/calls/" + string(liveCall) + "/pause"}, {"POST", "/drain"},
	} {
		for _, token := range []string{adminToken, viewerToken} {
			reply := w.ask(ask[0], Root+ask[1], token, http.NoBody)
			if reply.Code != 503 || reply.Header().Get("Retry-After") == "" {
				t.Errorf("%v: %d %s", ask, reply.Code, reply.Body)
			}
		}
	}
	if len(w.desk.orders) != 0 || w.desk.drains != 0 {
		t.Errorf("without an audit the recorder was asked %q", w.desk.orders)
	}
}

// A trap is a body that must not be read.
type trap struct{ t testing.TB }

func (b trap) Read([]byte) (int, error) {
	b.t.Error("the body of a stranger is read")
	return 0, errors.New("read")
}

func (b trap) Close() error { return nil }

func TestNothingOfAStrangerIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, token := range []string{"", strangeToken, viewerToken} { // the viewer is none, and may not pause
		reply := w.ask("POST", callPath+"/pause", token, trap{t}, func(r *http.Request) {
			r.ContentLength = 10
			r.Header.Set("Content-Type", "application/json")
		})
		if reply.Code != 401 && reply.Code != 403 {
			t.Errorf("%q: %d", token, reply.Code)
		}
		if stranger := token != viewerToken; stranger != (reply.Header().Get("Connection") == "close") {
			t.Errorf("%q: headers %v", token, reply.Header())
		}
	}
}

// TestNoSecretInTheLog: whatever is sent, neither tokens nor bodies are logged.
func TestNoSecretInTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.write(t, "viewer", "short-secret")
	w.server.keyring.poll()
	w.desk.panics = true
	for _, token := range []string{operatorToken, strangeToken, adminToken} {
		w.ask("POST", callPath+"/pause?token="+token, token, strings.NewReader(`{"reason": "secret"}`), func(r *http.Request) {
			r.Header.Set("Content-Type", "application/json")
		})
	}
	for _, e := range w.logs.All() {
		line := fmt.Sprint(e.Message, e.ContextMap())
		for _, secret := range []string{operatorToken, strangeToken, adminToken, viewerToken, "secret"} {
			if strings.Contains(line, secret) {
				t.Errorf("%s is in: %s", secret, line)
			}
		}
	}
	if w.logs.Len() < 4 {
		t.Errorf("%d lines", w.logs.Len())
	}
}

// TestCounts: what is counted, in closed sets that are there from the start.
func TestCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	before := w.series(t)
	w.ask("GET", Root+"/calls", viewerToken, http.NoBody)
	w.ask("GET", Root+"/calls", strangeToken, http.NoBody)
	w.ask("GET", Root+"/nowhere", viewerToken, http.NoBody)
	w.ask("BREW", Root+"/calls/%01", "", http.NoBody)
	w.ask("POST", callPath+"/pause", operatorToken, http.NoBody)
	w.ask("POST", callPath+"/pause", viewerToken, http.NoBody)
	for name, want := range map[string]map[string]float64{
		"recorderbot_console_requests_total": {
			"list done": 1, "none unauthorized": 2, "none notFound": 1, "pause done": 1, "pause forbidden": 1,
		},
		"recorderbot_operator_actions_total":       {"pause done": 1},
		"recorderbot_console_logins_refused_total": {"unknownToken": 1, "noCredential": 1},
	} {
		if diff := cmp.Diff(want, w.counts(t, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if after := w.series(t); before != after {
		t.Errorf("%d series became %d", before, after)
	}
}

func (w *world) series(t *testing.T) int {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range families {
		n += len(f.GetMetric())
	}
	return n
}
