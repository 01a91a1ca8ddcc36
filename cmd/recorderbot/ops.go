package main

import (
	"encoding/json"
	"net/http"
	"sort"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A readyCheck says why the bot can't take calls now; nil is ready.
type readyCheck struct {
	name  string
	check func() error
}

// opsHandler serves what operators and their machines ask: metrics, whether
// the process lives, and whether it can take calls and why not.
func opsHandler(reg *prometheus.Registry, checks []readyCheck) http.Handler {
	r := chi.NewRouter()
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{Registry: reg}))
	r.Get("/livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("alive\n"))
	})
	r.Get("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		reply := readiness(checks)
		w.Header().Set("Content-Type", "application/json")
		if !reply.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(reply)
	})
	return r
}

// readyReply is the body of /readyz.
type readyReply struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons,omitempty"` // what keeps it from being ready
}

func readiness(checks []readyCheck) readyReply {
	reply := readyReply{Ready: true}
	for _, c := range checks {
		if err := c.check(); err != nil {
			reply.Ready = false
			reply.Reasons = append(reply.Reasons, c.name+": "+err.Error())
		}
	}
	sort.Strings(reply.Reasons)
	return reply
}

func newOpsServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
}
