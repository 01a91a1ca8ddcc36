package chaos

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/recorderbot/recorderbot/internal/console"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// operators give orders through the console and remember what they were told.
type operators struct {
	sim   *simulation
	root  string
	token string
	http  *http.Client
	tasks sync.WaitGroup

	mu    sync.Mutex // guards what follows
	given []given
}

// simulation is what operators see of the calls.
type simulation struct {
	trace *trace.Log
	calls func() []cloud.Facts
}

// A given order, and what the console said of it.
type given struct {
	do, call     string
	asked, ended time.Time
	http         int  // 0: there was no reply
	done         bool // as the console says
	detail       string
}

func (g given) String() string {
	said := fmt.Sprintf("%d", g.http)
	if g.http == 0 {
		said = "no reply"
	}
	return fmt.Sprintf("%s call %s, ordered at %s: %s at %s %s", g.do, g.call, clock(g.asked), said, clock(g.ended), g.detail)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

func (p *play) employ() error {
	token, err := os.ReadFile(p.config.ConsoleToken)
	if err != nil {
		return fmt.Errorf("read the console's token: %w", err)
	}
	p.operators = &operators{
		sim:  &simulation{p.sim.Trace, p.sim.Cloud.Calls},
		root: "https://" + p.config.Console + console.Root, token: strings.TrimSpace(string(token)),
		http: &http.Client{Timeout: console.ReplyTime, Transport: &http.Transport{
			DisableKeepAlives: true, // the next may be another process's
			TLSClientConfig:   &tls.Config{RootCAs: p.sim.PKI.Roots, MinVersion: tls.VersionTLS13},
		}},
	}
	return nil
}

// work gives the plan's orders, each at its moment, until ctx ends.
func (o *operators) work(ctx context.Context, orders []Order) {
	for _, order := range orders {
		o.tasks.Go(func() {
			id, ok := o.moment(ctx, order)
			if !ok {
				return
			}
			for range order.Hands {
				o.tasks.Go(func() { o.give(ctx, order.Do, id) })
			}
		})
	}
}

// moment waits for the order's, and returns its call's ID.
func (o *operators) moment(ctx context.Context, order Order) (string, bool) {
	seen, id := 0, ""
	_, err := o.sim.trace.Wait(ctx, func(e trace.Event) bool {
		if e.Kind != order.On {
			return false
		}
		for _, c := range o.sim.calls() {
			if c.Number == order.Call && about(e, c) {
				seen, id = seen+1, c.ID
			}
		}
		return seen == order.Nth
	})
	if err != nil {
		return "", false
	}
	t := time.NewTimer(order.After)
	defer t.Stop()
	select {
	case <-t.C:
		return id, true
	case <-ctx.Done():
		return "", false
	}
}

// about tells whether an event is of the call, or of its media session.
func about(e trace.Event, c cloud.Facts) bool {
	if e.Call != "" || e.Session == "" || c.Blob == "" {
		return e.Call == c.ID
	}
	b, err := host.ParseBlob(c.Blob)
	return err == nil && b.Session == e.Session
}

// all gives every call that lives the same order, and does not wait for it.
func (o *operators) all(ctx context.Context, do string) {
	for _, c := range o.sim.calls() {
		if do != "" && c.Ended.IsZero() {
			o.tasks.Go(func() { o.give(ctx, do, c.ID) })
		}
	}
}

// give gives an order and waits for what the console says of it.
func (o *operators) give(ctx context.Context, do, call string) {
	g := given{do: do, call: call, asked: time.Now()}
	g.http, g.done, g.detail = o.ask(ctx, do, call)
	g.ended = time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.given = append(o.given, g)
}

func (o *operators) ask(ctx context.Context, do, call string) (status int, done bool, detail string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.root+"/calls/"+call+"/"+do, http.NoBody)
	if err != nil {
		return 0, false, err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	resp, err := o.http.Do(req)
	if err != nil {
		return 0, false, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return 0, false, err.Error() // it died in the reply
	}
	if resp.StatusCode/100 != 2 {
		var no console.Problem
		_ = json.Unmarshal(body, &no) // the status says enough
		return resp.StatusCode, false, no.Error
	}
	var order console.Order
	if err = json.Unmarshal(body, &order); err != nil {
		return resp.StatusCode, false, err.Error()
	}
	return resp.StatusCode, order.Done, order.Detail
}

// rest waits until no order is under way, and returns them all.
func (o *operators) rest() []given {
	o.tasks.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.given
}
