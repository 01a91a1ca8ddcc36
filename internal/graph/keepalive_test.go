package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A sky is the platform without a network, for bubbles: a desk that sells tokens,
// and Graph; now and then nothing of it works.
type sky struct {
	desk

	mu       sync.Mutex // guards what follows
	trouble  func(*http.Request) *http.Response
	accepted map[string]time.Time // keepAlives, by path
	longest  time.Duration
	graph    map[int64]int // keepAlive requests by second
	bought   map[int64]int // token requests by second
}

// RoundTrip implements http.RoundTripper.
func (s *sky) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	trouble, now := s.trouble, time.Now()
	switch {
	case strings.HasSuffix(r.URL.Path, "/keepAlive"):
		s.graph[now.Unix()]++
	case strings.HasSuffix(r.URL.Path, "/token"):
		s.bought[now.Unix()]++
	}
	s.mu.Unlock()
	if trouble != nil {
		switch resp := trouble(r); {
		case resp == nil:
			<-r.Context().Done()
			return nil, r.Context().Err()
		case resp.StatusCode != 0:
			return resp, nil
		}
	}
	if !strings.HasPrefix(r.URL.Path, "/v1.0/") {
		return s.desk.RoundTrip(r)
	}
	switch r.URL.Path[strings.LastIndex(r.URL.Path, "/"):] {
	case "/updateRecordingStatus":
		var asked statusBody
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return nil, err
		}
		return respond(200, fmt.Sprintf(`{"id":"op","status":"completed","clientContext":%q}`, asked.ClientContext)), nil
	case "/participants":
		return respond(200, `{"value":[]}`), nil
	case "/keepAlive":
		s.mu.Lock()
		defer s.mu.Unlock()
		if last, ok := s.accepted[r.URL.Path]; ok {
			s.longest = max(s.longest, now.Sub(last))
		}
		s.accepted[r.URL.Path] = now
	}
	return respond(202, ""), nil
}

func respond(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// under has the platform in trouble for a time, and returns the most requests that
// came in a second, from its beginning until all calls had their turn again.
func (s *sky) under(length time.Duration, trouble func(*http.Request) *http.Response) (graph, bought int) {
	s.mu.Lock()
	clear(s.graph)
	clear(s.bought)
	s.longest, s.trouble = 0, trouble
	s.mu.Unlock()
	<-time.After(length)
	s.mu.Lock()
	s.trouble = nil
	s.mu.Unlock()
	<-time.After(15 * time.Minute)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.graph {
		graph = max(graph, n)
	}
	for _, n := range s.bought {
		bought = max(bought, n)
	}
	return graph, bought
}

// An easy recorder has media and a ledger that always say yes.
type easy struct{}

func (easy) CreateSession(context.Context, recorder.CallRef, recorder.Placement) (recorder.Session, error) {
	return recorder.Session{ID: "s", Host: "h", Blob: "b"}, nil
}

func (easy) Open(context.Context, recorder.Permit) (recorder.Opened, error) {
	return recorder.Opened{Recording: "r"}, nil
}

func (easy) Seal(context.Context, recorder.SealOrder) (recorder.SealReport, error) {
	return recorder.SealReport{Recording: "r"}, nil
}

func (easy) Release(context.Context, recorder.CallID, string) error { return nil }

func (easy) Invited(recorder.Invite) {}

func (easy) Append(context.Context, ...recorder.Entry) error { return nil }

func (easy) Note(recorder.Entry) bool { return true }

func (easy) Conclude(context.Context, recorder.Conclusion) error { return nil }

// TestKeepAlivesThroughOutages: whole calls and the whole client, with its tokens
// and repetitions, through eight minutes of each kind of outage: 20 minutes without
// a keepAlive are not exceeded, and neither Graph nor the authority is run down.
func TestKeepAlivesThroughOutages(t *testing.T) {
	t.Parallel()
	calls := 400
	if testing.Short() {
		calls = 100
	}
	secret := secretFile(t)
	synctest.Test(t, func(t *testing.T) {
		s := &sky{accepted: map[string]time.Time{}, graph: map[int64]int{}, bought: map[int64]int{}}
		c := newDeskClient(t, &s.desk, secret)
		c.http.Transport, c.tokens.http = s, &http.Client{Transport: s}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		c.Warm(ctx, []string{testTenant})
		r := recorder.NewRegistry(ctx, recorder.Options{Platform: c, Media: easy{}, Ledger: easy{}})
		for n := range calls { // all in the same second
			ref := testRef()
			ref.ID = recorder.CallID(fmt.Sprintf("call-%d", n))
			ref.Platform = string(ref.ID)
			r.Invite(recorder.Invite{Call: ref, At: time.Now(), ObservedParticipant: "p"})
		}
		synctest.Wait()
		for n := range calls {
			if err := r.Post(recorder.CallID(fmt.Sprintf("call-%d", n)), recorder.Established{}); err != nil {
				t.Fatal(err)
			}
		}
		s.judge(t, calls, "all is well", nil)
		s.judge(t, calls, "http 503", func(*http.Request) *http.Response { return respond(503, "{}") })
		s.judge(t, calls, "http 429", func(*http.Request) *http.Response { return respond(429, "{}", "Retry-After", "90") })
		s.judge(t, calls, "no reply", func(*http.Request) *http.Response { return nil })
		s.judge(t, calls, "no token", func(r *http.Request) *http.Response {
			if strings.HasPrefix(r.URL.Path, "/v1.0/") {
				return respond(401, "{}") // what was bought is not taken either
			}
			return respond(500, "{}")
		})
		if live := r.Live(); live != calls {
			t.Errorf("%d of %d calls live", live, calls)
		}
		stop()
		_ = r.Wait(t.Context())
	})
}

func (s *sky) judge(t *testing.T, calls int, what string, trouble func(*http.Request) *http.Response) {
	t.Helper()
	graph, bought := s.under(8*time.Minute, trouble)
	t.Logf("%s: longest interval %v, at most %d keepAlives and %d purchases a second", what, s.longest.Round(time.Second), graph, bought)
	if s.longest > 20*time.Minute {
		t.Errorf("%s: %v without a keepAlive", what, s.longest)
	}
	if most := calls/10 + 10; graph > most {
		t.Errorf("%s: %d keepAlives in a second from %d calls", what, graph, calls)
	}
	if bought > 10 {
		t.Errorf("%s: %d purchases of tokens in a second", what, bought)
	}
}
