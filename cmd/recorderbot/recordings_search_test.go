package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/recorderbot/recorderbot/internal/callbacks"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/graph"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// waiting is a media side and a platform with which every call stays in its first
// moment until it is cut.
type waiting struct {
	recorder.Media
	recorder.Platform
}

func (waiting) CreateSession(ctx context.Context, _ recorder.CallRef, _ recorder.Placement) (recorder.Session, error) {
	<-ctx.Done()
	return recorder.Session{}, recorder.ErrNoMediaHost
}

func (waiting) Release(context.Context, recorder.CallID, string) error { return nil }

func (waiting) Reject(context.Context, recorder.CallRef, recorder.RejectReason) (recorder.Receipt, error) {
	return recorder.Receipt{HTTPStatus: 202}, nil
}

// A desk is a catalogue that real notifications came into, through the edge's
// receiver and the core; and all that was logged and counted meanwhile.
type desk struct {
	dir    string
	logged bytes.Buffer
	counts string
}

const deskTenant = "932899f8-2ea1-4604-8413-27bd2892079f"

// payload reads an invite of the decoder's tests, changed.
func payload(t *testing.T, name string, changes ...string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "internal", "graph", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if old, _, _ := strings.Cut(c, "→"); !strings.Contains(string(body), old) {
			t.Fatalf("%s has no %s", name, old)
		}
		old, with, _ := strings.Cut(c, "→")
		body = bytes.ReplaceAll(body, []byte(old), []byte(with))
	}
	return string(body)
}

// newDesk takes bodies as they come from Teams.
func newDesk(t *testing.T, bodies ...string) *desk {
	t.Helper()
	d := &desk{dir: t.TempDir()}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.Lock(zapcore.AddSync(&d.logged)), zapcore.DebugLevel)
	log, metrics := zap.New(core), prometheus.NewRegistry()
	cat, err := catalogue.Open(t.Context(), "sqlite:catalogue.db", d.dir, catalogue.Options{Log: log, Registerer: metrics})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cut := context.WithCancel(context.Background())
	registry := recorder.NewRegistry(ctx, recorder.Options{Platform: waiting{}, Media: waiting{}, Ledger: cat, Registerer: metrics, Log: log})
	r := &receiver{registry: registry, durable: cat.Durable, log: log}
	for i, body := range bodies {
		b, derr := graph.Decode([]byte(body), graph.Arrival{At: deskTime(i)})
		if derr == nil {
			derr = r.Receive(t.Context(), callbacks.Caller{Tenant: deskTenant}, b.Notifications)
		}
		if derr != nil {
			t.Fatal(derr)
		}
	}
	cut()
	if err = errors.Join(registry.Wait(context.Background()), cat.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	d.counts = fmt.Sprint(families)
	configure(t, d.dir)
	return d
}

// deskTime is when the i-th body comes.
func deskTime(i int) time.Time {
	return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute)
}

const (
	transferred = "e71f0300-9c1f-4d99-b5f4-2722e877d497"
	questioned  = "f81f0300-9c1f-4d99-b5f4-2722e877d497"
	paired      = "a91f0300-9c1f-4d99-b5f4-2722e877d497"
)

// conversation is: a call of the reception (not under another's chain), the call that
// it transferred, and the second bot in that one. Then the roster of the second.
func conversation(t *testing.T) *desk {
	t.Helper()
	const own = "own_transferred_from_telephone.json"
	rosterOf := `{"@odata.type":"#microsoft.graph.commsNotifications","value":[{"changeType":"updated","resourceUrl":"/communications/calls/` + transferred + `/participants","resourceData":[
		{"id":"p1","info":{"identity":{"user":{"id":"0B0B0B0B-1111-4222-8333-444444444444","displayName":"Bob Example"}}},"mediaStreams":[{"mediaType":"audio","sourceId":"1","direction":"%"}]},
		{"id":"p2","info":{"identity":{"phone":{"id":"+442079460000"}}},"mediaStreams":[]}]}]}`
	return newDesk(t,
		payload(t, "notif_incoming_policy_recording.json", transferred+"→"+questioned, "8A34A46B-3D17-4ADC-8DCE-DC4E7D572698→B9C6BFE8-9BD5-4D03-8E3D-3C1B8BFB6D12", "05f2f70f-→15f2f70f-", "30fad2ce→20fad2ce"),
		payload(t, own),
		payload(t, own, transferred+"→"+paired, "1520a1a5-5394-4a41-aa72-9ee6fa18cfc8→371f0300-2c1f-4d99-b5f4-2722e877d490", "Trading floor→Twin"),
		strings.ReplaceAll(rosterOf, "%", "sendReceive"), strings.ReplaceAll(rosterOf, "%", "inactive"),
		strings.ReplaceAll(rosterOf, transferred, "00000000-9c1f-4d99-b5f4-2722e877d497"), // of no live call
	)
}

