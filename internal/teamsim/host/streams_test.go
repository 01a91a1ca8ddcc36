package host_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/footage"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
)

const (
	ms      = time.Millisecond
	unmixed = pb.AudioMode_AUDIO_MODE_UNMIXED
)

// A stage is a session with a cast, attached under handle 1 and open unless it was
// said otherwise.
type stage struct {
	*tlink
	h    *host.Host
	c    pb.MediaHostClient
	blob string
}

// noise is a voice that is never silent, another one for each number.
func noise(n int) *host.Audio {
	pcm := make([]int16, 16000*7+n)
	for i := range pcm {
		pcm[i] = int16((i*7919+n*104729)%20011 - 10005 | 1)
	}
	return host.NewAudio(pcm)
}

// always is a speaker who never stops.
func always(source uint32) host.Speaker {
	return host.Speaker{Source: source, Voice: noise(int(source)), Turns: host.Always()}
}

func speaking(source uint32, spans ...host.Span) host.Speaker {
	s := always(source)
	s.Turns = host.Turns{Spans: spans}
	return s
}

// perform begins a session of the cast, on a manual host.
func perform(t *testing.T, opt host.Options, r *pb.CreateSessionRequest, cast host.Cast, faults ...host.Fault) *stage {
	t.Helper()
	if opt.VideoMemory == 0 {
		opt.VideoMemory = time.Minute // a manual host's time passes faster than it can send
	}
	h := newHost(t, opt)
	s := &stage{h: h, c: dial(t, h)}
	r.SessionId, r.UnattachedTtlMs = "s1", 60_000
	created, err := s.c.CreateSession(t.Context(), r, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	s.blob = created.GetBlob()
	if err := h.SetCast(s.blob, cast); err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(s.blob); err != nil {
		t.Fatal(err)
	}
	if err := h.Inject(s.blob, faults...); err != nil {
		t.Fatal(err)
	}
	s.tlink = openLink(t, s.c)
	s.attach("s1", 1, 1, 1)
	return s
}

func (s *stage) record() host.SessionRecord { return s.h.Records()[0] }

// collect asks for a pause, and returns all that comes before it is confirmed.
func (s *stage) collect() (frames []got, messages []*pb.FromHost) {
	s.t.Helper()
	s.pause(1)
	for {
		switch g := s.next(); {
		case g.message == nil:
			frames = append(frames, g)
		case g.message.GetPaused() != nil:
			return frames, messages
		default:
			messages = append(messages, g.message)
		}
	}
}

// of keeps the frames of a stream.
func of(frames []got, stream host.Stream) []got {
	return slices.DeleteFunc(slices.Clone(frames), func(g got) bool { return g.stream != stream })
}

func voice(source uint32) host.Stream { return host.Stream{Kind: host.KindUnmixed, Source: source} }
func video(source uint32) host.Stream { return host.Stream{Kind: host.KindVideo, Source: source} }

// wantVoice checks a frame against a speaker's voice at the position that its time
// names.
func wantVoice(t *testing.T, r host.SessionRecord, a *host.Audio, g got) {
	t.Helper()
	want := make([]int16, host.FrameSamples)
	a.Samples((g.time-r.MediaStart)/host.TicksPerSample, want)
	if len(g.payload) != 640 || !bytes.Equal(g.payload, bytesOf(want)) {
		t.Fatalf("%v of %v, at %d: not what the voice says there", g, g.stream, g.time-r.MediaStart)
	}
}

func bytesOf(samples []int16) []byte {
	var b []byte
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// wantNumbers: one number after the other, over all streams.
func wantNumbers(t *testing.T, frames []got) {
	t.Helper()
	for i, g := range frames {
		if g.seq != uint64(i+1) {
			t.Fatalf("frame %d has number %d", i+1, g.seq)
		}
	}
}

// TestUnmixed: each speaker is a stream of his own while he speaks, on one clock, with
// one row of numbers.
func TestUnmixed(t *testing.T) {
	t.Parallel()
	s := perform(t, host.Options{}, &pb.CreateSessionRequest{Audio: unmixed}, host.Cast{Speakers: []host.Speaker{
		speaking(11, host.Span{To: 500 * ms}, host.Span{From: 1500 * ms}),
		speaking(12, host.Span{From: 400 * ms, To: 1000 * ms}),
	}})
	s.open(1)
	s.h.Advance(2 * time.Second)
	frames, messages := s.collect()
	wantNumbers(t, frames)
	r := s.record()
	if a, b := of(frames, voice(11)), of(frames, voice(12)); len(a) != 50 || len(b) != 30 || len(frames) != 80 {
		t.Fatalf("%d frames of the one, %d of the other, %d in all", len(a), len(b), len(frames))
	}
	for _, g := range frames {
		wantVoice(t, r, noise(int(g.stream.Source)), g)
		if g.sender != 0 {
			t.Errorf("%v: sender's time %d, in the first seconds", g, g.sender)
		}
	}
	// From 400 to 500 ms both speak: two frames of one time.
	for i := 20; i < 30; i += 2 {
		if frames[i].time != frames[i+1].time || frames[i].stream == frames[i+1].stream {
			t.Errorf("%v at %d and %v at %d", frames[i], frames[i].time, frames[i+1], frames[i+1].time)
		}
	}
	var said [][]uint32
	for _, m := range messages {
		a := m.GetActiveSpeakers()
		said = append(said, a.GetSourceIds())
		if i := int(a.GetBeforeSeq()) - 1; i < len(frames) && len(a.GetSourceIds()) > 0 && frames[i].stream.Source != a.GetSourceIds()[0] {
			t.Errorf("%v, but frame %d is of %v", a, i+1, frames[i].stream)
		}
		if none := len(a.GetSourceIds()) == 0; none != (a.GetDominant() == 0xFFFFFFFF) {
			t.Errorf("%v", a)
		}
	}
	want := [][]uint32{{11}, {11, 12}, {12}, nil, {11}}
	if !slices.EqualFunc(said, want, slices.Equal[[]uint32]) {
		t.Errorf("speakers were said to be %v, want %v", said, want)
	}
	if len(r.Streams) != 2 || r.Streams[0].Stream != voice(11) {
		t.Errorf("streams %+v", r.Streams)
	}
}

// TestFourAtATime: of more speakers the most active are delivered; the others are
// not, and no gap says so.
func TestFourAtATime(t *testing.T) {
	t.Parallel()
	quiet := host.NewAudio([]int16{3, -3})
	cast := host.Cast{Speakers: []host.Speaker{always(1), always(2), {Source: 3, Voice: quiet, Turns: host.Always()}, always(4), always(5)}}
	s := perform(t, host.Options{}, &pb.CreateSessionRequest{Audio: unmixed}, cast)
	s.open(1)
	s.h.Advance(time.Second)
	frames, messages := s.collect()
	wantNumbers(t, frames)
	if len(frames) != 200 || len(of(frames, voice(3))) != 0 {
		t.Errorf("%d frames, %d of the quiet one", len(frames), len(of(frames, voice(3))))
	}
	if len(messages) != 1 || !slices.Equal(messages[0].GetActiveSpeakers().GetSourceIds(), []uint32{1, 2, 4, 5}) {
		t.Errorf("messages %v", messages)
	}
	if r := s.record(); len(r.Gaps) != 0 {
		t.Errorf("gaps %+v", r.Gaps)
	}
}

// TestSenderTimeComesLate: the platform knows it after some seconds.
func TestSenderTimeComesLate(t *testing.T) {
	t.Parallel()
	s := perform(t, host.Options{}, &pb.CreateSessionRequest{Audio: unmixed}, host.Cast{Speakers: []host.Speaker{always(1)}})
	s.open(1)
	s.h.Advance(5 * time.Second)
	frames, _ := s.collect()
	if first, last := frames[0], frames[len(frames)-1]; first.sender != 0 || last.sender != last.time {
		t.Errorf("sender's times %d and %d", first.sender, last.sender)
	}
}

// TestMixOfTheCast: mixed audio is the sum of those who speak, clipped.
func TestMixOfTheCast(t *testing.T) {
	t.Parallel()
	loud := host.NewAudio([]int16{30000, -30000, 20000})
	cast := host.Cast{Mix: true, Speakers: []host.Speaker{
		{Source: 1, Voice: loud, Turns: host.Turns{Spans: []host.Span{{To: 300 * ms}}}},
		{Source: 2, Voice: loud, Turns: host.Turns{Spans: []host.Span{{From: 200 * ms, To: 400 * ms}}}},
	}}
	s := perform(t, host.Options{}, &pb.CreateSessionRequest{Audio: pb.AudioMode_AUDIO_MODE_MIXED}, cast)
	s.open(1)
	s.h.Advance(500 * ms)
	frames, _ := s.collect()
	r := s.record()
	for i, f := range frames {
		wantPayload(t, r, f, int64(i)*host.FrameSamples)
		voices := int16(0)
		if i < 15 {
			voices++
		}
		if i >= 10 && i < 20 {
			voices++
		}
		want := [3]int16{30000 * min(voices, 1), -30000 * min(voices, 1), 20000 * min(voices, 1)}
		if voices == 2 {
			want = [3]int16{32767, -32768, 32767}
		}
		for k := range 3 {
			at := (i*host.FrameSamples + k) % 3
			if sample := int16(binary.LittleEndian.Uint16(f.payload[2*k:])); sample != want[at] {
				t.Fatalf("frame %d, sample %d: %d, want %d", i, k, sample, want[at])
			}
		}
		if silent := f.flags&1 != 0; silent != (voices == 0) {
			t.Errorf("frame %d: flags %d", i, f.flags)
		}
	}
}

// TestDefaultCastTalks: whoever says nothing of the cast gets a conversation, and each
// session another stretch of it.
func TestDefaultCastTalks(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	c := dial(t, h)
	for _, id := range []string{"s1", "s2"} {
		r, err := c.CreateSession(t.Context(), &pb.CreateSessionRequest{SessionId: id, Audio: unmixed, UnattachedTtlMs: 120_000})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Connect(r.GetBlob()); err != nil {
			t.Fatal(err)
		}
	}
	l := openLink(t, c)
	for i, id := range []string{"s1", "s2"} {
		l.attach(id, uint32(i), 1, 1)
		l.open(uint32(i))
	}
	h.Advance(70 * time.Second)
	rs := h.Records()
	for _, r := range rs {
		if len(r.Streams) != 3 {
			t.Errorf("%s hears %d streams", r.Session, len(r.Streams))
		}
	}
	if slices.EqualFunc(rs[0].Runs, rs[1].Runs, func(a, b host.Run) bool { return a.Stream == b.Stream && a.Position == b.Position }) {
		t.Error("both sessions hear the same")
	}
}

func TestCastIsChecked(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	c := dial(t, h)
	blob := create(t, c, "s1")
	camera := func(change func(*host.Camera)) host.Cast {
		v := host.Camera{Source: 5, Clip: footage.Camera, On: host.Always()}
		change(&v)
		return host.Cast{Cameras: []host.Camera{v}}
	}
	for name, cast := range map[string]host.Cast{
		"no source":      {Speakers: []host.Speaker{always(0)}},
		"a source twice": {Speakers: []host.Speaker{always(1), always(1)}},
		"no voice":       {Speakers: []host.Speaker{{Source: 1}}},
		"backwards":      {Speakers: []host.Speaker{speaking(1, host.Span{From: 2, To: 1})}},
		"no clip":        camera(func(v *host.Camera) { v.Clip = "film" }),
		"sizes":          camera(func(v *host.Camera) { v.Sizes = []host.Size{{At: 2}, {At: 1}} }),
		"camera":         camera(func(v *host.Camera) { v.Source = 0 }),
		"receive":        {Receive: []host.Receive{{Socket: 11}}},
		"delay":          {Delay: time.Hour},
	} {
		if err := h.SetCast(blob, cast); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	if err := h.SetCast(host.Blob{Host: "a", Epoch: "b", Session: "c"}.String(), host.Cast{}); err == nil {
		t.Error("a session that is not there got a cast")
	}
	if speakers, err := host.Conversation(8, 5); err != nil || len(speakers) != 8 || speakers[0].Turns.Ahead == speakers[6].Turns.Ahead {
		t.Errorf("a conversation of eight: %v", err)
	}
	if _, err := speech.Voice(speech.C); err != nil {
		t.Error(err)
	}
}
