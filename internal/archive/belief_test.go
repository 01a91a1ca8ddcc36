package archive_test

import (
	"testing"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// What the gate has judged of the media clock holds here, too, also before it is
// known where the recording starts.
func TestClockIsBelievedAsByTheGate(t *testing.T) {
	t.Parallel()
	const hour = 3600 * 50
	for name, early := range map[string]bool{"before the note": true, "behind the note": false} {
		for _, judged := range []bool{true, false} {
			s := newScript(t)
			opened := func() { s.note(t, "opened", map[string]any{"firstSeq": 1}) }
			if !early {
				opened()
			}
			s.audio(60)
			if judged {
				s.note(t, timeline.BeliefNote, timeline.Belief{BeforeSeq: s.seq + 1, MostTicks: 30 * 10_000_000})
			}
			s.now += hour * frame.TicksPerFrame
			if early {
				s.audio(1)
				opened()
			}
			s.audio(60)
			s.seal(s.seq)
			outcome, want := recorder.OutcomeRecordedWithGaps, int64(hour*frame.AudioSamples)
			if judged {
				outcome, want = recorder.OutcomeRecorded, 0
			}
			r, err := open(t).Assemble(t.Context(), s.job(t, outcome))
			if err != nil {
				t.Fatal(err)
			}
			m, findings := archive.CheckFolder(r.Path)
			if len(findings) > 0 || len(m.Tracks) != 1 {
				t.Fatalf("%s: findings %v, tracks %v", name, findings, m.Tracks)
			}
			if got := m.Tracks[0].GapSamples; got != want {
				t.Errorf("%s, judged %v: %d samples are missing, want %d", name, judged, got, want)
			}
		}
	}
}
