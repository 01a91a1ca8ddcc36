package media

import (
	"slices"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

var seen = Streams{Cameras: 2, Screen: true, Height: 720}

// unit is an access unit of a source's video, between the frames of audio.
func unit(seq uint64, source uint32, flags frame.Flags) frame.Frame {
	f := audio(seq)
	f.Kind, f.Source, f.Flags, f.Width, f.Height = frame.Video, source, flags, 640, 360
	f.Payload = []byte{0, 0, 0, 1, 0x65, byte(seq)}
	return f
}

// voice is audio whose media time counts no frames of video.
func voice(seq, nth uint64) frame.Frame {
	f := audio(seq)
	f.MediaTime = audio(nth).MediaTime
	return f
}

// sends tells of a participant who sends with a camera, and shares a screen where that is
// not 0.
func (w *world) sends(call recorder.CallID, camera, screen uint32) {
	p := recorder.Participant{ID: "p", Streams: []recorder.MediaStream{{SourceID: camera, Type: "video", Direction: "sendReceive"}}}
	if screen != 0 {
		p.Streams = append(p.Streams, recorder.MediaStream{SourceID: screen, Type: "videoBasedScreenSharing", Direction: "sendOnly"})
	}
	w.service.Roster(call, recorder.Roster{At: time.Now(), Participants: []recorder.Participant{p}})
}

// TestWhoIsThat: where somebody speaks whom no roster names, the call is told; where all
// are named it is not.
func TestWhoIsThat(t *testing.T) {
	t.Parallel()
	var v viewer
	v.begin(Streams{})
	v.people.Take(time.Now(), recorder.Roster{Participants: []recorder.Participant{
		{ID: "p", Streams: []recorder.MediaStream{{SourceID: 3, Type: "audio", Direction: "sendReceive"}}},
	}})
	for want, sources := range map[bool][]uint32{true: {3, 0, 0xFFFFFFFF}, false: {3, 4}} {
		if got := v.named(sources); got != want {
			t.Errorf("%v: named %v", sources, got)
		}
	}
}

// TestStrangersAreAskedFor: where frames come of a speaker whom no roster names somebody
// asks, also where the host does not say who speaks; of those who are named nobody does.
func TestStrangersAreAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{streams: Streams{Unmixed: true}})
	s, hs := w.record("c")
	asked := func(n int) {
		t.Helper()
		eventually(t, "the question who is in the call", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.rosters == n
		})
	}
	asked(1) // when the recording was opened
	w.service.Roster("c", recorder.Roster{At: time.Now(), Participants: []recorder.Participant{
		{ID: "p", Streams: []recorder.MediaStream{{SourceID: 3, Type: "audio", Direction: "sendReceive"}}},
	}})
	said := func(seq uint64, source uint32) {
		f := audio(seq)
		f.Kind, f.Source = frame.UnmixedAudio, source
		hs.skip(1)
		hs.raw(f)
		w.stored(s, seq)
	}
	said(1, 3)
	s.strangers()
	said(2, 4)
	s.strangers()
	asked(2)
	said(3, 3) // the stranger is silent
	s.strangers()
	s.mu.Lock()
	heard, next := s.line.Heard(s.looked-1), s.looked
	s.mu.Unlock()
	if !slices.Equal(heard, []uint32{3}) || next != 4 {
		t.Errorf("heard %v, next is %d", heard, next)
	}
	w.hangUp("c")
	w.end("c")
}

func (w *world) awaitAsked(hs *testSession, want ...string) {
	w.tb.Helper()
	var got []string
	eventually(w.tb, "what is asked of the video sockets", func() bool {
		got = hs.state().asked
		return slices.Equal(got, want)
	})
	if !slices.Equal(got, want) {
		w.tb.Errorf("asked %q, want %q", got, want)
	}
}