// TestSearch: whatever an invite or a roster says finds the call, however it is
// written; and nothing else does.
func TestSearch(t *testing.T) {
	t.Parallel()
	d := conversation(t)
	for args, want := range map[string]string{
		"": questioned + " " + transferred + " " + paired,
		"--user 8A34A46B3D174ADC8DCEDC4E7D572698":                           transferred + " " + paired,
		"--user 8:orgid:8a34a46b-3d17-4adc-8dce-dc4e7d572698":               transferred + " " + paired,
		"--user B9C6bfe8-9bd5-4d03-8e3d-3c1b8bfb6d12":                       questioned + " " + transferred + " " + paired, // the transferor
		"--user a8c6bfe8-9bd5-4d03-8e3d-3c1b8bfb6d12":                       transferred + " " + paired,                    // on behalf of
		"--user 5810cede-f3cc-42eb-b2c1-e9bd5d53ec96":                       transferred + " " + paired,                    // the organizer
		"--user 0b0b0b0b-1111-4222-8333-444444444444":                       transferred,                                   // in the roster
		"--user 0b0b0b0b-1111-4222-8333-444444444445":                       "",
		"--number +441632960123":                                            transferred + " " + paired,
		"--number=0044-1632-960123":                                         transferred + " " + paired,
		"--number +44(0)20.7946.0000":                                       transferred,
		"--number 442079460000":                                             transferred,
		"--number 02079460000":                                              "",
		"--name müller":                                                     transferred + " " + paired,
		"--name EXAMPLE":                                                    transferred,
		"--direction incoming":                                              questioned + " " + transferred + " " + paired,
		"--direction CALLER":                                                "",
		"--policy twin":                                                     paired,
		"--policy TeamsComplianceRecordingPolicy=Tenant:Twin":               paired,
		"--policy Test":                                                     "",
		"--field source.region=EMEA --field subject":                        transferred + " " + paired,
		"--field botData.user.clientLocation=US":                            questioned,
		"--field meetingInfo.@odata.type=#microsoft.graph.tokenMeetingInfo": questioned,
		"--conversation 15F2F70F-3A9C-47C1-80A9-CC79E91D8CEC":               questioned,
		"--conversation 19:meeting_NTg0NmQ3@thread.v2":                      transferred + " " + paired,
		"--from 2026-11-24T09:01:00Z":                                       transferred + " " + paired,
		"--from 2026-11-24 --to 2026-11-24T10:01:00+01:00":                  questioned,
		"--to 2026-11-24":                                                   "",
		"--from 2026-11-24 --to 2026-11-25 --policy twin":                   paired,
		"--flag oneway":                                                     "",
		"--tenant " + deskTenant + " --number +442079460000":                transferred,
		"--user 0b0b0b0b-1111-4222-8333-444444444444 --limit 1":             transferred,
	} {
		code, out := command(d.dir, append([]string{"recordings", "list", "--json"}, strings.Fields(args)...)...)
		var got []string
		for _, id := range []string{questioned, transferred, paired} {
			if strings.Contains(out, `"Call":"`+id) {
				got = append(got, id)
			}
		}
		if code != 0 || strings.Join(got, " ") != want {
			t.Errorf("%s: exit code %d, %v, want %s:\n%s", args, code, got, want, out)
		}
	}
}

// TestShowTellsTheConversation: who was in a call, what happened to it and to which
// others it belongs.
func TestShowTellsTheConversation(t *testing.T) {
	t.Parallel()
	d := conversation(t)
	for args, want := range map[string][]string{
		transferred: {
			`(?m)^observed +user 8a34a46b-3d17-4adc-8dce-dc4e7d572698 Ännchen Müller \(participant 30fad2ce-.*\) \(tenant 932899f8-.*\)$`,
			`(?m)^transferor +user b9c6bfe8-.* Reception$`, `(?m)^otherSide +phone \+441632960123 `, `(?m)^thread +19:meeting_`,
			`(?m)^participant +user 0b0b0b0b-1111-4222-8333-444444444444 Bob Example \(participant p1\)$`, `(?m)^participant +phone \+442079460000 `,
			`(?m)^transferredHere +from 2026-11-24T09:01:00.000Z, as told by the invite$`, `(?m)^hold +from .* by participant p1, as told by the roster$`,
			`(?m)^related call +` + questioned + ` .*\(transferor\)$`,
			`(?m)^related call +` + paired + ` .*\(sameParticipant, pairedRecorder, callChain, thread\)$`,
		},
		questioned: {`(?m)^related call +` + transferred + ` .*\(transferor\)$`, `(?m)^related call +` + paired + ` .*\(pairedRecorder, transferor\)$`},
		"--fields " + paired: {
			`(?m)^botData\.otherSideUser\.clientLocation +GB$`, `(?m)^callOptions\.isDeltaRosterEnabled +false$`, `(?m)^chatInfo\.messageId +1691292138662$`,
			`(?m)^related call +` + transferred + ` .*\(sameParticipant, pairedRecorder, callChain, thread\)$`,
		},
	} {
		code, out := command(d.dir, append([]string{"recordings", "show"}, strings.Fields(args)...)...)
		if strings.Contains(out, "source.region") != strings.Contains(args, "--fields") {
			t.Errorf("%s: fields are shown unasked, or not:\n%s", args, out)
		}
		for _, pattern := range want {
			if code != 0 || !regexp.MustCompile(pattern).MatchString(out) {
				t.Errorf("%s: exit code %d, %s is not in:\n%s", args, code, pattern, out)
			}
		}
	}
}

