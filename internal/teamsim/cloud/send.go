package cloud

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// maxReply bounds what is read of the bot's reply, bytes.
const maxReply = 64 << 10

// emit sends notifications in one request, bent by the call's deliveries, and
// says whether the bot took them. What is delayed or held counts as taken.
func (c *Call) emit(ns ...notification) bool {
	var now []notification
	copies := 0
	for _, n := range ns {
		d := c.bend(n.of)
		if d.Forge != ForgeNone {
			c.attack(d.Forge, n)
		}
		switch {
		case d.Lose:
			c.cloud.trace(trace.Event{Kind: trace.NotificationLost, Call: c.ids.call, Status: n.of})
			continue
		case d.Delay > 0:
			c.later(func() {
				if wait(c.cloud.ctx, d.Delay) {
					for range d.Copies + 1 {
						c.post([]notification{n})
					}
				}
			})
			continue
		case d.Hold:
			c.mu.Lock()
			c.held = append(c.held, n)
			c.mu.Unlock()
			continue
		}
		copies = max(copies, d.Copies)
		now = append(now, n)
	}
	if len(now) == 0 {
		return true
	}
	c.mu.Lock()
	now = append(c.held, now...)
	c.held = nil
	c.mu.Unlock()
	took := c.post(now)
	for range copies {
		c.post(now)
	}
	return took
}

// flush sends what is still held.
func (c *Call) flush() {
	c.mu.Lock()
	held := c.held
	c.held = nil
	c.mu.Unlock()
	if len(held) > 0 {
		c.post(held)
	}
}

// bend returns the delivery that is due for a notification.
func (c *Call) bend(of string) Delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, d := range c.deliveries {
		if d.Of == of && (d.Times < 0 || c.bent[i] < d.Times) {
			c.bent[i]++
			return d
		}
	}
	return Delivery{}
}

// callback is where notifications go: invites to the webhook, the others to
// the callbackUri of the answer.
func (c *Call) callback(of string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if of == OfInvite || of == OfJoining || c.answer.callbackURI == "" {
		return c.webhook()
	}
	return c.answer.callbackURI
}

// webhook is where the call's invite went.
func (c *Call) webhook() string {
	if c.spec.Webhook != "" {
		return c.spec.Webhook
	}
	return *c.cloud.webhook.Load()
}

// post sends one request, again as often as Options say, and says whether the
// bot took it.
func (c *Call) post(ns []notification) bool {
	values := make([]map[string]any, 0, len(ns))
	for _, n := range ns {
		values = append(values, c.wire(n))
	}
	body := envelope(values)
	url := c.callback(ns[0].of)
	for attempt := 0; ; attempt++ {
		authorization, err := c.cloud.authorization(c.spec.Tenant, c.style)
		if err != nil {
			panic(fmt.Sprintf("teamsim: %v", err)) // our own key can't sign: no test can go on
		}
		for _, n := range ns {
			c.sending(n)
		}
		r := c.request(url, authorization, body, ns[0].of)
		c.judge(ns, r)
		switch {
		case r.status/100 == 2:
			return true
		case r.status != 0 && r.status != http.StatusTooManyRequests && r.status/100 != 5:
			return false
		case attempt >= c.cloud.opts.Retries:
			return false
		}
		c.cloud.stats.retried.Add(1)
		if r.after == 0 {
			r.after = c.cloud.opts.RetryAfter
		}
		if !wait(c.cloud.ctx, r.after) {
			return false
		}
	}
}