// TestVideo: cameras are asked for once media may come, their frames are stored among
// those of the audio, and what is missing of the one is not missing of the other.
func TestVideo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{streams: seen})
	w.invite("c")
	first := w.placed("c")
	w.sends("c", 7, 9)
	s, hs := w.opened("c")
	if first != s {
		t.Fatal("another session")
	}
	if m := hs.made; m.GetVideoSockets() != 2 || !m.GetScreenShare() || m.GetAudio() != pb.AudioMode_AUDIO_MODE_MIXED {
		t.Errorf("the sockets are made for %v", m)
	}
	w.awaitAsked(hs, "subscribe 0 to 7, 720 lines", "subscribe 2 to 9, 720 lines")
	hs.say(&pb.FromHost{Message: &pb.FromHost_SubscribeResult{SubscribeResult: &pb.SubscribeResult{Handle: hs.handle, SourceId: 7}}})
	hs.skip(5)
	hs.raw(voice(1, 1), unit(2, 7, frame.KeyFrame), voice(3, 2), unit(4, 7, 0), voice(5, 3))
	w.stored(s, 5)
	hs.say(&pb.FromHost{Message: &pb.FromHost_Gap{Gap: &pb.Gap{Handle: hs.handle, Kind: 3, SourceId: 7, FirstSeq: 6, Count: 3, Reason: pb.Gap_REASON_OVERFLOW}}})
	hs.skip(5)
	hs.raw(voice(9, 4), unit(10, 7, frame.AfterGap))
	w.stored(s, 10)
	w.awaitAsked(hs, "subscribe 0 to 7, 720 lines", "subscribe 2 to 9, 720 lines", "key frame 0")
	w.hangUp("c")
	w.end("c")
	r := w.report("c")
	k := w.kept(r.Recording)
	if !slices.Equal(k.seqs, []uint64{1, 2, 3, 4, 5, 9, 10}) {
		t.Errorf("stored %v", k.seqs)
	}
	tail := uint64(0) // a key frame is waited for, so the end is far behind the last frame
	for _, g := range k.gaps[1:] {
		if g.Gap.Cause != frame.CauseTail || g.Gap.Kind != frame.MixedAudio {
			t.Errorf("gap %+v", g.Gap)
		}
		tail += uint64(g.Gap.ToTime-g.Gap.FromTime) / frame.TicksPerSample
	}
	if r.Frames != 7 || r.GapFrames != 3 || r.Samples != 4*frame.AudioSamples || r.GapSamples != tail || r.LastSeq != 10 {
		t.Errorf("%+v, and %d samples are missing at the end", r, tail)
	}
	if n := w.metric(`recorderbot_media_gap_frames_total{cause="overflow"}`); n != 3 {
		t.Errorf("%v frames of video are counted as missing, want 3", n)
	}
}

// TestVideoThatNobodyWants is discarded, and takes no number from the audio.
func TestVideoThatNobodyWants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.skip(2)
	hs.raw(audio(1), unit(2, 7, frame.KeyFrame))
	w.refused(s, unwanted, 1)
	w.sends("c", 7, 0)
	if asked := hs.state().asked; len(asked) != 0 {
		t.Errorf("asked %q", asked)
	}
}

// TestVideoBehindAPause: what was subscribed is asked for again, for the host may have
// lost it, and what comes then is the next recording's.
func TestVideoBehindAPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{streams: Streams{Cameras: 1, Height: 360}})
	w.invite("c")
	w.placed("c")
	w.sends("c", 7, 0)
	s, hs := w.opened("c")
	w.awaitAsked(hs, "subscribe 0 to 7, 360 lines")
	hs.say(&pb.FromHost{Message: &pb.FromHost_SubscribeResult{SubscribeResult: &pb.SubscribeResult{Handle: hs.handle, SourceId: 7}}})
	hs.skip(2)
	hs.raw(voice(1, 1), unit(2, 7, frame.KeyFrame))
	w.stored(s, 2)
	if _, err := w.registry.Pause(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	w.sends("c", 8, 0)
	if _, err := w.registry.Resume(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	w.opened("c")
	w.awaitAsked(hs, "subscribe 0 to 7, 360 lines", "subscribe 0 to 8, 360 lines")
}

// TestPolicies: what of a call is recorded is its policy's business.
func TestPolicies(t *testing.T) {
	t.Parallel()
	s := &Service{opts: Options{Streams: seen, Policies: map[string]Streams{"p": {Unmixed: true}}}}
	if got := s.streamsOf("p"); got != (Streams{Unmixed: true}) {
		t.Errorf("%+v", got)
	}
	if got := s.streamsOf("q"); got != seen {
		t.Errorf("%+v", got)
	}
	for _, told := range []string{s.streamsOf("p").told(), seen.told()} {
		if got := s.streamsFrom(told).told(); got != told {
			t.Errorf("told %s, taken up as %s", told, got)
		}
	}
	for _, told := range []string{"", "{", `{"cameras":11,"height":720}`, `{"screen":true,"height":7}`} {
		if got := s.streamsFrom(told); got != seen {
			t.Errorf("%q is taken up as %+v", told, got)
		}
	}
}
