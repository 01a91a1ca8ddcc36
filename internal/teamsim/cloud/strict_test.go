package cloud_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
)

// TestAnswerIsReadAsDocumented puts one fault at a time into a good answer.
func TestAnswerIsReadAsDocumented(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	call := b.place(cloud.CallSpec{})
	media := func(m map[string]any) map[string]any { return map[string]any{"mediaConfig": m} }
	const hosted = "#microsoft.graph.appHostedMediaConfig"
	for name, c := range map[string]struct {
		change map[string]any
		code   string
	}{
		"http callback":      {map[string]any{"callbackUri": "http://bot.example.com/api/calls"}, "8500"},
		"relative callback":  {map[string]any{"callbackUri": "/api/calls"}, "8500"},
		"no callback":        {map[string]any{"callbackUri": nil}, "8500"},
		"unknown member":     {map[string]any{"callbackURL": "https://x"}, "8500"},
		"member in capitals": {map[string]any{"CallbackUri": "https://x"}, "8500"},
		"no modalities":      {map[string]any{"acceptedModalities": nil}, "8500"},
		"empty modalities":   {map[string]any{"acceptedModalities": []string{}}, "8500"},
		"unknown modality":   {map[string]any{"acceptedModalities": []string{"smell"}}, "8500"},
		"modality twice":     {map[string]any{"acceptedModalities": []string{"audio", "audio"}}, "8500"},
		"wrapped list":       {map[string]any{"acceptedModalities": map[string]any{"$values": []string{"audio"}}}, "8500"},
		"no media":           {map[string]any{"mediaConfig": "omit"}, "8523"},
		"service hosted":     {media(map[string]any{"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"}), "8500"},
		"no type":            {media(map[string]any{"blob": "x"}), "8500"},
		"no blob":            {media(map[string]any{"@odata.type": hosted}), "8500"},
		"empty blob":         {media(map[string]any{"@odata.type": hosted, "blob": ""}), "8500"},
		"beta member":        {media(map[string]any{"@odata.type": hosted, "blob": "x", "removeFromDefaultAudioGroup": false}), "8500"},
		"negative capacity":  {map[string]any{"participantCapacity": -1}, "8500"},
		"capacity as text":   {map[string]any{"participantCapacity": "100"}, "8500"},
		"huge capacity":      {map[string]any{"participantCapacity": 1 << 40}, "8500"},
		"options' type":      {map[string]any{"callOptions": map[string]any{"isDeltaRosterEnabled": true}}, "8500"},
		"option as text":     {map[string]any{"callOptions": map[string]any{"@odata.type": "#microsoft.graph.incomingCallOptions", "isDeltaRosterEnabled": "true"}}, "8500"},
	} {
		body := answerBody(b.callback())
		for k, v := range c.change {
			body[k] = v
			if v == "omit" {
				delete(body, k)
			}
		}
		before := len(b.cloud.Trace().Violations())
		r := b.do(http.MethodPost, callPath(call.ID(), "answer"), body)
		if r.status != http.StatusBadRequest || r.code() != c.code {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
		if got := len(b.cloud.Trace().Violations()) - before; got != 1 {
			t.Errorf("%s: %d violations", name, got)
		}
	}
	b.answer(call) // and the good one is still taken
}

func TestStatusIsReadAsDocumented(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	call := b.established(cloud.CallSpec{})
	post := func(body string, change ...func(*http.Request)) result {
		return b.do(http.MethodPost, callPath(call.ID(), "updateRecordingStatus"), body, change...)
	}
	for name, body := range map[string]string{
		"no context":      `{"status":"recording"}`,
		"empty context":   `{"status":"recording","clientContext":""}`,
		"null context":    `{"status":"recording","clientContext":null}`,
		"long context":    `{"status":"recording","clientContext":"` + strings.Repeat("ü", 257) + `"}`,
		"no status":       `{"clientContext":"c"}`,
		"other status":    `{"status":"paused","clientContext":"c"}`,
		"capital status":  `{"status":"Recording","clientContext":"c"}`,
		"status twice":    `{"status":"failed","status":"recording","clientContext":"c"}`,
		"unknown member":  `{"status":"recording","clientContext":"c","force":true}`,
		"trailing text":   `{"status":"recording","clientContext":"c"} {}`,
		"not an object":   `["recording"]`,
		"cut in the half": `{"status":"recording","clientContext":`,
		"nothing":         ``,
	} {
		if r := post(body); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
	}
	if r := post(`{"status":"recording","clientContext":"c"}`, func(r *http.Request) { r.Header.Set("Content-Type", "text/json") }); r.status != http.StatusUnsupportedMediaType {
		t.Errorf("content type: %d", r.status)
	}
	if f := call.Facts(); len(f.Announcements) != 0 {
		t.Errorf("something was taken: %+v", f.Announcements)
	}
	if r := post(`{"status":"recording","clientContext":"` + strings.Repeat("ü", 256) + `"}`); r.status != http.StatusOK {
		t.Errorf("256 characters: %d %s", r.status, r.raw)
	}
	if r := post(`{"status":"notRecording","clientContext":"` + strings.Repeat("ü", 256) + `"}`); r.status != http.StatusBadRequest {
		t.Errorf("a context used twice: %d %s", r.status, r.raw)
	}
}

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	call := b.established(cloud.CallSpec{})
	id := call.ID()
	for _, c := range []struct {
		method, path string
		body         any
		want         int
	}{
		{http.MethodGet, callPath(id, "answer"), nil, http.StatusMethodNotAllowed},
		{http.MethodPut, callPath(id, "updateRecordingStatus"), `{}`, http.StatusMethodNotAllowed},
		{http.MethodPost, callPath(id, ""), `{}`, http.StatusMethodNotAllowed},
		{http.MethodPost, callPath(id, "participants"), `{}`, http.StatusMethodNotAllowed},
		{http.MethodPost, callPath(id, "UpdateRecordingStatus"), `{}`, http.StatusNotFound},
		{http.MethodPost, callPath(id, "answer/again"), `{}`, http.StatusNotFound},
		{http.MethodGet, callPath(id, "operations"), nil, http.StatusNotFound},
		{http.MethodPost, callPath(id, "keepAlive"), `{}`, http.StatusBadRequest},
		{http.MethodGet, callPath(id, "") + "?$select=state", nil, http.StatusBadRequest},
		{http.MethodPost, "/beta/communications/calls/" + id + "/keepAlive", nil, http.StatusNotFound},
		{http.MethodPost, callPath("not-a-guid", "keepAlive"), nil, http.StatusNotFound},
		{http.MethodPost, callPath("11111111-1111-4111-8111-111111111111", "keepAlive"), nil, http.StatusNotFound},
		{http.MethodGet, callPath(id, "operations/11111111-1111-4111-8111-111111111111"), nil, http.StatusNotFound},
		{http.MethodPost, callPath(id, "reject"), `{"reason":"busy"}`, http.StatusBadRequest}, // it was answered
	} {
		before := len(b.cloud.Trace().Violations())
		if r := b.do(c.method, c.path, c.body); r.status != c.want {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.raw)
		}
		if got := len(b.cloud.Trace().Violations()) - before; got != 1 {
			t.Errorf("%s %s: %d violations", c.method, c.path, got)
		}
	}
	before := len(b.cloud.Trace().Violations())
	for _, path := range []string{
		callPath(id, "microsoft.graph.keepAlive"),
		callPath(strings.ToUpper(id), "keepAlive"),
		callPath(strings.ToUpper(strings.ReplaceAll(id, "-", "")), "keepAlive"),
	} {
		if r := b.do(http.MethodPost, path, nil); r.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, r.status, r.raw)
		}
	}
	if got := len(b.cloud.Trace().Violations()) - before; got != 0 {
		t.Errorf("good forms: %d violations", got)
	}
}