// sending notes a notification just before it is written.
func (c *Call) sending(n notification) {
	c.cloud.stats.notifications.Add(1)
	if n.operation != nil {
		c.heard(n.operation, n.progress)
	}
	kind := trace.NotificationSent
	if n.of == OfInvite {
		kind = trace.InviteSent
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.cloud.trace(trace.Event{Kind: kind, Call: c.ids.call, Status: n.of, Progress: n.progress})
	c.facts.Notifications++
	if n.of == OfEstablished && c.facts.EstablishedSent.IsZero() {
		c.facts.EstablishedSent = e.At
	}
}

// A botReply is the bot's HTTP reply to a notification. Status 0: there was
// none, and fault says why.
type botReply struct {
	status int
	body   []byte
	after  time.Duration // Retry-After; 0 where the bot named none
	fault  string
}

// judge notes the bot's reply.
func (c *Call) judge(ns []notification, r botReply) {
	kind := trace.NotificationReplied
	c.mu.Lock()
	if ns[0].of == OfInvite {
		kind = trace.InviteReplied
		if c.facts.InviteReplied.IsZero() || c.facts.InviteHTTP/100 != 2 {
			c.facts.InviteReplied, c.facts.InviteHTTP = time.Now(), r.status
		}
		c.pass(Invited)
	}
	if r.status/100 != 2 {
		c.facts.NotifyRefusals++
	}
	c.mu.Unlock()
	c.cloud.trace(trace.Event{Kind: kind, Call: c.ids.call, Status: ns[0].of, HTTP: r.status, Detail: r.fault})
	switch {
	case r.status == http.StatusNoContent:
		// The service would send it again in an old format: ambiguous.
		c.cloud.violate(c.ids.call, "204 to a notification in Graph's format asks for the legacy one")
	case r.status/100 == 2 && r.status != http.StatusOK && len(r.body) != 0:
		c.cloud.violate(c.ids.call, fmt.Sprintf("the bot's %d to a notification has a body", r.status))
	case r.status/100 == 4 && r.status != http.StatusTooManyRequests:
		c.cloud.violate(c.ids.call, fmt.Sprintf("the bot refused a genuine %s notification with %d", ns[0].of, r.status))
	}
}

// request writes one notification request.
func (c *Call) request(url, authorization string, body []byte, of string) botReply {
	ctx, cancel := context.WithTimeout(c.cloud.ctx, c.cloud.opts.NotificationTimeout)
	defer cancel()
	if of == OfInvite {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: c.inviteWritten})
	}
	//nolint:gosec // the callback is the bot's word, as with the real service
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		c.cloud.violate(c.ids.call, fmt.Sprintf("the callback %q can't be used: %v", url, err))
		return botReply{fault: err.Error()}
	}
	c.headers(r.Header, authorization, of)
	resp, err := c.cloud.client.Do(r) //nolint:gosec // as above
	if err != nil {
		return botReply{fault: err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	reply := botReply{status: resp.StatusCode}
	if reply.body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply)); err != nil {
		return botReply{fault: err.Error()}
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s >= 0 {
		reply.after = time.Duration(s) * time.Second
	}
	return reply
}

// inviteWritten notes when the last byte of the first invite was written.
func (c *Call) inviteWritten(httptrace.WroteRequestInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.facts.InviteWritten.IsZero() {
		c.facts.InviteWritten = time.Now()
	}
}

// headers are those of fixtures/observed_notification_http_headers; the first
// POST carries the caller's region and no scenario.
func (c *Call) headers(h http.Header, authorization, of string) {
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json")
	h.Set("User-Agent", "Microsoft-Skype/3.0,(Calling/1.0)")
	h.Set("X-Microsoft-Skype-Chain-ID", c.ids.chain)
	h.Set("X-Microsoft-Skype-Message-ID", uuid.NewString())
	if of == OfInvite {
		h.Set("X-Microsoft-Skype-Caller-Region", "amer")
	} else {
		h.Set("Scenario-Id", c.ids.chain)
		h.Set("X-Microsoft-Skype-Original-Message-ID", uuid.NewString())
	}
	if authorization != "" {
		h.Set("Authorization", authorization)
	}
}

// attack sends a copy with a forged token. Anything but 401 is a violation.
func (c *Call) attack(kind Forgery, n notification) {
	authorization, err := c.cloud.Forge(kind, c.spec.Tenant)
	if err != nil {
		panic(fmt.Sprintf("teamsim: %v", err))
	}
	status := c.request(c.callback(n.of), authorization, envelope([]map[string]any{c.wire(n)}), OfOperation).status
	c.cloud.trace(trace.Event{Kind: trace.FaultInjected, Call: c.ids.call, Status: n.of, HTTP: status, Detail: "forged token: " + string(kind)})
	if status != http.StatusUnauthorized {
		c.cloud.violate(c.ids.call, fmt.Sprintf("a notification with a forged token (%s) got %d, not 401", kind, status))
	}
}
