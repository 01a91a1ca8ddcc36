package host_test

import (
	"bytes"
	"math"
	"os/exec"
	"testing"
	"time"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/footage"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

const keyFrame = 2

// active lets time pass until sockets can receive, and takes the messages.
func (s *stage) active(want ...uint32) {
	s.t.Helper()
	s.h.Advance(220 * ms)
	for _, socket := range want {
		m := s.next().message.GetReceiveStatus()
		for m == nil {
			m = s.next().message.GetReceiveStatus()
		}
		if m.GetSocket() != socket || !m.GetActive() || m.GetHandle() != 1 {
			s.t.Fatalf("want the status of socket %d, got %v", socket, m)
		}
	}
}

// subscribe returns the error of the result.
func (s *stage) subscribe(socket, source, height uint32) string {
	s.t.Helper()
	s.send(&pb.ToHost{Message: &pb.ToHost_Subscribe{Subscribe: &pb.Subscribe{Handle: 1, Socket: socket, SourceId: source, Height: height}}})
	for {
		g := s.next()
		if m := g.message.GetSubscribeResult(); m != nil {
			if m.GetSocket() != socket || m.GetSourceId() != source {
				s.t.Fatalf("result of another subscription: %v", m)
			}
			return m.GetError()
		}
	}
}

func (s *stage) requestKey(socket uint32) {
	s.send(&pb.ToHost{Message: &pb.ToHost_RequestKeyFrame{RequestKeyFrame: &pb.RequestKeyFrame{Handle: 1, Socket: socket}}})
}

// settle waits until the host has taken what was sent before.
func (s *stage) settle() {
	s.t.Helper()
	s.subscribe(99, 0, 0)
}

func camera(source uint32) host.Camera {
	return host.Camera{Source: source, Clip: footage.Camera, On: host.Always()}
}

func cameras(n uint32) *pb.CreateSessionRequest {
	return &pb.CreateSessionRequest{Audio: unmixed, VideoSockets: n}
}

// TestVideo: a camera's pictures come with the audio, in one row of numbers, on one
// clock, irregularly and decodable from the first.
func TestVideo(t *testing.T) {
	t.Parallel()
	cast := host.Cast{Speakers: []host.Speaker{always(1)}, Cameras: []host.Camera{camera(7), {Source: 8, Clip: footage.Second, On: host.Always()}}}
	s := perform(t, host.Options{}, cameras(2), cast)
	s.open(1)
	s.active(0, 1)
	for socket, source := range []uint32{7, 8} {
		if e := s.subscribe(uint32(socket), source, 360); e != "" {
			t.Fatal(e)
		}
	}
	s.h.Advance(3 * time.Second)
	frames, _ := s.collect()
	r := s.record()
	for i := 1; i < len(frames); i++ {
		if frames[i].seq != frames[i-1].seq+1 {
			t.Fatalf("%v behind %v", frames[i], frames[i-1])
		}
	}
	for n, source := range []uint32{7, 8} {
		pictures := of(frames, video(source))
		if len(pictures) < 55 || len(pictures) > 62 {
			t.Errorf("%d pictures in 3 s", len(pictures))
		}
		least, most := int64(math.MaxInt64), int64(0)
		for i, p := range pictures {
			if p.width != 640 || p.height != 360 || p.socket != byte(n) || p.sender != 0 {
				t.Fatalf("%v: %dx%d on socket %d", p, p.width, p.height, p.socket)
			}
			if i > 0 {
				least, most = min(least, p.time-pictures[i-1].time), max(most, p.time-pictures[i-1].time)
			}
			if key := p.flags&keyFrame != 0; key != bytes.HasPrefix(p.payload, []byte{0, 0, 0, 1, 0x67}) {
				t.Errorf("%v: flags %d", p, p.flags)
			}
		}
		if pictures[0].flags&keyFrame == 0 {
			t.Error("it does not begin with a key frame")
		}
		if least < 10_000_000/31 || most > 10_000_000/14 || least == most {
			t.Errorf("between two pictures there are %d to %d ticks", least, most)
		}
		decodes(t, pictures)
		wantPictures(t, r, video(source), pictures)
	}
}

// wantPictures holds what came against the record.
func wantPictures(t *testing.T, r host.SessionRecord, stream host.Stream, got []got) {
	t.Helper()
	n := 0
	for _, run := range r.Runs {
		if run.Stream != stream {
			continue
		}
		if n == len(got) {
			t.Fatalf("more of %v were captured than came", stream)
		}
		if g := got[n]; g.seq != run.FirstSeq || g.time != run.Time || !bytes.Equal(g.payload, run.Picture.Data) {
			t.Fatalf("%v at %d is not frame %d at %d", g, g.time, run.FirstSeq, run.Time)
		}
		n++
	}
	if n != len(got) {
		t.Errorf("%d of %v came, %d were captured", len(got), stream, n)
	}
}

// decodes: ffmpeg has nothing to say, and gives a picture for each.
func decodes(t *testing.T, pictures []got) {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		return
	}
	var stream, complaints bytes.Buffer
	want := 0
	for _, p := range pictures {
		stream.Write(p.payload)
		want++
	}
	cmd := exec.CommandContext(t.Context(), ffmpeg, "-nostdin", "-v", "warning", "-f", "h264", "-i", "-", "-vf", "scale=16:9", "-f", "rawvideo",
		"-pix_fmt", "gray", "-fps_mode", "passthrough", "-")
	cmd.Stdin, cmd.Stderr = &stream, &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 || len(out) != want*16*9 {
		t.Errorf("ffmpeg: %v, %d pictures of %d: %s", err, len(out)/(16*9), want, &complaints)
	}
}