func TestMissingRequestIDIsCounted(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	call := b.established(cloud.CallSpec{})
	before := b.cloud.Stats()
	b.do(http.MethodPost, callPath(call.ID(), "keepAlive"), nil, func(r *http.Request) {
		r.Header.Del("client-request-id")
		r.Header.Del("Scenario-Id")
	})
	b.do(http.MethodPost, callPath(call.ID(), "keepAlive"), nil)
	after := b.cloud.Stats()
	if after.WithoutClientRequestID-before.WithoutClientRequestID != 1 || after.WithoutScenarioID-before.WithoutScenarioID != 1 || after.Requests-before.Requests != 2 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestSecondAnswer(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	call := b.established(cloud.CallSpec{})
	b.answer(call) // the same again, as after a lost reply
	b.noViolations()
	body := answerBody(b.callback())
	body["mediaConfig"] = map[string]any{"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "another"}
	if r := b.do(http.MethodPost, callPath(call.ID(), "answer"), body); r.status != http.StatusBadRequest {
		t.Errorf("another blob: %d", r.status)
	}
}

func TestRejectReasons(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	for _, reason := range []string{"none", "Busy", "forbidden"} {
		call := b.place(cloud.CallSpec{})
		if r := b.do(http.MethodPost, callPath(call.ID(), "reject"), `{"reason":"tired"}`); r.status != http.StatusBadRequest {
			t.Errorf("tired: %d", r.status)
		}
		if r := b.do(http.MethodPost, callPath(call.ID(), "reject"), `{"reason":"`+reason+`"}`); r.status != http.StatusAccepted {
			t.Errorf("%s: %d %s", reason, r.status, r.raw)
		}
	}
}
