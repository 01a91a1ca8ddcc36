package graph

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestRedirects are not followed: they would send an announcement twice, or
// our token and our secret to a stranger.
func TestRedirects(t *testing.T) {
	t.Parallel()
	stranger := newCloud(t, status(200, operationBody(`"completed"`)))
	for _, code := range []int{301, 302, 303, 307, 308} {
		cl := newCloud(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, stranger.URL+r.URL.Path, code)
		})
		o := cl.options(t)
		o.CA.AddCert(stranger.Certificate())
		op, err := newClient(t, o).Announce(t.Context(), testRef(), recorder.StatusRecording, testContext)
		if err == nil {
			t.Errorf("%d: a stranger's word for success: %+v", code, op)
		}
	}
	if n := len(stranger.requests()); n != 0 {
		t.Errorf("%d requests reached the stranger", n)
	}
}

func TestTokenRedirects(t *testing.T) {
	t.Parallel()
	var leaked bool
	stranger := newCloud(t, nil)
	stranger.authority = func(w http.ResponseWriter, r *http.Request) {
		leaked = leaked || r.PostFormValue("client_secret") != ""
		stranger.sell(w, r)
	}
	cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	cl.authority = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, stranger.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}
	o := cl.options(t)
	o.CA.AddCert(stranger.Certificate())
	if err := keepAlive(t.Context(), newClient(t, o)); err == nil {
		t.Error("a token bought from a stranger")
	}
	if leaked {
		t.Error("the client secret went to a stranger")
	}
}

