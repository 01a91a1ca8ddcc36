package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

const testContext = testCall + "/1/recording"

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, code, body) }
}

func operationBody(status string) string {
	return `{"@odata.type":"#microsoft.graph.updateRecordingStatusOperation","clientContext":"` + testContext +
		`","id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5","resultInfo":null,"status":` + status + `}`
}

func fault(t *testing.T, err error) *recorder.Fault {
	t.Helper()
	var f *recorder.Fault
	if !errors.As(err, &f) {
		t.Fatalf("error %v (%T) is not a Fault", err, err)
	}
	return f
}

// ops are all requests, under the names that metrics give them.
func ops(c *Client) map[string]func(context.Context) error {
	ref := testRef()
	return map[string]func(context.Context) error{
		"answer": func(ctx context.Context) error {
			_, err := c.Answer(ctx, ref, recorder.Session{Blob: "blob"})
			return err
		},
		"reject": func(ctx context.Context) error { _, err := c.Reject(ctx, ref, recorder.RejectBusy); return err },
		"announce": func(ctx context.Context) error {
			_, err := c.Announce(ctx, ref, recorder.StatusRecording, testContext)
			return err
		},
		"poll":      func(ctx context.Context) error { _, err := c.PollOperation(ctx, ref, "op"); return err },
		"keepAlive": func(ctx context.Context) error { _, err := c.KeepAlive(ctx, ref); return err },
		"askCall":   func(ctx context.Context) error { _, err := c.AskCall(ctx, ref); return err },
		"getCall":   func(ctx context.Context) error { _, err := c.GetCall(ctx, ref); return err },
		"askRoster": func(ctx context.Context) error { _, err := c.AskRoster(ctx, ref); return err },
		"hangUp":    func(ctx context.Context) error { _, err := c.HangUp(ctx, ref); return err },
	}
}