func TestSubscribingIsStrict(t *testing.T) {
	t.Parallel()
	screen := host.Camera{Source: 9, Clip: footage.Slides, On: host.Always(), Screen: true}
	s := perform(t, host.Options{}, &pb.CreateSessionRequest{Audio: unmixed, VideoSockets: 2, ScreenShare: true}, host.Cast{Cameras: []host.Camera{camera(7), screen}})
	s.open(1)
	if e := s.subscribe(0, 7, 360); e == "" {
		t.Error("a subscription before the status was active was taken")
	}
	s.active(0, 1, 2)
	for name, c := range map[string]struct {
		socket, source, height uint32
		good                   bool
	}{
		"no socket":        {3, 7, 360, false},
		"no source":        {0, 70, 360, false},
		"no height":        {0, 7, 100, false},
		"screen as camera": {0, 9, 720, false},
		"camera as screen": {2, 7, 720, false},
	} {
		if e := s.subscribe(c.socket, c.source, c.height); (e == "") != c.good {
			t.Errorf("%s: %q", name, e)
		}
	}
	if e := s.subscribe(0, 7, 180); e != "" {
		t.Error(e)
	}
	if e := s.subscribe(1, 7, 180); e == "" {
		t.Error("one source on two sockets")
	}
	s.send(&pb.ToHost{Message: &pb.ToHost_Unsubscribe{Unsubscribe: &pb.Unsubscribe{Handle: 1, Socket: 0}}})
	if e := s.subscribe(1, 7, 1080); e != "" {
		t.Error(e)
	}
	if e := s.subscribe(2, 9, 1080); e != "" {
		t.Error(e)
	}
	s.h.Advance(time.Second)
	frames, _ := s.collect()
	for _, f := range frames {
		switch {
		case f.stream == video(7) && f.socket == 1 && f.height == 360:
		case f.stream == (host.Stream{Kind: host.KindScreen, Source: 9}) && f.socket == 2 && f.height == 720:
		default:
			t.Errorf("%v of %v on socket %d, %d lines", f, f.stream, f.socket, f.height)
		}
	}
	if len(of(frames, video(7))) < 15 || len(frames) < 25 {
		t.Errorf("%d frames", len(frames))
	}
}

// TestInactiveEndsASubscription: it has to be asked for again.
func TestInactiveEndsASubscription(t *testing.T) {
	t.Parallel()
	cast := host.Cast{Cameras: []host.Camera{camera(7)}, Receive: []host.Receive{
		{Socket: 0, At: 100 * ms, Active: true}, {Socket: 0, At: 1 * time.Second}, {Socket: host.AllSockets, At: 1500 * ms, Active: true},
	}}
	s := perform(t, host.Options{}, cameras(1), cast)
	s.open(1)
	s.active(0) // at 220 ms
	s.subscribe(0, 7, 180)
	s.h.Advance(980 * ms) // 1200 ms
	if e := s.subscribe(0, 7, 180); e != "receive status is not active" {
		t.Errorf("while inactive: %q", e)
	}
	s.h.Advance(800 * ms) // 2000 ms: active again
	frames, messages := s.collect()
	if len(frames) != 0 || len(messages) != 1 || !messages[0].GetReceiveStatus().GetActive() {
		t.Errorf("nobody asked again: %v, %v", frames, messages)
	}
	start := s.record().MediaStart
	for _, run := range s.record().Runs {
		if at := time.Duration(run.Time-start) * 100; at < 220*ms || at >= time.Second {
			t.Errorf("a picture of %v", at)
		}
	}
	if e := s.subscribe(0, 7, 180); e != "" {
		t.Error(e)
	}
	s.open(1)
	s.h.Advance(300 * ms)
	if frames, _ = s.collect(); len(frames) < 4 {
		t.Errorf("%d pictures after asking again", len(frames))
	}
}

// TestKeyFrames: without one at the beginning there are only pictures that build on
// others, until one is requested; it is the next picture.
func TestKeyFrames(t *testing.T) {
	t.Parallel()
	v := camera(7)
	v.NoKey = true
	s := perform(t, host.Options{}, cameras(1), host.Cast{Cameras: []host.Camera{v}})
	s.open(1)
	s.active(0)
	s.subscribe(0, 7, 180)
	s.h.Advance(300 * ms)
	s.requestKey(0)
	s.settle()
	before := s.record().Runs
	s.h.Advance(100 * ms)
	all := s.record().Runs
	if len(before) < 4 || len(all) <= len(before) {
		t.Fatalf("%d and %d pictures", len(before), len(all))
	}
	for i, r := range all {
		if r.Picture.Key != (i == len(before)) {
			t.Errorf("picture %d of %d, requested behind %d: key %v", i, len(all), len(before), r.Picture.Key)
		}
	}
}

