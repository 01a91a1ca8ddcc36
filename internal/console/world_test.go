package console

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/durable/durabletest"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The tokens of the tests' identities.
const (
	viewerToken   = "viewer-0123456789abcdef0123456789abcdef"
	operatorToken = "operator-0123456789abcdef0123456789abcdef"
	adminToken    = "admin-0123456789abcdef0123456789abcdef"
	strangeToken  = "strange-0123456789abcdef0123456789abcdef"
)

const liveCall recorder.CallID = "0efc74f7-41c3-47a4-8775-7259bfef4241"

// A desk is the recorder as far as the console sees it: one live call, and what
// came of the next order. What really comes of orders is shown with the whole bot
// in cmd/recorderbot.
type desk struct {
	mu     sync.Mutex
	orders []string
	err    error // of the next orders
	hold   bool  // orders wait for their context
	lost   bool  // no call is live
	drains int
	panics bool
	before func() // is called when an order arrives
}

func (d *desk) view() recorder.View {
	return recorder.View{
		Call: liveCall, Tenant: "t", State: "recording", ObservedUser: "u", Recording: "r", ThreadID: "19:x", InvitedAt: time.Unix(1, 0), Since: time.Unix(2, 0),
	}
}

func (d *desk) Calls() []recorder.View {
	d.said("list")
	return []recorder.View{d.view()}
}

func (d *desk) View(id recorder.CallID) (recorder.View, bool) {
	d.said("show " + string(id))
	return d.view(), id == liveCall && !d.lost
}

func (d *desk) said(order string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.orders = append(d.orders, order)
}

func (d *desk) order(ctx context.Context, order string, id recorder.CallID) (recorder.View, error) {
	if d.before != nil {
		d.before()
	}
	d.said(order + " " + string(id))
	switch {
	case ctx.Err() != nil:
		return d.view(), ctx.Err()
	case d.panics:
		panic("secret")
	case id != liveCall || d.lost:
		return recorder.View{}, recorder.ErrUnknownCall
	case d.hold:
		<-ctx.Done()
		return d.view(), ctx.Err()
	}
	return d.view(), d.err
}

func (d *desk) Pause(ctx context.Context, id recorder.CallID) (recorder.View, error) {
	return d.order(ctx, "pause", id)
}

func (d *desk) Resume(ctx context.Context, id recorder.CallID) (recorder.View, error) {
	return d.order(ctx, "resume", id)
}

func (d *desk) Stop(ctx context.Context, id recorder.CallID) (recorder.View, error) {
	return d.order(ctx, "stop", id)
}

func (d *desk) Drain() {
	d.said("drain")
	d.drains++
}
func (d *desk) Draining() bool { return d.drains > 0 }
func (d *desk) Live() int      { return 1 }

// A world is a console with its desk and a true catalogue.
type world struct {
	desk      *desk
	server    *Server
	catalogue *catalogue.Catalogue
	dir       string
	registry  *prometheus.Registry
	logs      *observer.ObservedLogs
}

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	w := &world{desk: &desk{}, dir: durabletest.Dir(t), registry: prometheus.NewRegistry()}
	core, logs := observer.New(zap.DebugLevel)
	w.logs = logs
	var err error
	if w.catalogue, err = catalogue.Open(t.Context(), "sqlite:catalogue.db", w.dir, catalogue.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.catalogue.Close(context.Background()) })
	o := Options{
		Recorder: w.desk, Auditor: w.catalogue, Version: "v1", Registerer: w.registry, Log: zap.New(core),
		Tokens: []Token{
			{"eye", RoleViewer, w.write(t, "viewer", viewerToken)},
			{"desk", RoleOperator, w.write(t, "operator", operatorToken)},
			{"chief", RoleAdmin, w.write(t, "admin", adminToken+"\n")},
		},
	}
	if change != nil {
		change(&o)
	}
	if w.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

// write writes a file beside the catalogue and returns its path.
func (w *world) write(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(w.dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// ask sends a request with a token, in whose body everything is read.
func (w *world) ask(method, path, token string, body io.Reader, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, path, body)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, f := range change {
		f(r)
	}
	reply := httptest.NewRecorder()
	w.server.Handler().ServeHTTP(reply, r)
	return reply
}

// audit is the audit as text, oldest entry first.
func (w *world) audit(t *testing.T) []string {
	t.Helper()
	all, err := w.catalogue.Audited(t.Context(), catalogue.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	var lines []string
	for _, e := range all {
		lines = append(lines, strings.TrimSpace(strings.Join([]string{e.Identity, e.Role, e.Action, string(e.Call), e.Result, e.Detail}, " ")))
	}
	return lines
}

func decode[T any](t *testing.T, reply *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	d := json.NewDecoder(reply.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%d: %v", reply.Code, err)
	}
	return v
}

// counts are a counter's series that are not 0.
func (w *world) counts(t *testing.T, name string) map[string]float64 {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if n := m.GetCounter().GetValue(); f.GetName() == name && n > 0 {
				counts[strings.Join(labels, " ")] = n
			}
		}
	}
	return counts
}
