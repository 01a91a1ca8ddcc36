package media

import (
	"slices"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/subscription"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// picture is an access unit without a place in time.
func picture(seq uint64, socket uint8, flags frame.Flags) frame.Frame {
	f := unit(seq, 7, flags)
	f.Socket = socket
	return f
}

// watching returns a session with a camera that has recorded a frame of audio.
func watching(t *testing.T) (*world, *session) {
	t.Helper()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 10*time.Second)
	s.streams = Streams{Cameras: 1, Height: 360}
	w.feed(s, audio(1))
	return w, s
}

// TestStrays: which numbers of a pause are believed to be used up.
func TestStrays(t *testing.T) {
	t.Parallel()
	for seq, want := range map[uint64]uint64{9: 0, 10: 10, 11: 11, 10 + maxLate - 1: 10 + maxLate - 1, 10 + maxLate: 0} {
		s := &session{next: 10}
		if s.strays(seq); s.lateSeq != want {
			t.Errorf("frame %d: %d, want %d", seq, s.lateSeq, want)
		}
	}
	s := &session{next: 10}
	s.strays(12)
	if s.strays(11); s.lateSeq != 12 {
		t.Errorf("the highest is %d, want 12", s.lateSeq)
	}
}

// TestStraysAreThoseOfAPause: what is refused for another reason uses up no number.
func TestStraysAreThoseOfAPause(t *testing.T) {
	t.Parallel()
	for gate, want := range map[gate]uint64{gateClosed: 0, gateArmed: 0, gatePaused: 5, gateShut: 5} {
		w := newWorld(t, worldOptions{})
		s := w.openedAgo(t, time.Second)
		w.feed(s, audio(1))
		s.mu.Lock()
		s.gate, s.last = gate, 1
		s.mu.Unlock()
		w.feed(s, audio(5))
		if s.lateSeq != want {
			t.Errorf("gate %d: %d, want %d", gate, s.lateSeq, want)
		}
	}
}

// TestReopenedTellsAudio: that the host had closed its gate is told by the first frame of
// audio behind it, whatever video comes before.
func TestReopenedTellsAudio(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{streams: Streams{Cameras: 1, Height: 360}})
	s := w.openedAgo(t, 10*time.Second)
	s.streams = Streams{Cameras: 1, Height: 360}
	w.feed(s, audio(1))
	s.mu.Lock()
	s.resumed, s.shutBy = true, frame.CauseLink
	s.mu.Unlock()
	w.feed(s, picture(2, 0, frame.KeyFrame))
	if !s.resumed {
		t.Error("video has told how long the audio was away")
	}
	f := audio(3)
	f.MediaTime = audio(1 + 50).MediaTime
	w.feed(s, f)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, missing := s.line.Totals(); s.resumed || missing != 49*frame.AudioSamples {
		t.Errorf("%d samples are missing, want %d", missing, 49*frame.AudioSamples)
	}
}

// TestVideoIsNoAudio: frames of video and what is announced as missing of them say nothing
// of the audio's time.
func TestVideoIsNoAudio(t *testing.T) {
	t.Parallel()
	w, s := watching(t)
	s.onTime = 7
	at, heard, onTime := s.lastTime, s.lastAt, s.onTime
	late := picture(2, 0, 0)
	late.MediaTime += 5 * frame.TicksPerFrame
	w.feed(s, late)
	if s.lastTime != at || s.lastAt != heard || s.onTime != onTime {
		t.Error("a frame of video is taken for one of audio")
	}
	s.Gap(frame.Gap{Kind: frame.Video, Source: 7, FirstSeq: 3, FromTime: at, ToTime: at + 50*frame.TicksPerFrame, Cause: frame.CausePlatform})
	if s.skipped != 0 {
		t.Errorf("%v of the audio are taken for missing", s.skipped)
	}
	s.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 3, FromTime: at, ToTime: at + 50*frame.TicksPerFrame, Cause: frame.CausePlatform})
	if s.skipped != time.Second {
		t.Errorf("%v of the audio are taken for missing, want a second", s.skipped)
	}
}

// TestAudioIsHeard: a frame of audio says when something was heard last, and that what was
// told to be missing lies before it.
func TestAudioIsHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 10*time.Second)
	w.feed(s, audio(1))
	s.lastAt, s.skipped = s.lastAt.Add(-time.Second), time.Second
	before := s.lastAt
	w.feed(s, audio(2))
	if s.skipped != 0 || !s.lastAt.After(before) {
		t.Errorf("skipped %v, heard last at %v", s.skipped, s.lastAt)
	}
}

// TestGapAsksForAKeyFrame: what is announced as missing of a camera makes what follows of it
// undecodable; what is missing of a speaker does not, be it one of the same number.
func TestGapAsksForAKeyFrame(t *testing.T) {
	t.Parallel()
	for kind, want := range map[frame.Kind]bool{frame.Video: true, frame.UnmixedAudio: false} {
		w := newWorld(t, worldOptions{})
		s := w.openedAgo(t, 10*time.Second)
		s.streams = Streams{Unmixed: true, Cameras: 1, Height: 360}
		s.kind = frame.UnmixedAudio
		p := subscription.New(1, false, 360)
		p.Open(true)
		p.Roster([]subscription.Camera{{Source: 7}})
		p.Next(time.Now())
		p.Result(0, 7, true, time.Now())
		p.Keys(1)
		s.viewer.plan = p
		s.Gap(frame.Gap{Kind: kind, Source: 7, FirstSeq: 1, Count: 1, Cause: frame.CauseOverflow})
		asked := slices.ContainsFunc(p.Next(time.Now().Add(time.Hour)), func(a subscription.Action) bool { return a.What == subscription.KeyFrame })
		if asked != want {
			t.Errorf("a gap of %v: asked for a key frame %v, want %v", kind, asked, want)
		}
	}
}

