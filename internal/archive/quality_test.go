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

// TestMissingSpeaker: a stranger who spoke is missed, and so is a track of somebody who
// did; who was named at another time is no stranger.
func TestMissingSpeaker(t *testing.T) {
	t.Parallel()
	who := func(id string, source uint32) recorder.Participant {
		return recorder.Participant{ID: id, Kind: "user", Streams: []recorder.MediaStream{sends("audio", source, "sendReceive")}}
	}
	all := told{at: 2200 * time.Millisecond, people: []recorder.Participant{who("a", 7), who("b", 9)}}
	nobody := told{at: 3 * time.Second, people: []recorder.Participant{}}
	for name, tt := range map[string]struct {
		rosters []told
		speaks  uint32 // from a quarter to the end
		want    bool
	}{
		"known":               {[]told{all}, 7, false},
		"known, and no track": {[]told{all}, 9, true},
		"unknown":             {[]told{{at: all.at, people: all.people[1:]}}, 7, true},
		"lost for a while":    {[]told{all, nobody}, 7, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apart(t)
			for i := range 400 {
				s.speak(7)
				if s.tick(); i == 100 {
					s.note(t, "speakers", map[string]any{"sources": []uint32{tt.speaks}})
				}
			}
			s.seal(s.seq)
			job := s.job(t, recorder.OutcomeRecorded)
			job.Events = withRosters(t, job.Events, tt.rosters...)
			r, err := open(t).Assemble(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Contains(r.Flags, "missingSpeaker"); got != tt.want {
				t.Errorf("%v", r.Flags)
			}
		})
	}
}

// TestShortPieces of something longer are not worth a look: the end of a long call, in
// parts, may be of any length.
func TestShortPieces(t *testing.T) {
	t.Parallel()
	for joint, want := range map[string]bool{"start": true, "pause": true, "part": false, "takeover": false} {
		s := newScript(t)
		s.records[0].Permit.Meta = marshal(t, map[string]any{"host": "host-0", "audio": "mixed", "firstSeq": 1, "part": 2, "continues": "r-0", "joint": joint})
		s.audio(20)
		s.seal(s.seq)
		r, err := open(t).Assemble(t.Context(), s.job(t, recorder.OutcomeRecorded))
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(r.Flags, "veryShort"); got != want {
			t.Errorf("%s: %v", joint, r.Flags)
		}
	}
}

// TestFlagsByOneClock: who could be heard when, is held against when it was recorded by the
// clock that both were noted by, and not against what the host's clock says.
func TestFlagsByOneClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{0, -time.Hour, time.Hour} {
		s := newScript(t)
		s.now += int64(off / 100)
		for range 31 * 50 {
			s.seq++
			s.frames++
			s.add(spool.Record{Type: spool.FrameType, Payload: make([]byte, frame.AudioBytes), Header: frame.Header{Seq: s.seq, MediaTime: s.now, Kind: frame.MixedAudio}})
			s.tick()
		}
		s.seal(s.seq)
		job := s.job(t, recorder.OutcomeRecorded)
		job.Events = withRosters(t, job.Events,
			told{at: 1900 * time.Millisecond, people: []recorder.Participant{{ID: "a", Kind: "user", Streams: []recorder.MediaStream{sends("audio", 7, "sendReceive")}}}},
			told{at: 32600 * time.Millisecond, people: []recorder.Participant{}})
		r, err := open(t).Assemble(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(r.Flags, "silentWhileUnmuted") {
			t.Errorf("%v: flags %v", off, r.Flags)
		}
	}
}