// TestSizesAndStops: the sender changes the size with a new parameter set, and a camera
// that was off begins anew.
func TestSizesAndStops(t *testing.T) {
	t.Parallel()
	v := camera(7)
	v.On = host.Turns{Spans: []host.Span{{To: 2 * time.Second}, {From: 3 * time.Second}}}
	v.Sizes = []host.Size{{At: 0, Lines: 720}, {At: time.Second, Lines: 180}, {At: 3500 * ms, Lines: 360}}
	s := perform(t, host.Options{}, cameras(1), host.Cast{Cameras: []host.Camera{v}})
	s.open(1)
	s.active(0)
	s.subscribe(0, 7, 360)
	s.h.Advance(4 * time.Second)
	frames, _ := s.collect()
	decodesSizes(t, frames)
	start := s.record().MediaStart
	last := time.Duration(0)
	for _, f := range frames {
		at := time.Duration(f.time-start) * 100
		want, fresh := uint16(360), last == 0
		if at >= time.Second && at < 3500*ms {
			want = 180
			fresh = last < time.Second || last < 2*time.Second && at > 3*time.Second
		} else if at >= 3500*ms {
			fresh = last < 3500*ms
		}
		if f.height != want || f.width != want*16/9 {
			t.Errorf("at %v: %dx%d, want %d lines", at, f.width, f.height, want)
		}
		if fresh && f.flags&keyFrame == 0 {
			t.Errorf("at %v: no key frame", at)
		}
		if at >= 2*time.Second && at < 3*time.Second {
			t.Errorf("a picture at %v, the camera is off", at)
		}
		last = at
	}
}

// decodesSizes is decodes for pictures of several sizes.
func decodesSizes(t *testing.T, frames []got) {
	t.Helper()
	for from := 0; from < len(frames); {
		to := from + 1
		for to < len(frames) && frames[to].height == frames[from].height {
			to++
		}
		decodes(t, frames[from:to])
		from = to
	}
}

// TestPicturesOnTheirWay: a picture arrives later than it is taken; none that was
// taken before Open arrives, and none after a pause.
func TestPicturesOnTheirWay(t *testing.T) {
	t.Parallel()
	s := perform(t, host.Options{}, cameras(1), host.Cast{Speakers: []host.Speaker{always(1)}, Cameras: []host.Camera{camera(7)}, Delay: 100 * ms})
	s.active(0)
	s.subscribe(0, 7, 180)
	s.h.Advance(780 * ms) // 1 s, paused
	s.open(1)
	s.h.Advance(time.Second)
	frames, _ := s.collect()
	start := s.record().MediaStart
	pictures := of(frames, video(7))
	for i, p := range pictures {
		at := time.Duration(p.time-start) * 100
		if at < time.Second || at > 1900*ms {
			t.Errorf("a picture of %v", at)
		}
		if i == 0 && frames[0].stream != voice(1) {
			t.Error("the first picture came at once")
		}
	}
	if len(pictures) < 15 {
		t.Errorf("%d pictures", len(pictures))
	}
}

// TestFlashAndBeep: the flash's time is the beep's, whatever key frames are requested.
func TestFlashAndBeep(t *testing.T) {
	t.Parallel()
	beep := host.Speaker{Source: 5, Voice: host.NewAudio(footage.Beep()), Turns: host.Turns{
		Spans: []host.Span{{To: footage.BeepFrames * 20 * ms}}, Every: time.Second,
	}}
	v := host.Camera{Source: 7, Clip: footage.Sync, On: host.Always()}
	s := perform(t, host.Options{}, cameras(1), host.Cast{Speakers: []host.Speaker{beep}, Cameras: []host.Camera{v}, Delay: 60 * ms})
	s.open(1)
	s.active(0)
	s.subscribe(0, 7, 180)
	for range 7 {
		s.h.Advance(710 * ms)
		s.requestKey(0)
		s.settle()
	}
	s.pause(1)
	clip, err := footage.Find(footage.Sync, 180)
	if err != nil {
		t.Fatal(err)
	}
	start, flashes, beeps := s.record().MediaStart, map[int64]bool{}, map[int64]bool{}
	var pictures []got
	for _, run := range s.record().Runs {
		at := run.Time - start
		if run.Picture == nil {
			beeps[at] = true // runs of a beep's frames begin with it, or behind a picture
			continue
		}
		pictures = append(pictures, got{payload: run.Picture.Data})
		if bytes.Equal(run.Picture.Data, clip.Units[0].Data) {
			flashes[at] = true
		}
	}
	decodes(t, pictures)
	if len(flashes) < 4 {
		t.Errorf("%d flashes", len(flashes))
	}
	for at := range flashes {
		if at%10_000_000 != 0 || !beeps[at] {
			t.Errorf("a flash at %d, without a beep", at)
		}
	}
}
