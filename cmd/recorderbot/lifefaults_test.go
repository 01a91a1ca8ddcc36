package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
)

// TestAuthorityFaults: token endpoint and signing keys are away when the bot
// starts, and the former again when its token is due; the service replaces its
// keys in the midst of calls. Calls go on.
func TestAuthorityFaults(t *testing.T) {
	t.Parallel()
	var trials []trial
	for range 5 {
		trials = append(trials, trial{name: "a call", want: []string{"recorded/callEnded"}, call: teamsim.Group{
			At: time.Duration(len(trials)) * 400 * ms, End: until(3 * time.Second),
		}})
	}
	trials[1].call.Events = []teamsim.Happening{{When: cloud.Recording, After: 300 * ms, Do: "replaceKeys"}}
	trials[4].call.Events = []teamsim.Happening{{When: cloud.Recording, After: 300 * ms, Do: "rotateKeys"}}
	try(t, teamsim.Scenario{
		Name: "authority-faults", Seed: 35, Settle: 20 * time.Second,
		// A token is not used in its last minute: these serve for a second and a half.
		Timing: teamsim.Timing{AccessTokenLifetime: 61500 * ms},
		Faults: []cloud.Fault{
			{Op: cloud.OpToken, Times: 1, HTTP: http.StatusServiceUnavailable},
			{Op: cloud.OpToken, Skip: 2, Times: 1, Lose: true},
			{Op: cloud.OpToken, Skip: 2, Times: 2, HTTP: http.StatusServiceUnavailable},
			{Op: cloud.OpToken, Skip: 2, Times: 1, HTTP: http.StatusInternalServerError, Body: cloud.BodyHTML},
			{Op: cloud.OpKeys, Times: 1, HTTP: http.StatusServiceUnavailable},
			{Op: cloud.OpOpenID, Times: 1, HTTP: http.StatusBadGateway, Body: cloud.BodyHTML},
		},
	}, trials, nil)
}

// TestLifeFaults: calls that end at every moment, and notifications in every
// wrong order.
func TestLifeFaults(t *testing.T) {
	t.Parallel()
	ended := []string{"notRecorded/endedBeforeConsent"}
	recorded := []string{"recorded/callEnded"}
	running := cloud.Fault{Op: cloud.OpStatus, Status: "recording", Times: -1, Body: cloud.BodyRunning}
	trials := []trial{
		{name: "deleted before the invite", want: []string{"notRecorded/answerTooLate", "notRecorded/endedBeforeConsent"}, call: teamsim.Group{
			Variants: cloud.Style{DeletedFirst: true},
		}},
		{name: "ended when invited", want: ended, call: teamsim.Group{End: teamsim.End{When: cloud.Invited}}},
		{name: "ended before established", want: ended, call: teamsim.Group{EstablishAfter: time.Minute, End: teamsim.End{When: cloud.Answered, After: 300 * ms}}},
		{name: "media never came about", want: ended, call: teamsim.Group{EstablishAfter: -300 * ms, End: teamsim.End{Never: true, AtMost: 10 * time.Second}}},
		{name: "ended during the announcement", want: ended, call: teamsim.Group{Faults: []cloud.Fault{running}, End: teamsim.End{When: cloud.Established, After: 300 * ms}}},
		{name: "ended before the reply", want: []string{"notRecorded/noMedia", "notRecorded/endedBeforeConsent"}, call: teamsim.Group{
			Faults: []cloud.Fault{{Op: cloud.OpStatus, Status: "recording", Delay: 600 * ms}}, End: teamsim.End{When: cloud.Recording, After: 200 * ms},
		}},
		{name: "ended at once", want: []string{"recorded/callEnded", "notRecorded/noMedia", "notRecorded/endedBeforeConsent"}, call: teamsim.Group{End: teamsim.End{When: cloud.Recording}}},
		{name: "ended during the last announcement", want: recorded, call: teamsim.Group{
			Linger: 2 * time.Second, Faults: []cloud.Fault{{Op: cloud.OpStatus, Status: "notRecording", Delay: time.Second}}, End: until(time.Second),
		}},
		{name: "established first", want: recorded, call: teamsim.Group{Variants: cloud.Style{EstablishedFirst: true, RepeatEstablished: true}, End: until(time.Second)}},
		{name: "established late", want: recorded, call: teamsim.Group{Deliveries: []cloud.Delivery{{Of: cloud.OfEstablishing, Delay: time.Second}}, End: until(1500 * ms)}},
		{name: "everything twice", want: recorded, call: teamsim.Group{End: until(time.Second), Deliveries: []cloud.Delivery{
			{Of: cloud.OfInvite, Copies: 3},
			{Of: cloud.OfEstablishing, Times: -1, Copies: 2},
			{Of: cloud.OfEstablished, Times: -1, Copies: 2},
			{Of: cloud.OfRoster, Times: -1, Copies: 2},
			{Of: cloud.OfDeleted, Times: -1, Copies: 2},
		}}},
	}
	for range 8 {
		trials = append(trials, trial{name: "concurrent invites, each twice", want: recorded, call: teamsim.Group{
			End: until(time.Second), Deliveries: []cloud.Delivery{{Of: cloud.OfInvite, Copies: 1}},
		}})
	}
	try(t, teamsim.Scenario{Name: "life-faults", Seed: 36, Settle: 20 * time.Second}, trials, nil)
}