// TestPeopleStayOutOfLogs: names and numbers are in the catalogue, and in no log and
// no metric (law 7).
func TestPeopleStayOutOfLogs(t *testing.T) {
	t.Parallel()
	d := conversation(t)
	db, err := os.ReadFile(filepath.Join(d.dir, "catalogue.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"Müller", "Reception", "The Boss", "Bob Example", "Someone", "441632960123", "493012345678", "442079460000", "Order 4711"} {
		if !bytes.Contains(db, []byte(word)) {
			t.Errorf("%s never came in", word)
		}
		if bytes.Contains(d.logged.Bytes(), []byte(word)) || strings.Contains(d.counts, word) {
			t.Errorf("%s is in the log or in a metric:\n%s", word, d.logged.Bytes())
		}
	}
	if d.logged.Len() == 0 || !strings.Contains(d.counts, "recorderbot_") {
		t.Errorf("nothing was logged or counted: %d bytes, %d bytes", d.logged.Len(), len(d.counts))
	}
}

// TestListSaysAllThatIsWrong: each flag that can't be meant is named with what to
// write, all at once.
func TestListSaysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	cmd := recordingsList{
		User: "anna@contoso.com", Number: "anonymous", From: "24.11.2026", To: "2026-11-24 9:00", Since: -time.Hour, Direction: "sideways",
		Field: []string{"colour=red", "=x"}, Flag: []string{"loud"}, Outcome: "lost", Limit: 0,
	}
	_, err := cmd.filter(deskTime(0))
	for _, want := range []string{
		`--user "anna@contoso.com" is a user principal name, which the platform does not tell; write the user's object ID`,
		`--number "anonymous" is not a telephone number; write it as +493012345678`, `--from "24.11.2026" is no time; write 2026-11-24`,
		`--to "2026-11-24 9:00" is no time`, `--since -1h0m0s is in the future`, `--direction "sideways" is not known; it is one of caller`,
		`--field "colour=red": the name of a field begins with one of botData, incomingContext`, `--field "=x"`,
		`--flag: flag "loud" is not known; it is one of clipping`, `--outcome "lost"`, `--limit 0`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in:\n%v", want, err)
		}
	}
	for name, c := range map[string]struct {
		cmd  recordingsList
		want string
	}{
		"a number as a user": {recordingsList{User: "+4930"}, "is a telephone number; ask for it with --number"},
		"a raw number":       {recordingsList{User: "4:+4930"}, "is a telephone number"},
		"a name as a user":   {recordingsList{User: "Anna Bell"}, "ask for a display name with --name"},
		"backwards":          {recordingsList{From: "2026-11-24", To: "2026-11-23"}, "--to 2026-11-23 is not after the beginning, 2026-11-24T00:00:00Z"},
		"nothing between":    {recordingsList{From: "2026-11-24", To: "2026-11-24"}, "the first time that is left out"},
		"since and to":       {recordingsList{Since: time.Hour, To: "2026-11-24"}, "is not after the beginning"},
		"since and from":     {recordingsList{Since: time.Hour, From: "2026-11-24"}, "give one of them"},
		"before time":        {recordingsList{From: "1066-10-14"}, "not in the years from 1970 to 2261"},
		"after time":         {recordingsList{To: "9999-01-01"}, "not in the years from 1970 to 2261"},
	} {
		c.cmd.Limit = 1
		if _, err = c.cmd.filter(deskTime(0)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	f, err := recordingsList{Limit: 1, From: "2026-11-24T09:00:00+01:00", To: "2026-11-25", Flag: []string{"ONEWAY", "clipping"}, Direction: "outgoing"}.filter(deskTime(0))
	if err != nil || !f.Since.Equal(deskTime(-60)) || !f.Until.Equal(deskTime(15*60)) || strings.Join(f.Flags, " ") != "oneWay clipping" || f.Direction != "caller" {
		t.Errorf("%+v, %v", f, err)
	}
	code, out := command(t.TempDir(), "recordings", "list", "--help")
	for _, flag := range catalogue.Flags() {
		if code != 0 || !strings.Contains(strings.Join(strings.Fields(out), " "), flag) {
			t.Errorf("the help does not name %s:\n%s", flag, out)
		}
	}
}

// TestListIsATable: an ID that is none makes no row of its own, and moves no cursor.
func TestListIsATable(t *testing.T) {
	t.Parallel()
	d := newDesk(t, payload(t, "notif_incoming_policy_recording.json", `8A34A46B-3D17-4ADC-8DCE-DC4E7D572698→a\nforged\u001b[2J`))
	code, out := command(d.dir, "recordings", "list")
	if code != 0 || strings.Count(out, "\n") != 2 || strings.Contains(out, "\x1b") || !strings.Contains(out, "a forged [2J") {
		t.Errorf("exit code %d:\n%q", code, out)
	}
}
