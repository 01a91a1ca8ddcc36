package media

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// metric reads one series.
func (w *world) metric(series string) float64 {
	w.tb.Helper()
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(w.reg, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequestWithContext(w.tb.Context(), http.MethodGet, "/", http.NoBody))
	body, err := io.ReadAll(rec.Body)
	if err != nil {
		w.tb.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if v, ok := strings.CutPrefix(line, series+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil {
				w.tb.Fatal(err)
			}
			return f
		}
	}
	w.tb.Fatalf("there is no %s", series)
	return 0
}

// TestPlacement: which host is asked, and what happens when it says no.
func TestPlacement(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		a, b func(*testHost) // changes a host under its lock
		want string          // "": none
	}{
		"least loaded":       {func(h *testHost) { h.info.Capacity, h.info.Sessions = 10, 5 }, func(h *testHost) { h.info.Capacity, h.info.Sessions = 10, 4 }, "host-b"},
		"own region first":   {func(h *testHost) { h.info.Region = "USEA" }, func(h *testHost) { h.info.Sessions, h.info.Capacity = 9, 10 }, "host-b"},
		"heavily loaded":     {func(h *testHost) { h.info.Health = pb.Health_HEALTH_HEAVILY_LOADED }, nil, "host-b"},
		"draining":           {func(h *testHost) { h.info.Draining = true }, nil, "host-b"},
		"full":               {func(h *testHost) { h.info.Capacity = 0 }, nil, "host-b"},
		"exhausted":          {func(h *testHost) { h.refuse = status.Error(codes.ResourceExhausted, "x") }, nil, "host-b"},
		"unavailable":        {func(h *testHost) { h.refuse = status.Error(codes.Unavailable, "x") }, nil, "host-b"},
		"hanging":            {func(h *testHost) { h.hang = make(chan struct{}) }, nil, "host-b"},
		"nobody can take it": {func(h *testHost) { h.info.Draining = true }, func(h *testHost) { h.refuse = status.Error(codes.ResourceExhausted, "x") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{hosts: 2})
			a, b := w.hosts[0], w.hosts[1]
			a.change(func() { tt.a(a) })
			if tt.b != nil {
				b.change(func() { tt.b(b) })
			} else {
				b.change(func() { b.info.Sessions = 50_000 }) // so that a is asked first
			}
			for i, h := range w.hosts {
				eventually(t, "a link", func() bool {
					h.mu.Lock()
					defer h.mu.Unlock()
					return h.current != nil
				})
				h.tell()
				eventually(t, "news of the host", func() bool {
					got := w.service.Health()[i]
					h.mu.Lock()
					defer h.mu.Unlock()
					return got.Draining == h.info.GetDraining() && got.Sessions == h.info.GetSessions() &&
						got.Capacity == h.info.GetCapacity() && got.Region == h.info.GetRegion() &&
						(got.Draining || got.Health == healthLabel(h.info.GetHealth()))
				})
			}
			began := time.Now()
			session, err := w.service.CreateSession(t.Context(), recorder.CallRef{ID: "c"}, recorder.Placement{Region: "EUNO"})
			if took := time.Since(began); took > placeLimit+200*time.Millisecond {
				t.Errorf("it took %v", took)
			}
			if session.Host != tt.want || (err == nil) == (tt.want == "") {
				t.Errorf("placed on %q: %v", session.Host, err)
			}
			if err != nil && (!errors.Is(err, recorder.ErrNoMediaHost) || !strings.Contains(err.Error(), "draining")) {
				t.Errorf("the error does not say why: %v", err)
			}
			if err := w.service.Release(t.Context(), "c", "test"); err != nil {
				t.Error(err)
			}
		})
	}
}

func healthLabel(h pb.Health) string {
	if h == pb.Health_HEALTH_NORMAL {
		return "normal"
	}
	return "heavilyLoaded"
}

