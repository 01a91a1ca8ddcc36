package chaos

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// TestDisobeyed: what the console said was done is held against what was seen.
func TestDisobeyed(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
	order := func(do string, asked, ended, status int, detail string) given {
		return given{do: do, call: "c", asked: at(asked), ended: at(ended), http: status, done: status == http.StatusOK, detail: detail}
	}
	pause := order("pause", 10, 12, http.StatusOK, "")
	recording := cloud.Announcement{Status: "recording", Received: at(1), Applied: at(1)}
	ended := cloud.Announcement{Status: "notRecording", Received: at(11), Applied: at(11)}
	again := cloud.Announcement{Status: "recording", Received: at(20), Applied: at(20)}
	first, second := host.Period{OpenAsked: at(2), PauseAsked: at(10)}, host.Period{OpenAsked: at(21)}
	for name, c := range map[string]struct {
		want    string
		orders  []given
		said    []cloud.Announcement
		periods []host.Period
		left    time.Time
	}{
		"paused":                    {"", []given{pause}, []cloud.Announcement{recording, ended}, []host.Period{first}, time.Time{}},
		"not announced":             {"still announced", []given{pause}, []cloud.Announcement{recording}, []host.Period{first}, time.Time{}},
		"recording again by itself": {"recording was announced", []given{pause}, []cloud.Announcement{recording, ended, again}, []host.Period{first}, time.Time{}},
		"opened by itself":          {"told to open", []given{pause}, []cloud.Announcement{recording, ended}, []host.Period{first, second}, time.Time{}},
		"resumed":                   {"", []given{pause, order("resume", 19, 22, 200, "")}, []cloud.Announcement{recording, ended, again}, []host.Period{first, second}, time.Time{}},
		"resumed, and paused again": {
			"",
			[]given{pause, order("resume", 19, 22, 409, "resume led to state sealing")},
			[]cloud.Announcement{recording, ended, again},
			[]host.Period{first, second},
			time.Time{},
		},
		"resumed before it was asked for": {
			"recording was announced", []given{pause, order("resume", 21, 22, 200, "")}, []cloud.Announcement{recording, ended, again}, []host.Period{first, second}, time.Time{},
		},
		"resumed in word only": {"not told to open", []given{order("resume", 19, 20, 200, "")}, []cloud.Announcement{recording, ended}, []host.Period{first}, time.Time{}},
		"refused":              {"", []given{order("pause", 10, 12, 409, "pause in state sealing")}, []cloud.Announcement{recording}, []host.Period{first}, time.Time{}},
		"a crash":              {"no answer", []given{order("pause", 10, 12, 500, "")}, nil, nil, time.Time{}},
		"stopped":              {"", []given{order("stop", 10, 12, 200, "")}, nil, nil, at(11)},
		"not stopped":          {"not left", []given{order("stop", 10, 12, 200, "")}, nil, nil, at(13)},
	} {
		calls := []cloud.Facts{{ID: "c", Blob: "b", Announcements: c.said, Left: c.left}}
		found := strings.Join(disobeyed(c.orders, calls, []host.SessionRecord{{Blob: "b", Periods: c.periods}}), "\n")
		if !strings.Contains(found, c.want) || (found != "") != (c.want != "") {
			t.Errorf("%s: %q, want %q", name, found, c.want)
		}
	}
}