// TestSeen: what the frames of video say of those behind them.
func TestSeen(t *testing.T) {
	t.Parallel()
	s := &session{}
	for i, tt := range []struct {
		socket       uint8
		flags        frame.Flags
		hole         bool
		keyed, holed uint32
	}{
		{1, 0, false, 0, 0},
		{1, frame.AfterGap, false, 0, 2},
		{2, 0, true, 0, 6},
		{1, frame.KeyFrame, false, 2, 4},
		{2, frame.KeyFrame, true, 6, 0},
		{200, 0, true, 6, 1 << 31},
	} {
		f := picture(1, tt.socket, tt.flags)
		if s.seen(&f, tt.hole); s.keyed != tt.keyed || s.holed != tt.holed {
			t.Errorf("step %d: keys %b, holes %b; want %b, %b", i, s.keyed, s.holed, tt.keyed, tt.holed)
		}
	}
}

// TestHolesAreSeen: a number that is missing is a hole for each camera, unless a key frame
// comes right behind it, or the host says whose it was.
func TestHolesAreSeen(t *testing.T) {
	t.Parallel()
	w, s := watching(t)
	w.feed(s, picture(2, 0, 0))
	if s.holed != 0 {
		t.Error("a hole where none is")
	}
	w.feed(s, voice(4, 2))
	if s.holed != allSockets || s.missing != 1 {
		t.Errorf("holes %b, %d missing", s.holed, s.missing)
	}
	s.holed = 0
	if w.feed(s, picture(6, 0, frame.KeyFrame)); s.holed != allSockets-1 {
		t.Errorf("before a key frame: holes %b", s.holed)
	}
	s.holed = 0
	s.Gap(frame.Gap{Kind: frame.Video, Source: 8, FirstSeq: 7, Count: 1, Cause: frame.CauseOverflow})
	if w.feed(s, voice(8, 3)); s.holed != 0 || s.missing != 3 {
		t.Errorf("of another camera: holes %b, %d missing", s.holed, s.missing)
	}
	// The host tells ahead of what is missing, and a key frame from before it comes yet.
	s.Gap(frame.Gap{Kind: frame.Video, Source: 7, FirstSeq: 10, Count: 1, Cause: frame.CauseOverflow})
	w.feed(s, picture(9, 0, frame.KeyFrame))
	if w.feed(s, picture(11, 0, 0)); s.holed != 1 {
		t.Errorf("behind what the host told: holes %b", s.holed)
	}
}

// TestStuckByVideo: any frame that is taken ends the time in which all are refused.
func TestStuckByVideo(t *testing.T) {
	t.Parallel()
	w, s := watching(t)
	w.feed(s, audio(1))
	if s.stuckAt.IsZero() {
		t.Fatal("nothing was refused")
	}
	if w.feed(s, picture(2, 0, 0)); !s.stuckAt.IsZero() {
		t.Error("a frame was taken, and all pass for refused")
	}
}

// TestSourcesWithoutEnd: a host that names ever more sources costs no more than there is
// room for; those that are known go on, and what was refused is missing by its number.
func TestSourcesWithoutEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, time.Minute)
	s.streams, s.kind, s.line = Streams{Unmixed: true}, frame.UnmixedAudio, timeline.New()
	s.line.Start(1)
	said := func(seq uint64, source uint32) {
		f := audio(seq)
		f.Kind, f.Source = frame.UnmixedAudio, source
		w.feed(s, f)
	}
	for i := range uint64(timeline.MaxTracks) {
		said(i+1, uint32(i)+1)
	}
	const next = timeline.MaxTracks + 1
	said(next, next)
	if s.next != next || s.discarded[implausible] != 1 {
		t.Errorf("the next is %d, %v discarded", s.next, s.discards())
	}
	said(next+1, 5)
	s.mu.Lock()
	sum := s.line.Finish(next + 1)
	s.mu.Unlock()
	if s.next != next+2 || len(sum.Tracks) != timeline.MaxTracks || sum.Unclaimed != 1 {
		t.Errorf("the next is %d, %d tracks, %d missing", s.next, len(sum.Tracks), sum.Unclaimed)
	}
}

// TestNobodysFramesAreCounted: what is missing of nobody knows whom has a metric too.
func TestNobodysFramesAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, time.Second)
	s.countGaps(timeline.Summary{Unclaimed: 2, Tracks: []timeline.Track{
		{Kind: frame.Video, Gaps: []timeline.Gap{{Cause: frame.CauseHost}}},
		{Kind: frame.UnmixedAudio, Gaps: []timeline.Gap{{Cause: timeline.Idle, Samples: 320}, {Cause: frame.CauseLink, Samples: 320}}},
	}})
	for cause, want := range map[frame.GapCause]float64{frame.CauseUnannounced: 2, frame.CauseHost: 1, frame.CauseLink: 0} {
		if n := w.metric(`recorderbot_media_gap_frames_total{cause="` + string(cause) + `"}`); n != want {
			t.Errorf("%s: %v, want %v", cause, n, want)
		}
	}
}