// TestTokenErrorsTellNoToken: MSAL quotes a reply that it can't read, whole.
func TestTokenErrorsTellNoToken(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"access_token":"HUSH","expires_in":3600,`, `{"access_token":"HUSH","expires_in":"x"}`, `{"access_token":"HUSH"}`,
	} {
		cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
		cl.authority = status(200, body)
		if err := keepAlive(t.Context(), cl.client(t)); err == nil || strings.Contains(err.Error(), "HUSH") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestTokenRefused: a credential that is wrong stays wrong, and the
// administrator is told what to do.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	for number, test := range map[int]struct {
		cause  recorder.Cause
		remedy string
	}{
		7000215: {"", "secret"}, 7000222: {"", "expired"}, 700027: {"", "certificate"}, 90002: {"", "tenant"},
		700016: {recorder.CauseConsentMissing, "consent"}, 1: {"", "AADSTS1"},
	} {
		cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
		cl.authority = status(401, `{"error":"invalid_client","error_description":"long words","error_codes":[`+strconv.Itoa(number)+`]}`)
		err := keepAlive(t.Context(), cl.client(t))
		f := fault(t, err)
		if f.Kind != recorder.FaultRefused || f.Cause != test.cause || !strings.Contains(f.Error(), test.remedy) || strings.Contains(f.Error(), "long words") {
			t.Errorf("%d: %v", number, f)
		}
	}
	cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	cl.authority = status(503, `{"error":"temporarily_unavailable"}`)
	if f := fault(t, keepAlive(t.Context(), cl.client(t))); f.Kind != recorder.FaultUnknown {
		t.Errorf("busy: %v", f)
	}
}

// TestAnnouncedOnce: also with a token that is refused. The recorder asks
// again, with a fresh client context.
func TestAnnouncedOnce(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		writeJSON(w, 200, operationBody(`"completed"`))
	})
	c := cl.client(t)
	_, err := c.Announce(t.Context(), testRef(), recorder.StatusRecording, testContext)
	if f := fault(t, err); f.Kind != recorder.FaultThrottled {
		t.Errorf("not carried out, to be asked again: %v", f)
	}
	if n := len(cl.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	if _, err := c.Announce(t.Context(), testRef(), recorder.StatusRecording, testContext); err != nil {
		t.Errorf("with a new token: %v", err)
	}
}

// TestAnotherAnnouncement: a success reply for another is none for this.
func TestAnotherAnnouncement(t *testing.T) {
	t.Parallel()
	c := newCloud(t, status(200, operationBody(`"completed"`))).client(t)
	op, err := c.Announce(t.Context(), testRef(), recorder.StatusRecording, testCall+"/2/recording")
	if err == nil {
		t.Errorf("%+v", op)
	}
	for _, context := range []string{"", strings.Repeat("x", 257)} {
		if _, err := c.Announce(t.Context(), testRef(), recorder.StatusRecording, context); err == nil {
			t.Errorf("a client context of %d characters was sent", len(context))
		}
	}
}

// TestAmbiguousReplies: two members of one name, or of names that differ in
// case only, mean that nobody knows what was said.
func TestAmbiguousReplies(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		strings.Replace(operationBody(`"failed"`), "{", `{"Status":"completed",`, 1),
		strings.TrimSuffix(operationBody(`"failed"`), "}") + `,"Status":"completed"}`,
		strings.TrimSuffix(operationBody(`"failed"`), "}") + `,"status":"completed"}`,
	} {
		op, err := newCloud(t, status(200, body)).client(t).Announce(t.Context(), testRef(), recorder.StatusRecording, testContext)
		if err == nil && op.Progress == recorder.Completed {
			t.Errorf("a permit from %s", body)
		}
	}
}

func TestCodesAsNumbers(t *testing.T) {
	t.Parallel()
	err := keepAlive(t.Context(), newCloud(t, status(403, `{"error":{"code":8506,"message":"Words."}}`)).client(t))
	if f := fault(t, err); f.Code != "8506" || f.Cause != recorder.CauseNotPolicyCall {
		t.Errorf("%+v", f)
	}
}

func TestGoneHasACause(t *testing.T) {
	t.Parallel()
	c := newCloud(t, status(404, `{"error":{"code":"8522","message":"Call not found."}}`)).client(t)
	if f := fault(t, ops(c)["answer"](t.Context())); f.Cause != recorder.CauseAnswerTooLate {
		t.Errorf("answer: %+v", f)
	}
	if f := fault(t, ops(c)["keepAlive"](t.Context())); f.Cause != recorder.CauseCallGone {
		t.Errorf("keepAlive: %+v", f)
	}
	media := newCloud(t, status(400, `{"error":{"code":"8523","message":"Missing mediaConfig information."}}`)).client(t)
	if f := fault(t, ops(media)["answer"](t.Context())); f.Cause != recorder.CauseAnswerRefused {
		t.Errorf("no blob: %+v", f)
	}
}

// TestPageForAnAnswer: a proxy's login page is no 202.
func TestPageForAnAnswer(t *testing.T) {
	t.Parallel()
	c := newCloud(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<html>Please sign in</html>"))
	}).client(t)
	for _, name := range []string{"answer", "reject", "keepAlive", "hangUp"} {
		if err := ops(c)[name](t.Context()); err == nil || fault(t, err).Kind != recorder.FaultUnknown {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRosterReplies: no list is not an empty list, and a page is not a roster.
func TestRosterReplies(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"value":null}`, `{"value":{}}`, `null`} {
		if r, err := newCloud(t, status(200, body)).client(t).AskRoster(t.Context(), testRef()); err == nil {
			t.Errorf("%s: %+v", body, r)
		}
	}
	cl := newCloud(t, nil)
	cl.graph = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page") == "2" {
			writeJSON(w, 200, `{"value":[{"id":"p2"}]}`)
			return
		}
		writeJSON(w, 200, `{"value":[{"id":"p1"}],"@odata.nextLink":"`+cl.URL+r.URL.Path+`?page=2"}`)
	}
	r, err := cl.client(t).AskRoster(t.Context(), testRef())
	if err != nil || len(r.Participants) != 2 {
		t.Errorf("two pages: %+v, %v", r, err)
	}
	stranger := newCloud(t, status(200, `{"value":[{"id":"p2"}]}`))
	cl = newCloud(t, status(200, `{"value":[{"id":"p1"}],"@odata.nextLink":"`+stranger.URL+`/v1.0/x"}`))
	o := cl.options(t)
	o.CA.AddCert(stranger.Certificate())
	if r, err := newClient(t, o).AskRoster(t.Context(), testRef()); err == nil || len(stranger.requests()) != 0 {
		t.Errorf("a page of a stranger: %+v, %v", r, err)
	}
}

func TestAnswerOptions(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, status(202, ""))
	if _, err := cl.client(t).Answer(t.Context(), testRef(), recorder.Session{Blob: "b"}); err != nil {
		t.Fatal(err)
	}
	body := string(cl.requests()[0].body)
	if !strings.Contains(body, `"callOptions":{"@odata.type":"#microsoft.graph.incomingCallOptions"`) || !strings.Contains(body, `"isDeltaRosterEnabled":false`) {
		t.Error(body)
	}
}

