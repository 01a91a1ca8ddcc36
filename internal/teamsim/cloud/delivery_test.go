package cloud_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// plain is a style in which every call has establishing, established, roster,
// deleted, each in a request of its own.
func plain() *cloud.Style { return &cloud.Style{Ending: cloud.EndingResult} }

// kinds are what the bot got, in order.
func (b *bot) kinds() []string {
	var out []string
	for _, n := range b.seen() {
		switch {
		case strings.HasSuffix(n.resource, "/participants"):
			out = append(out, "roster")
		case n.change == "deleted":
			out = append(out, "deleted")
		default:
			out = append(out, n.state)
		}
	}
	return out
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deliveries []cloud.Delivery
		variants   cloud.Style
		want       string
		requests   int
	}{
		"straight":   {nil, cloud.Style{}, "incoming establishing established roster deleted", 5},
		"copies":     {[]cloud.Delivery{{Of: cloud.OfEstablished, Copies: 2}}, cloud.Style{}, "incoming establishing established established established roster deleted", 7},
		"invite":     {[]cloud.Delivery{{Of: cloud.OfInvite, Copies: 1}}, cloud.Style{}, "incoming incoming establishing established roster deleted", 6},
		"lost":       {[]cloud.Delivery{{Of: cloud.OfEstablished, Lose: true}}, cloud.Style{}, "incoming establishing roster deleted", 4},
		"all lost":   {[]cloud.Delivery{{Of: cloud.OfDeleted, Times: -1, Lose: true}}, cloud.Style{}, "incoming establishing established roster", 4},
		"held":       {[]cloud.Delivery{{Of: cloud.OfEstablishing, Hold: true}}, cloud.Style{}, "incoming establishing established roster deleted", 4},
		"held last":  {[]cloud.Delivery{{Of: cloud.OfDeleted, Hold: true}}, cloud.Style{}, "incoming establishing established roster deleted", 5},
		"batch":      {nil, cloud.Style{Batch: true}, "incoming establishing established roster deleted", 4},
		"reversed":   {nil, cloud.Style{EstablishedFirst: true}, "incoming established establishing roster deleted", 5},
		"skipped":    {nil, cloud.Style{NoEstablishing: true}, "incoming established roster deleted", 4},
		"repeated":   {nil, cloud.Style{RepeatEstablished: true}, "incoming establishing established roster established deleted", 6},
		"terminates": {nil, cloud.Style{Terminating: true}, "incoming establishing established roster terminating deleted", 6},
		"delayed":    {[]cloud.Delivery{{Of: cloud.OfEstablishing, Delay: 700 * time.Millisecond}}, cloud.Style{}, "incoming established roster establishing deleted", 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBot(t, nil)
			requests := 0
			b.answerWith(func(*http.Request, []byte) (int, []byte) {
				b.mu.Lock()
				defer b.mu.Unlock()
				requests++
				return http.StatusAccepted, nil
			})
			call := b.place(cloud.CallSpec{Style: plain(), Variants: c.variants, Deliveries: c.deliveries})
			if name == "invite" {
				b.awaitCount(2) // both copies, before the call can go on
			}
			b.answer(call)
			b.reach(call, cloud.Established)
			if !strings.Contains(c.want, "roster deleted") && name != "all lost" || strings.Contains(c.want, "establishing roster") {
				// What comes behind the roster must be there before the end.
				before := strings.Split(c.want, " ")
				b.awaitCount(len(before) - strings.Count(c.want, "terminating") - 1)
			} else {
				b.await(func(n seen) bool { return strings.HasSuffix(n.resource, "/participants") })
			}
			call.End(cloud.Ending{})
			b.reach(call, cloud.Done)
			if got := strings.Join(b.kinds(), " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			if requests != c.requests {
				t.Errorf("%d requests, not %d", requests, c.requests)
			}
		})
	}
}

// awaitCount waits until the bot has got that many notifications.
func (b *bot) awaitCount(n int) {
	b.t.Helper()
	b.await(func(seen) bool { return len(b.notes) >= n })
}

func TestNotificationsAreSentAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status, times int
		taken         bool
		violation     bool
	}{
		"busy once":      {http.StatusServiceUnavailable, 1, true, false},
		"broken for all": {http.StatusInternalServerError, 100, false, false},
		"throttled":      {http.StatusTooManyRequests, 2, true, false},
		"unauthorised":   {http.StatusUnauthorized, 1, false, true},
		"no content":     {http.StatusNoContent, 1, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBot(t, nil)
			left := c.times
			b.answerWith(func(*http.Request, []byte) (int, []byte) {
				b.mu.Lock()
				defer b.mu.Unlock()
				if left--; left >= 0 {
					return c.status, nil
				}
				return http.StatusAccepted, nil
			})
			call, err := b.cloud.PlaceCall(t.Context(), cloud.CallSpec{})
			if err != nil {
				t.Fatal(err)
			}
			if c.taken {
				b.reach(call, cloud.Invited)
				b.answer(call)
				b.reach(call, cloud.Established)
				if f := call.Facts(); f.InviteHTTP/100 != 2 {
					t.Errorf("invite got %d", f.InviteHTTP)
				}
			} else {
				b.reach(call, cloud.Done)
				if f := call.Facts(); f.InviteHTTP != c.status || !f.Answered.IsZero() {
					t.Errorf("facts: %+v", f)
				}
			}
			if got := len(b.cloud.Trace().Violations()) > 0; got != c.violation {
				t.Errorf("violations: %v", b.cloud.Trace().Violations())
			}
		})
	}
}