// TestRequests: what is sent is what the documentation shows.
func TestRequests(t *testing.T) {
	t.Parallel()
	base := "/v1.0/communications/calls/" + testCall
	for name, want := range map[string]struct{ method, path, body string }{
		"reject":    {"POST", base + "/reject", `{"reason":"busy"}`},
		"announce":  {"POST", base + "/updateRecordingStatus", `{"clientContext":"` + testContext + `","status":"recording"}`},
		"poll":      {"GET", base + "/operations/op", ""},
		"keepAlive": {"POST", base + "/keepAlive", ""},
		"getCall":   {"GET", base, ""},
		"askRoster": {"GET", base + "/participants", ""},
		"hangUp":    {"DELETE", base, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := newCloud(t, status(500, ""))
			_ = ops(cl.client(t))[name](t.Context())
			asked := cl.requests()
			if len(asked) != 1 {
				t.Fatalf("%d requests", len(asked))
			}
			got := asked[0]
			if got.method != want.method || got.path != want.path || string(got.body) != want.body {
				t.Errorf("sent %s %s %q, want %s %s %q", got.method, got.path, got.body, want.method, want.path, want.body)
			}
			h := got.header
			if h.Get("Authorization") != "Bearer token-1" || h.Get("User-Agent") != "recorderbot/test" ||
				len(h.Get("Client-Request-Id")) != 36 || h.Get("Scenario-Id") != testRef().Scenario {
				t.Errorf("headers %v", h)
			}
			if hasBody := want.body != ""; hasBody != (h.Get("Content-Type") == "application/json") {
				t.Errorf("content type %q for body %q", h.Get("Content-Type"), want.body)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("request-id", "rid")
		w.Header().Set("scenario-id", "sid")
		w.WriteHeader(http.StatusAccepted)
	})
	o := cl.options(t)
	o.ParticipantCapacity = 200
	receipt, err := newClient(t, o).Answer(t.Context(), testRef(), recorder.Session{Blob: "<blob>&"})
	if err != nil {
		t.Fatal(err)
	}
	if receipt.HTTPStatus != 202 || receipt.RequestID != "rid" || receipt.ScenarioID != "sid" || receipt.Date == "" ||
		receipt.SentAt.IsZero() || receipt.RepliedAt.Before(receipt.SentAt) {
		t.Errorf("receipt %+v", receipt)
	}
	asked := cl.requests()[0]
	if receipt.ClientRequestID != asked.header.Get("Client-Request-Id") {
		t.Error("the receipt names another request")
	}
	var got struct {
		CallbackURI         string            `json:"callbackUri"`
		AcceptedModalities  []string          `json:"acceptedModalities"`
		MediaConfig         map[string]string `json:"mediaConfig"`
		ParticipantCapacity int               `json:"participantCapacity"`
	}
	if err := json.Unmarshal(asked.body, &got); err != nil {
		t.Fatal(err)
	}
	if got.CallbackURI != "https://bot.contoso.com/api/calls" || !cmp.Equal(got.AcceptedModalities, []string{"audio"}) ||
		got.MediaConfig["@odata.type"] != "#microsoft.graph.appHostedMediaConfig" || got.MediaConfig["blob"] != "<blob>&" ||
		got.ParticipantCapacity != 200 {
		t.Errorf("body %s", asked.body)
	}
}

// TestAnnounceSuccess: only what can be read as an operation is a reply, and
// only "completed" is Completed.
func TestAnnounceSuccess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status string
		want   recorder.Progress
	}{
		"completed":   {`"completed"`, recorder.Completed},
		"capital":     {`"Completed"`, recorder.Completed},
		"running":     {`"running"`, recorder.Running},
		"Running":     {`"Running"`, recorder.Running},
		"notStarted":  {`"notStarted"`, recorder.Running},
		"null":        {`null`, recorder.Running},
		"failed":      {`"failed"`, recorder.Failed},
		"not english": {`"abgeschlossen"`, recorder.Running},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := newCloud(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://graph.microsoft.com/v1.0/communications/calls/x/operations/y")
				writeJSON(w, 200, operationBody(test.status))
			})
			op, err := cl.client(t).Announce(t.Context(), testRef(), recorder.StatusRecording, testContext)
			if err != nil {
				t.Fatal(err)
			}
			if op.Progress != test.want || op.Context != testContext || op.ID != "0fe0623f-d628-42ed-b4bd-8ac290072cc5" || op.At.IsZero() ||
				op.Receipt.HTTPStatus != 200 || op.Receipt.Location == "" {
				t.Errorf("operation %+v", op)
			}
		})
	}
}