// TestAmbiguousNotifications are refused: which of two members counts, a
// reader must not have to guess.
func TestAmbiguousNotifications(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"twice":    batchOf(entryOf("updated", "", `{"state":"terminated","state":"established"}`)),
		"in case":  batchOf(entryOf("updated", "", `{"state":"terminated","STATE":"established"}`)),
		"escaped":  batchOf(entryOf("updated", "", `{"state":"terminated","st\u0061te":"established"}`)),
		"call":     batchOf(strings.Replace(entryOf("updated", "", `{}`), `"resourceUrl"`, `"resourceurl":"/communications/calls/other","resourceUrl"`, 1)),
		"members":  batchOf(entryOf("updated", "", `{`+members(2000)+`}`)),
		"values":   batchOf(entryOf("updated", "", `{"a":[`+strings.Repeat("0,", 200_000)+`0]}`)),
		"number":   batchOf(entryOf("updated", "", `{"a":`+strings.Repeat("9", 1000)+`}`)),
		"in depth": batchOf(entryOf("updated", "", `{"a":{"b":[{"c":1,"c":2}]}}`)),
	} {
		var bad *DecodeError
		if ns, err := Decode([]byte(body), testArrival()); !errors.As(err, &bad) {
			t.Errorf("%s: %+v", name, ns)
		}
	}
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"m` + strconv.Itoa(i) + `":0`)
	}
	return b.String()
}

// TestVariants that the documentation allows.
func TestVariants(t *testing.T) {
	t.Parallel()
	undashed := strings.ToUpper(strings.ReplaceAll(testCall, "-", ""))
	n := decodeOK(t, batchOf(strings.Replace(entryOf("updated", "", `{"state":"established"}`), `"resourceUrl"`, `"resource":"/app/calls/`+undashed+`","resourceUrl"`, 1)))[0]
	if n.Call != testCall {
		t.Errorf("one call in two spellings: %+v", n)
	}
	up := []recorder.Event{recorder.Established{}}
	if n = decodeOK(t, batchOf(entryOf("updated", "", `[{"@odata.type":"#microsoft.graph.call","state":"established"}]`)))[0]; !cmp.Equal(n.Events, up) || n.Kind != Call {
		t.Errorf("a list of one call: %+v", n)
	}
	if n = decodeOK(t, batchOf(entryOf("deleted", "/operations/x", "["+operationBody(`"completed"`)+"]")))[0]; len(n.Events) != 1 {
		t.Errorf("a list of one operation: %+v", n)
	}
	undashedTenant := strings.ToUpper(strings.ReplaceAll(testTenant, "-", ""))
	inv := decodeOK(t, batchOf(entryOf("created", "", `{"state":"incoming","tenantId":"`+undashedTenant+`","callChainId":"`+undashed+`",
		"source":{"identity":{"user":{"id":"`+undashed+`"}}},"incomingContext":{"observedParticipantId":"`+undashed+`"}}`)))[0].Invite
	if inv.Call.Tenant != testTenant || inv.CallChain != testCall || inv.ObservedUser != testCall || inv.ObservedParticipant != testCall {
		t.Errorf("GUIDs in canonical form: %+v", inv)
	}
	if _, err := Decode([]byte(batchOf(entryOf("created", "", `{"state":"incoming","tenantId":"../common"}`))), testArrival()); err == nil {
		t.Error("a tenant that is no GUID would reach the authority's URL")
	}
	n = decodeOK(t, batchOf(entryOf("updated", "", `{"state":"established","brandNew":1,"@odata.etag":"x"}`)))[0]
	if n.Unknown != 1 {
		t.Errorf("unknown members: %d", n.Unknown)
	}
}

// TestPartialRosters take nobody out that they don't name.
func TestPartialRosters(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "null"} {
		if n := decodeOK(t, batchOf(entryOf("updated", "/participants", data)))[0]; n.Roster != nil {
			t.Errorf("%q: %+v", data, n.Roster)
		}
	}
	if r := decodeOK(t, batchOf(entryOf("updated", "/participants", `{"id":"p"}`)))[0].Roster; r == nil || !r.Delta {
		t.Errorf("one participant: %+v", r)
	}
	if r := decodeOK(t, batchOf(entryOf("deleted", "/participants/p", "")))[0].Roster; r == nil || !r.Delta || len(r.Participants) != 1 || !r.Participants[0].Removed {
		t.Errorf("one left: %+v", r)
	}
	left := `{"@odata.type":"#microsoft.graph.participantLeftNotification","participantId":"p","call":{"id":"` + testCall + `"}}`
	if r := decodeOK(t, left)[0].Roster; r == nil || !r.Delta || len(r.Participants) != 1 || !r.Participants[0].Removed {
		t.Errorf("participantLeft: %+v", r)
	}
}
