package callbacks

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/graph"
)

func BenchmarkVerifyCached(b *testing.B) { benchmarkVerify(b, func(*edge) {}) }

func BenchmarkVerifyUncached(b *testing.B) {
	benchmarkVerify(b, func(e *edge) { clear(e.verifier.cache.tokens) })
}

func benchmarkVerify(b *testing.B, before func(*edge)) {
	b.Helper()
	e := newEdge(b, nil)
	header := http.Header{"Authorization": {"Bearer " + goodToken().with("exp", time.Now().Add(time.Hour).Unix()).String()}}
	b.ReportAllocs()
	for b.Loop() {
		before(e)
		if _, no := e.verifier.authenticate(context.Background(), header); no != nil {
			b.Fatal(no)
		}
	}
}

// sink is a ResponseWriter that costs nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// nowhere takes everything and keeps nothing.
type nowhere struct{}

func (nowhere) Receive(context.Context, Caller, []graph.Notification) error { return nil }

func (nowhere) Joining(context.Context, Caller, graph.Notification) ([]byte, error) { return nil, nil }

// BenchmarkPost is one invite through the whole handler, less the network.
func BenchmarkPost(b *testing.B) {
	e := newEdge(b, func(o *Options) { o.Receiver = nowhere{} })
	body := invite(ourTenant, callID)
	r := post(b, goodToken().String(), body)
	reader := strings.NewReader(body)
	r.Body = io.NopCloser(reader)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		reader.Reset(body)
		w := &sink{header: http.Header{}}
		e.Handler().ServeHTTP(w, r)
		if w.status != http.StatusAccepted {
			b.Fatal(w.status)
		}
	}
}
