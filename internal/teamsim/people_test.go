package teamsim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const meeting = `
name: meeting
seed: 3
calls:
  - people:
      - {name: Ada, audio: 11, cameras: [{source: 12, sizes: [{at: 0s, lines: 360}, {at: 4s, lines: 180}]}], muted: [{from: 2s, to: 3s}]}
      - {name: Gus, kind: guest, joins: 1s, lobby: 1s, leaves: 6s, audio: 21, voice: b, speaks: [{from: 0s}]}
      - {kind: phone, audio: 31, speaks: [{from: 1s, to: 2s}]}
      - {kind: phone, audio: 31, voice: c, speaks: [{from: 1500ms, to: 3s}], serverMuted: [{from: 2500ms}]}
      - {name: Late, named: 5s, audio: 41, silent: true, screens: [{from: 2s, to: 4s, noKeyFrame: true}]}
      - {name: Ghost, hidden: true, audio: 51, voice: beep}
`

// TestRosterFollowsThePeople: what the roster says at each of its changes.
func TestRosterFollowsThePeople(t *testing.T) {
	t.Parallel()
	s, err := ReadScenario([]byte(meeting))
	if err != nil {
		t.Fatal(err)
	}
	people := s.Calls[0].people(s.Seed, 1)
	if again := s.Calls[0].people(s.Seed, 1); !cmp.Equal(people, again) {
		t.Error("the same seed gives other people")
	}
	screen := people[4].Screens[0].Source
	if other := s.Calls[0].people(s.Seed, 2)[4].Screens[0].Source; screen == 0 || other == screen {
		t.Errorf("screens %d and %d in two calls", screen, other)
	}
	var got []string
	for _, at := range append([]time.Duration{0}, changes(people)...) {
		line := at.String()
		for _, p := range participants(people, 1, at) {
			line += " | " + p.Name
			for name, on := range map[string]bool{" lobby": p.InLobby, " muted": p.Muted, " silenced": p.ServerMuted} {
				if on {
					line += name
				}
			}
			if p.SourceID != 0 {
				line += fmt.Sprint(" ", p.SourceID)
			}
			for _, st := range p.Streams {
				line += " " + strings.TrimSuffix(st.Type, "BasedScreenSharing") + ":" + st.Direction
			}
		}
		got = append(got, line)
	}
	off := []string{"receiveOnly", "inactive"}[screen%2]
	want := []string{
		"0s | Ada 11 video:sendReceive | Person 3 31 | Person 4 31 | Late",
		"1s | Ada 11 video:sendReceive | Gus lobby | Person 3 31 | Person 4 31 | Late",
		"2s | Ada muted 11 video:sendReceive | Gus 21 | Person 3 31 | Person 4 31 | Late",
		"2.5s | Ada muted 11 video:sendReceive | Gus 21 | Person 3 31 | Person 4 silenced 31 | Late",
		"3s | Ada 11 video:sendReceive | Gus 21 | Person 3 31 | Person 4 silenced 31 | Late",
		"4s | Ada 11 video:sendReceive | Gus 21 | Person 3 31 | Person 4 silenced 31 | Late",
		"5s | Ada 11 video:sendReceive | Gus 21 | Person 3 31 | Person 4 silenced 31 | Late 41 video:" + off,
		"6s | Ada 11 video:sendReceive | Person 3 31 | Person 4 silenced 31 | Late 41 video:" + off,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	kinds := map[string]bool{}
	for _, p := range participants(people, 1, 3*time.Second) {
		for kind, id := range map[string]string{"user": p.User, "guest": p.Guest, "phone": p.Phone} {
			kinds[kind] = kinds[kind] || id != ""
		}
	}
	if len(kinds) != 3 || !kinds["guest"] || !kinds["phone"] {
		t.Errorf("kinds %v", kinds)
	}
}

// TestCastFollowsThePeople: who is heard is who is there, and not muted.
func TestCastFollowsThePeople(t *testing.T) {
	t.Parallel()
	s, err := ReadScenario([]byte(meeting))
	if err != nil {
		t.Fatal(err)
	}
	sim := &Sim{Scenario: s}
	cast, err := sim.cast(&s.Calls[0], 1, [2]uint32{})
	if err != nil {
		t.Fatal(err)
	}
	if err = cast.Check(); err != nil || !cast.Mix {
		t.Errorf("cast: %v, mix %v", err, cast.Mix)
	}
	var sources []uint32
	for _, v := range cast.Speakers {
		sources = append(sources, v.Source)
	}
	if !slices.Equal(sources, []uint32{11, 21, 31, 51}) {
		t.Errorf("heard are %v", sources)
	}
	if len(cast.Cameras) != 2 || cast.Cameras[0].Screen || !cast.Cameras[1].Screen || !cast.Cameras[1].NoKey || len(cast.Cameras[0].Sizes) != 2 {
		t.Errorf("seen are %+v", cast.Cameras)
	}
	// Where nobody is named, the two of every call are heard under the roster's sources.
	plain, err := sim.cast(&Group{}, 7, sim.sources(7))
	if err != nil || plain.Mix || len(plain.Speakers) != 2 || plain.Speakers[0].Source != sim.sources(7)[0] {
		t.Errorf("without people: %+v, %v", plain, err)
	}
}

func TestPeopleAreChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"people: [{kind: cat}]":                                          "cat",
		"people: [{leaves: 3s}]":                                         "observed",
		"people: [{}, {voice: d}]":                                       "voice",
		"people: [{}, {joins: 3s, leaves: 2s}]":                          "leaves",
		"people: [{silent: true, speaks: [{from: 1s}]}]":                 "silent",
		"people: [{audio: 5}, {audio: 5, kind: phone}]":                  "share",
		"people: [{muted: [{from: 2s, to: 1s}]}]":                        "no time",
		"people: [{cameras: [{colour: red}]}]":                           "colour",
		"people: [{cameras: [{clip: film}]}]":                            "film",
		"people: [{cameras: [{source: 5}]}, {cameras: [{source: 5}]}]":   "camera 5",
		"receive: [{socket: telly, active: true}]":                       "receive",
		"people: [{cameras: [{sizes: [{at: 2s, lines: 1}, {at: 1s}]}]}]": "order",
	} {
		s, err := ReadScenario([]byte("name: x\ncalls: [{" + text + "}]\n"))
		if err == nil {
			var sim *Sim
			if sim, err = Start(s, Options{Dir: t.TempDir()}); err == nil {
				_ = sim.Close()
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := ReadScenario([]byte("name: x\nrecording: {audio: stereo}\ncalls: [{}]\n")); err == nil || !strings.Contains(err.Error(), "stereo") {
		t.Errorf("recording: %v", err)
	}
}
