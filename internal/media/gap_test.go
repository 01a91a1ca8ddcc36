package media

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func announce(s *testSession, first, count uint64, reason pb.Gap_Reason) {
	s.say(&pb.FromHost{Message: &pb.FromHost_Gap{Gap: &pb.Gap{
		Handle: s.handle, Kind: 1, FirstSeq: first, Count: count, Reason: reason,
	}}})
}

// TestGaps: what is missing is recorded with its cause, and stored + missing is
// everything, to the sample.
func TestGaps(t *testing.T) {
	t.Parallel()
	type gap struct {
		First, Count uint64
		Cause        frame.GapCause
	}
	for name, tt := range map[string]struct {
		play    func(*testSession) // after frames 1 to 10
		gaps    []gap
		missing uint64 // frames
		last    uint64
	}{
		"a hole": {func(s *testSession) {
			s.skip(5)
			s.capture(10)
		}, []gap{{11, 5, frame.CauseUnannounced}}, 5, 25},
		"announced": {func(s *testSession) {
			announce(s, 11, 5, pb.Gap_REASON_OVERFLOW)
			s.skip(5)
			s.capture(10)
		}, []gap{{11, 5, frame.CauseOverflow}}, 5, 25},
		"announced before its time, and wider than told": {func(s *testSession) {
			announce(s, 14, 3, pb.Gap_REASON_PLATFORM)
			s.capture(2) // 11, 12
			s.skip(6)    // 13 to 18
			s.capture(2)
		}, []gap{{14, 3, frame.CausePlatform}, {13, 1, frame.CauseUnannounced}, {17, 2, frame.CauseUnannounced}}, 6, 20},
		"announced twice": {func(s *testSession) {
			announce(s, 11, 5, pb.Gap_REASON_HOST)
			announce(s, 12, 2, pb.Gap_REASON_OVERFLOW)
			s.skip(5)
			s.capture(1)
		}, []gap{{11, 5, frame.CauseHost}}, 5, 16},
		"announced, but it came": {func(s *testSession) {
			announce(s, 11, 5, pb.Gap_REASON_OVERFLOW)
			s.capture(10)
		}, []gap{{11, 5, frame.CauseOverflow}}, 0, 20},
		"impossible": {func(s *testSession) {
			announce(s, 11, 1<<40, pb.Gap_REASON_OVERFLOW)
			announce(s, 1<<63, 1<<63, pb.Gap_REASON_OVERFLOW)
			announce(s, 0, 4, pb.Gap_REASON_OVERFLOW)
			s.capture(10)
		}, nil, 0, 20},
		"of another kind, or of a source": {func(s *testSession) {
			foreign := func(kind, source uint32, first, count uint64) {
				s.say(&pb.FromHost{Message: &pb.FromHost_Gap{Gap: &pb.Gap{
					Handle: s.handle, Kind: kind, SourceId: source, FirstSeq: first, Count: count, Reason: pb.Gap_REASON_OVERFLOW,
				}}})
			}
			foreign(2, 0, 11, 5)
			foreign(3, 0, 11, 5)
			foreign(4, 7, 11, 5)
			foreign(1, 7, 11, 5)
			s.skip(5)
			s.capture(5)
			foreign(3, 0, 21, 3)
			s.skip(3) // the host will name 23 as its last
		}, []gap{{11, 5, frame.CauseUnannounced}}, 8, 23},
		"the end": {func(s *testSession) {
			s.capture(5)
			s.skip(3) // the host will name 18 as its last
		}, nil, 3, 18},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			s, hs := w.record("c")
			hs.capture(10)
			w.stored(s, 10)
			tt.play(hs)
			w.hangUp("c")
			end := w.end("c")
			r := w.report("c")
			if r.GapSamples != tt.missing*320 || r.Samples+r.GapSamples != tt.last*320 || r.LastSeq != tt.last {
				t.Errorf("%+v", r)
			}
			want := recorder.OutcomeRecordedWithGaps
			if tt.missing == 0 {
				want = recorder.OutcomeRecorded
			}
			if end.Outcome != want {
				t.Errorf("%+v", end)
			}
			var got []gap
			for _, g := range w.kept(r.Recording).gaps {
				got = append(got, gap{g.Gap.FirstSeq, g.Gap.Count, g.Gap.Cause})
			}
			if diff := cmp.Diff(tt.gaps, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("gaps: -want +got\n%s", diff)
			}
		})
	}
}

// TestPastGapsAreBounded: announcements that explain nothing are not stored,
// however often they come; one that does is.
func TestPastGapsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(10)
	hs.skip(2)
	hs.capture(10)
	w.stored(s, 22)
	for i := range uint64(2000) {
		announce(hs, 2, 1, pb.Gap_REASON_OVERFLOW)            // is there
		announce(hs, 11, 2, pb.Gap_REASON_PLATFORM)           // explains once
		announce(hs, 22-i%20, 3+i%20, pb.Gap_REASON_PLATFORM) // is new once
	}
	hs.skip(2)
	hs.capture(10)
	w.hangUp("c")
	w.end("c")
	r := w.report("c")
	k := w.kept(r.Recording)
	if len(k.gaps) != 3 || r.GapSamples != 4*320 {
		t.Errorf("%d gaps stored, %d samples missing", len(k.gaps), r.GapSamples)
	}
	if n := w.missed(frame.CausePlatform); n != 4 {
		t.Errorf("%v frames of platform", n)
	}
}

// TestSpeakersAreBounded: what a host says of who speaks is neither large nor much.
func TestSpeakersAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 0)
	s.Speakers(1, make([]uint32, maxSpeakers+1), 0)
	for range 5000 {
		s.Speakers(1, make([]uint32, maxSpeakers), 0)
	}
	if n := w.faults(faultSpeakers); n < 4000 {
		t.Errorf("%v counted", n)
	}
	w.again(s, 0)
	notes := 0
	for r, err := range w.spool.Read(s.recording.ID()) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == spool.NoteType {
			notes++
		}
	}
	if most := speakersAtOnce + 10*speakersASecond; notes < speakersAtOnce || notes > most {
		t.Errorf("%d notes, at most %d", notes, most)
	}
}