// TestDownHost: calls go to the host that is there, and the gauges say so.
func TestDownHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{hosts: 2})
	w.hosts[0].stop()
	eventually(t, "the cut", func() bool { return !w.service.Health()[0].Up })
	for range 3 {
		id := recorder.CallID("c" + strconv.Itoa(int(time.Now().UnixNano())))
		if s, err := w.service.CreateSession(t.Context(), recorder.CallRef{ID: id}, recorder.Placement{Region: "EUNO"}); err != nil || s.Host != "host-b" {
			t.Fatalf("%+v %v", s, err)
		}
	}
	eventually(t, "the alert", func() bool { return w.metric("recorderbot_media_links_down") == 1 })
	if w.metric(`recorderbot_media_hosts{health="down"}`) != 1 || w.metric(`recorderbot_media_hosts{health="normal"}`) != 1 {
		t.Error("media_hosts is wrong")
	}
	if age := w.metric("recorderbot_media_sdk_age_days"); age < 1.9 || age > 2.1 {
		t.Errorf("SDK age %v", age)
	}
	w.hosts[0].start()
	eventually(t, "the host", func() bool {
		return w.service.Health()[0].TakesCalls() && w.metric("recorderbot_media_links_down") == 0
	})
}

// TestLateStop: a session whose host could not be told to dispose of it is
// disposed of when the host is back.
func TestLateStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	s, err := w.service.CreateSession(t.Context(), recorder.CallRef{ID: "c"}, recorder.Placement{})
	if err != nil {
		t.Fatal(err)
	}
	h.stop()
	eventually(t, "the cut", func() bool { return !w.service.Health()[0].Up })
	if err := w.service.Release(t.Context(), "c", "test"); err == nil {
		t.Error("released without a host")
	}
	if err := w.service.Release(t.Context(), "c", "test"); err != nil {
		t.Errorf("not idempotent: %v", err)
	}
	h.start()
	eventually(t, "StopSession", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return slices.Contains(h.stopped, s.ID)
	})
}

// TestMisuse: what the recorder can't ask for.
func TestMisuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	if _, err := w.service.Open(t.Context(), recorder.Permit{}); !errors.Is(err, recorder.ErrNotPermitted) {
		t.Errorf("opened without a permit: %v", err)
	}
	if _, err := w.service.Seal(t.Context(), recorder.SealOrder{}); !errors.Is(err, ErrUnknownCall) {
		t.Errorf("sealed nothing: %v", err)
	}
	if w.service.Discarded("nobody") != nil {
		t.Error("discarded frames of nobody")
	}
	for name, o := range map[string]Options{
		"no hosts": {},
		"no spool": {Hosts: []string{"h:1"}},
		"audio":    {Hosts: []string{"h:1"}, Spool: w.spool, Post: func(recorder.CallID, recorder.Event) {}, Streams: Streams{Cameras: 11}},
		"no TLS":   {Hosts: []string{"h:1"}, Spool: w.spool, Post: func(recorder.CallID, recorder.Event) {}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// An owner hears nothing that matters here.
type nobody struct{}

func (nobody) Attached(link.Attached)            {}
func (nobody) Opened(uint64)                     {}
func (nobody) Paused(uint64)                     {}
func (nobody) Gap(frame.Gap)                     {}
func (nobody) Speakers(uint64, []uint32, uint32) {}
func (nobody) ReceiveStatus(uint8, bool, bool)   {}
func (nobody) Subscribed(uint8, uint32, string)  {}
func (nobody) Cut(string)                        {}
func (nobody) Lost(link.Loss)                    {}

// TestMadeButNotAttached: a session that was made on the host and cannot be
// attached is stopped there.
func TestMadeButNotAttached(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	h.change(func() { h.muteAtt = true })
	var all []*link.Session
	for i := 0; ; i++ {
		one, err := w.service.hosts[0].link.Attach(fmt.Sprintf("s%d", i), nobody{})
		if errors.Is(err, link.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	_, err := w.service.CreateSession(t.Context(), recorder.CallRef{ID: "c"}, recorder.Placement{})
	if !errors.Is(err, link.ErrFull) {
		t.Fatalf("placed: %v", err)
	}
	for _, one := range all {
		one.Detach()
	}
	made := h.session(0).id
	eventually(t, "the session to be stopped", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return slices.Contains(h.stopped, made)
	})
}
