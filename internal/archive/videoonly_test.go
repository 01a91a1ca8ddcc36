package archive

import (
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestWhatIsStoredOrMissing: where nobody spoke there may be video, here or in another
// recording of the call; and what a speaker was silent for is not missing.
func TestWhatIsStoredOrMissing(t *testing.T) {
	t.Parallel()
	seen := Track{Kind: "video", Frames: 3}
	quiet := Track{Kind: "audio", Samples: 640, StoredSamples: 320, GapSamples: 320, Gaps: []Gap{{Samples: 320, Cause: timeline.Idle}}}
	for name, tt := range map[string]struct {
		m    Manifest
		want int // findings
		lost int64
	}{
		"nothing":          {Manifest{}, 1, 0},
		"a camera":         {Manifest{Tracks: []Track{seen}}, 0, 0},
		"a camera before":  {Manifest{Others: []Other{{Frames: 3}}}, 0, 0},
		"a silent speaker": {Manifest{StoredSamples: 320, GapSamples: 320, Tracks: []Track{quiet}}, 0, 0},
		"a lost frame": {
			Manifest{StoredSamples: 320, GapSamples: 640, Tracks: []Track{quiet, {Kind: "audio", Gaps: []Gap{{Samples: 320, Cause: frame.CauseLink}}}}}, 1, 320,
		},
	} {
		m := tt.m
		m.Outcome = recorder.OutcomeRecorded.String()
		c := orderCheck{m: &m}
		if c.outcome(); len(c.findings) != tt.want {
			t.Errorf("%s: %v", name, c.findings)
		}
		if got := m.missing(); got != tt.lost {
			t.Errorf("%s: %d samples lost, want %d", name, got, tt.lost)
		}
	}
}