// TestAnnounceUnreadable: a success that can't be read is unknown, and is
// asked for once.
func TestAnnounceUnreadable(t *testing.T) {
	t.Parallel()
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><body>Please sign in</body></html>"))
	}
	truncated := func(w http.ResponseWriter, _ *http.Request) {
		body := operationBody(`"completed"`)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+10))
		_, _ = w.Write([]byte(body))
	}
	for name, reply := range map[string]http.HandlerFunc{
		"HTML": page, "breaks off": truncated, "empty": status(200, ""), "half": status(200, operationBody(`"completed"`)[:80]),
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "list": status(200, "[]"), "no operation": status(200, "{}"),
		"null": status(200, "null"), "call": status(200, `{"@odata.type":"#microsoft.graph.call","id":"x","status":"completed"}`),
		"other operation": status(200, `{"@odata.type":"#microsoft.graph.muteParticipantOperation","id":"x","clientContext":"`+testContext+`","status":"completed"}`),
		"too long":        status(200, `{"x":"`+strings.Repeat("a", maxReply)+`"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := newCloud(t, reply)
			op, err := cl.client(t).Announce(t.Context(), testRef(), recorder.StatusRecording, testContext)
			if f := fault(t, err); f.Kind != recorder.FaultUnknown {
				t.Errorf("fault %v, operation %+v", f, op)
			}
			if n := len(cl.requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestFaults: each status and code of the protocol, in the words that the
// recorder understands. An announcement is sent once whatever comes.
func TestFaults(t *testing.T) {
	t.Parallel()
	envelope := func(code string) string {
		return `{"error":{"code":"` + code + `","message":"Words.","innerError":{"request-id":"r"}}}`
	}
	for _, test := range []struct {
		status int
		body   string
		kind   recorder.FaultKind
		cause  recorder.Cause
		remedy string
	}{
		{status: 400, body: envelope("8523"), kind: recorder.FaultRefused, remedy: "media host"},
		{status: 400, body: envelope("1"), kind: recorder.FaultRefused},
		{status: 403, body: envelope("7504"), kind: recorder.FaultRefused, cause: recorder.CauseConsentMissing, remedy: "Calls.AccessMedia.All"},
		{status: 403, body: envelope("8506"), kind: recorder.FaultRefused, cause: recorder.CauseNotPolicyCall, remedy: "polic"},
		{status: 400, body: envelope("8506"), kind: recorder.FaultRefused, cause: recorder.CauseNotPolicyCall, remedy: "polic"},
		{status: 403, body: "", kind: recorder.FaultRefused, remedy: "consent"},
		{status: 404, body: envelope("8522"), kind: recorder.FaultGone},
		{status: 400, body: envelope("8522"), kind: recorder.FaultGone},
		{status: 404, body: "", kind: recorder.FaultGone},
		{status: 410, body: "", kind: recorder.FaultGone},
		{status: 404, body: " \r\n", kind: recorder.FaultGone},
		{status: 404, body: `{}`, kind: recorder.FaultGone},
		{status: 404, body: `"not found"`, kind: recorder.FaultGone},
		{status: 404, body: "<html>not here</html>", kind: recorder.FaultUnknown, remedy: "proxy"},
		{status: 410, body: "gone", kind: recorder.FaultUnknown, remedy: "proxy"},
		{status: 404, body: `{"error":{"code":"8522"`, kind: recorder.FaultUnknown, remedy: "proxy"},
		{status: 401, body: envelope("InvalidAuthenticationToken"), kind: recorder.FaultThrottled, remedy: "credential"},
		{status: 403, body: envelope("UnknownError"), kind: recorder.FaultRefused, remedy: "consent"},
		{status: 408, body: "", kind: recorder.FaultUnknown},
		{status: 409, body: "", kind: recorder.FaultRefused},
		{status: 429, body: "", kind: recorder.FaultThrottled},
		{status: 500, body: envelope("x"), kind: recorder.FaultUnknown},
		{status: 502, body: "<html>bad gateway</html>", kind: recorder.FaultUnknown},
		{status: 503, body: "", kind: recorder.FaultUnknown},
		{status: 504, body: "", kind: recorder.FaultUnknown},
	} {
		t.Run(fmt.Sprint(test.status, test.body), func(t *testing.T) {
			t.Parallel()
			cl := newCloud(t, status(test.status, test.body))
			_, err := cl.client(t).Announce(t.Context(), testRef(), recorder.StatusRecording, testContext)
			f := fault(t, err)
			if f.Kind != test.kind || test.cause != "" && f.Cause != test.cause || !strings.Contains(f.Remedy, test.remedy) || f.Receipt.HTTPStatus != test.status {
				t.Errorf("fault %+v", f)
			}
			if strings.Contains(test.body, "Words.") && f.Message != "Words." {
				t.Errorf("message %q", f.Message)
			}
			if n := len(cl.requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestEveryErrorIsAFault: on the network's side too.
func TestEveryErrorIsAFault(t *testing.T) {
	t.Parallel()
	refused := newCloud(t, nil)
	refusedClient := refused.client(t)
	refused.Close()
	failing := newCloud(t, status(500, "")).client(t)
	for _, c := range []*Client{refusedClient, failing} {
		for name, ask := range ops(c) {
			if f := fault(t, ask(t.Context())); f.Kind != recorder.FaultUnknown {
				t.Errorf("%s: %v", name, f)
			}
		}
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]recorder.Standing{
		`{"@odata.type":"#microsoft.graph.call","state":"established","id":"` + testCall + `"}`: recorder.StandingEstablished,
		`{"state":"Established"}`: recorder.StandingEstablished, `{"state":"establishing"}`: recorder.StandingUnknown,
		`{"state":"incoming"}`: recorder.StandingIncoming, `{"state":"new"}`: recorder.StandingUnknown,
	} {
		got, err := newCloud(t, status(200, body)).client(t).AskCall(t.Context(), testRef())
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
	for _, over := range []string{"terminated", "Terminating"} {
		_, err := newCloud(t, status(200, `{"state":"`+over+`"}`)).client(t).AskCall(t.Context(), testRef())
		if f := fault(t, err); f.Kind != recorder.FaultGone {
			t.Errorf("%s: %v", over, f)
		}
	}
}

func TestAskRoster(t *testing.T) {
	t.Parallel()
	roster, err := newCloud(t, status(200, `{"value":[{"id":"p1","info":{"identity":{"user":{"id":"u1","displayName":"Bob"}}},
		"mediaStreams":[{"mediaType":"audio","sourceId":"4294967295","direction":"sendReceive"}]},
		{"id":"p2","info":{"identity":{"phone":{"id":"+4930"},"user":null}},"isInLobby":true}]}`)).client(t).AskRoster(t.Context(), testRef())
	if err != nil {
		t.Fatal(err)
	}
	want := []recorder.Participant{
		{ID: "p1", Identity: "u1", Kind: "user", Name: "Bob", Streams: []recorder.MediaStream{{SourceID: 4294967295, Type: "audio", Direction: "sendReceive"}}, MuteUntold: true, LobbyUntold: true},
		{ID: "p2", Identity: "+4930", Kind: "phone", InLobby: true, MuteUntold: true},
	}
	if diff := cmp.Diff(want, roster.Participants); diff != "" || roster.Delta {
		t.Error(diff)
	}
}

func TestRequestMetrics(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, status(404, ""))
	o := cl.options(t)
	o.Registerer = prometheus.NewRegistry()
	c := newClient(t, o)
	_, _ = c.KeepAlive(t.Context(), testRef())
	if n := testutil.ToFloat64(c.metrics.requests.WithLabelValues(opKeepAlive, "404")); n != 1 {
		t.Errorf("%v requests with 404", n)
	}
	if n := testutil.ToFloat64(c.metrics.requests.WithLabelValues(opKeepAlive, codeNoReply)); n != 0 {
		t.Errorf("%v requests without a reply", n)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := newCloud(t, nil).options(t)
	for name, change := range map[string]func(*Options){
		"cloud":              func(o *Options) { o.Cloud = "moon" },
		"root over http":     func(o *Options) { o.Root = "http://127.0.0.1" },
		"authority":          func(o *Options) { o.Authority = "127.0.0.1:1" },
		"callback over http": func(o *Options) { o.CallbackURI = "http://bot.contoso.com/api/calls" },
		"no callback":        func(o *Options) { o.CallbackURI = "" },
		"no credential":      func(o *Options) { o.Credential = Credential{} },
		"two credentials":    func(o *Options) { o.CertificateFile = o.SecretFile },
		"no such file":       func(o *Options) { o.SecretFile += "x" },
		"empty secret":       func(o *Options) { o.SecretFile = writeFile(t, "s", []byte(" \n")) },
		"no PEM":             func(o *Options) { o.CertificateFile, o.SecretFile = o.SecretFile, "" },
	} {
		o := good
		o.Registerer = nil
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), testSecret) {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

func TestClouds(t *testing.T) {
	t.Parallel()
	for _, name := range append(CloudNames(), "") {
		c, err := CloudEndpoints(name)
		if err != nil || !strings.HasPrefix(c.Graph, "https://") || !strings.HasPrefix(c.Authority, "https://") {
			t.Errorf("%q: %+v, %v", name, c, err)
		}
	}
	if _, err := CloudEndpoints("Global"); err == nil {
		t.Error("an unknown cloud was accepted")
	}
}