func TestForgedCopiesComeBeforeGenuineOnes(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	keys := b.published()
	b.answerWith(func(r *http.Request, _ []byte) (int, []byte) {
		if verify(keys, r.Header.Get("Authorization")) != nil {
			return http.StatusUnauthorized, nil
		}
		return http.StatusAccepted, nil
	})
	var deliveries []cloud.Delivery
	for _, kind := range cloud.Forgeries() {
		deliveries = append(deliveries, cloud.Delivery{Of: cloud.OfRoster, Forge: kind})
	}
	call := b.established(cloud.CallSpec{Deliveries: deliveries})
	for range cloud.Forgeries() {
		call.ChangeRoster(func(ps []cloud.Participant) []cloud.Participant { return ps })
	}
	for _, kind := range cloud.Forgeries() {
		if status, err := b.cloud.Attack(kind); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s: %d, %v", kind, status, err)
		}
	}
	b.noViolations()
	attacks := b.cloud.Trace().OfKind(trace.FaultInjected)
	if len(attacks) != 2*len(cloud.Forgeries()) {
		t.Errorf("%d attacks", len(attacks))
	}
}

func TestRosterChanges(t *testing.T) {
	t.Parallel()
	for _, delta := range []bool{false, true} {
		b := newBot(t, nil)
		call := b.place(cloud.CallSpec{Style: plain()})
		body := answerBody(b.callback())
		body["callOptions"] = map[string]any{"@odata.type": "#microsoft.graph.incomingCallOptions", "isDeltaRosterEnabled": delta}
		if r := b.do(http.MethodPost, callPath(call.ID(), "answer"), body); r.status != http.StatusAccepted {
			t.Fatalf("answer: %s", r.raw)
		}
		b.reach(call, cloud.Established)
		call.ChangeRoster(func(ps []cloud.Participant) []cloud.Participant { return ps[:1] })
		n := b.await(func(n seen) bool {
			return strings.HasSuffix(n.resource, "/participants") && strings.Contains(string(n.data), "removedState") == delta
		})
		if n.data[0] == '[' == delta {
			t.Errorf("delta %v: %s", delta, n.data)
		}
		call.ShareContent(true)
		if n := b.await(func(n seen) bool { return strings.Contains(n.resource, "contentsharing") }); n.data != nil || n.change != "created" {
			t.Errorf("content sharing: %+v", n)
		}
	}
}

// TestEveryStyleIsWellFormed draws styles and demands of each what every
// documented and observed form has in common.
func TestEveryStyleIsWellFormed(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	seenStyles := map[string]bool{}
	for number := 1; number <= 40; number++ {
		call := b.place(cloud.CallSpec{Number: number})
		call.End(cloud.Ending{Code: 500, Subcode: 7106, Message: "x"})
		b.reach(call, cloud.Done)
		id := strings.ReplaceAll(call.ID(), "-", "")
		style, err := json.Marshal(call.Facts().Style)
		if err != nil {
			t.Fatal(err)
		}
		seenStyles[string(style)] = true
		var got []seen
		for _, n := range b.seen() {
			if strings.Contains(strings.ToLower(strings.ReplaceAll(n.resource, "-", "")), id) {
				got = append(got, n)
			}
		}
		if len(got) != 2 || got[0].state != "incoming" || got[1].change != "deleted" {
			t.Errorf("call %d: %+v", number, got)
			continue
		}
		var invite struct {
			TenantID        string `json:"tenantId"`
			IncomingContext struct {
				Observed string `json:"observedParticipantId"`
			} `json:"incomingContext"`
			Metadata struct {
				BotData struct {
					Region  string   `json:"mediaHostedRegion"`
					Reasons []string `json:"inviteReasons"`
				} `json:"botData"`
			} `json:"applicationMetadata"`
		}
		if err := json.Unmarshal(got[0].data, &invite); err != nil {
			t.Fatal(err)
		}
		if invite.TenantID != tenant || uuid.Validate(invite.IncomingContext.Observed) != nil || invite.Metadata.BotData.Region != "USEA" || len(invite.Metadata.BotData.Reasons) != 1 {
			t.Errorf("call %d: %+v", number, invite)
		}
	}
	if len(seenStyles) < 30 {
		t.Errorf("40 calls have only %d styles", len(seenStyles))
	}
}

// TestDocumentedInvite compares the members of the documented style with those
// of example 3 of Microsoft's page on answer.
func TestDocumentedInvite(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	style := cloud.Documented()
	b.place(cloud.CallSpec{Style: &style})
	n := b.await(state("incoming"))
	var got map[string]json.RawMessage
	if err := json.Unmarshal(n.data, &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range got {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{
		"@odata.type", "applicationMetadata", "callChainId", "direction", "id", "incomingContext", "meetingInfo",
		"myParticipantId", "source", "state", "targets", "tenantId",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

// TestSeedDrawsAllVariants: over many numbers each variant is there and is
// not, so that no branch of a bot stays untested.
func TestSeedDrawsAllVariants(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	r := rand.New(rand.NewPCG(1, 1))
	counts := map[string]int{}
	const n = 200
	for range n {
		call, err := b.cloud.PlaceCall(t.Context(), cloud.CallSpec{Number: int(r.Uint32())})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(call.Facts().Style)
		if err != nil {
			t.Fatal(err)
		}
		var style map[string]any
		if err := json.Unmarshal(raw, &style); err != nil {
			t.Fatal(err)
		}
		for k, v := range style {
			if s, ok := v.(string); ok {
				k = k + " " + s
			}
			counts[k]++
		}
		call.End(cloud.Ending{})
		b.reach(call, cloud.Done)
	}
	if len(counts) != 19+4 {
		t.Errorf("variants: %v", counts)
	}
	for k, c := range counts {
		if c == 0 || c == n {
			t.Errorf("%s: %d of %d", k, c, n)
		}
	}
}
