package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media"
)

// TestStreams: what is recorded, of all calls and of those by a policy.
func TestStreams(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		all    media.Streams
		policy map[string]media.Streams
	}{
		"":                           {},
		"recording: {video: 360p}\n": {all: media.Streams{Cameras: 10, Height: 360}},
		"recording: {audio: unmixed, video: 720p, cameras: 4, screenShare: true}\n": {
			all: media.Streams{Unmixed: true, Cameras: 4, Screen: true, Height: 720},
		},
		"recording: {screenShare: true}\n": {all: media.Streams{Screen: true, Height: 1080}},
		"recording:\n  video: 180p\n  policies:\n    Trading Desk: {audio: unmixed, screenShare: true}\n    silent: {video: none}\n": {
			all: media.Streams{Cameras: 10, Height: 180},
			policy: map[string]media.Streams{
				"Trading Desk": {Unmixed: true, Cameras: 10, Screen: true, Height: 180},
				"silent":       {},
			},
		},
	} {
		cfg, err := loadConfig(writeConfig(t, goodConfig+text), nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if want.policy == nil {
			want.policy = map[string]media.Streams{}
		}
		if diff := cmp.Diff(want.all, cfg.Recording.streams()); diff != "" {
			t.Errorf("%q: -want +got\n%s", text, diff)
		}
		if diff := cmp.Diff(want.policy, cfg.policies()); diff != "" {
			t.Errorf("%q, by policy: -want +got\n%s", text, diff)
		}
	}
}

// TestStreamsRefused: each with its key and what to write.
func TestStreamsRefused(t *testing.T) {
	t.Parallel()
	_, err := loadConfig(writeConfig(t, goodConfig+`recording:
  audio: stereo
  video: 4k
  cameras: 11
  policies:
    desk: {audio: both, cameras: 2, colour: red}
`), nil)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{
		"recording.audio: ", "mixed, unmixed", "recording.video: ", "recording.cameras: ", "recording.policies.desk.audio: ", "colour",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
}
