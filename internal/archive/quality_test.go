package archive_test

import (
	"slices"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestGapShareOfSpeakersApart: what is missing is held against what was said, however long
// the silence is beside it.
func TestGapShareOfSpeakersApart(t *testing.T) {
	t.Parallel()
	for lost, want := range map[int]bool{2: false, 4: true} {
		s := apart(t)
		for i := range 300 {
			if i == 150 {
				s.add(spool.Record{Type: spool.GapType, Gap: frame.Gap{
					Kind: frame.UnmixedAudio, Source: 7, FirstSeq: s.seq + 1, Count: uint64(lost), Cause: frame.CauseOverflow,
				}})
				s.seq += uint64(lost)
				for range lost {
					s.tick()
				}
			}
			s.speak(7)
			s.tick()
		}
		for range 5000 {
			s.tick()
		}
		s.speak(7)
		s.seal(s.seq)
		r, err := open(t).Assemble(t.Context(), s.job(t, recorder.OutcomeRecordedWithGaps))
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(r.Flags, "gapShare"); got != want || r.GapSamples != int64(lost)*frame.AudioSamples {
			t.Errorf("%d of 300 frames lost: flagged %v, %d samples missing", lost, got, r.GapSamples)
		}
	}
}

// TestFlagsOfSpeakersApart: who could be heard, and was not, is asked of all the time in
// which the gate was open, however short what was said.
func TestFlagsOfSpeakersApart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		said      map[uint32]int // frames, after ten seconds
		last      time.Duration  // of the recording
		recovered bool
		want      []string
	}{
		"both are heard":         {map[uint32]int{7: 150, 9: 150}, time.Minute, false, []string{}},
		"one says a word":        {map[uint32]int{7: 50}, time.Minute, false, []string{"silentWhileUnmuted", "oneWay"}},
		"nobody says anything":   {nil, time.Minute, false, []string{"silentWhileUnmuted"}},
		"not for long":           {map[uint32]int{7: 50}, 20 * time.Second, false, []string{}},
		"soon over":              {map[uint32]int{7: 50}, 0, false, []string{}},
		"sealed when we started": {map[uint32]int{7: 50}, time.Hour, true, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apart(t)
			s.note(t, "opened", map[string]any{"firstSeq": 1, "at": s.at})
			s.records = slices.Delete(s.records, 1, 2) // the note without a time
			begin := s.at
			for range 500 {
				s.tick()
			}
			for i := range 200 {
				for _, source := range []uint32{7, 9} {
					if i < tt.said[source] {
						s.speak(source)
					}
				}
				s.tick()
			}
			if end := begin.Add(tt.last); end.After(s.at) {
				s.at = end
			}
			s.seal(s.seq)
			s.records[len(s.records)-1].Seal.Recovered = tt.recovered
			r, err := open(t).Assemble(t.Context(), s.job(t, recorder.OutcomeFailed))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.Flags, tt.want) {
				t.Errorf("%v, want %v", r.Flags, tt.want)
			}
		})
	}
}
