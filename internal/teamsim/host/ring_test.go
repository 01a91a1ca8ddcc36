package host_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"pgregory.net/rapid"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/footage"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// TestVideoGoesFirst: over a cut of five seconds all audio is held, of video the
// groups of the last two; what went is told, picture by picture, and what goes on
// begins with a key frame and says so.
func TestVideoGoesFirst(t *testing.T) {
	t.Parallel()
	cast := host.Cast{Speakers: []host.Speaker{always(1), always(2)}, Cameras: []host.Camera{camera(7)}}
	s := perform(t, host.Options{VideoMemory: 2 * time.Second}, cameras(1), cast, host.Fault{Kind: host.FaultCut, At: time.Second})
	s.open(1)
	s.active(0)
	s.subscribe(0, 7, 180)
	s.h.Advance(780 * ms)
	for s.h.Records()[0].SentHigh < s.h.Records()[0].Runs[len(s.h.Records()[0].Runs)-1].FirstSeq {
		runtime.Gosched()
	}
	acked := s.h.Records()[0].SentHigh
	s.ack(1, acked)
	for s.h.Records()[0].Acked != acked {
		runtime.Gosched()
	}
	s.h.Advance(5 * time.Second)
	s.broken()
	s.tlink = openLink(t, s.c)
	s.attach("s1", 1, 1, acked+1)
	if m := s.next().message.GetReceiveStatus(); m.GetSocket() != 0 || !m.GetActive() {
		t.Errorf("the status was not told again: %v", m)
	}
	frames, messages := s.collect()
	audio, pictures := 0, of(frames, video(7))
	for _, f := range frames {
		if f.stream != video(7) {
			audio++
		}
	}
	if audio != 500 {
		t.Errorf("%d frames of audio", audio)
	}
	gone, next := map[uint64]bool{}, acked+1
	for _, m := range messages {
		if g := m.GetGap(); g != nil {
			if g.GetKind() != host.KindVideo || g.GetSourceId() != 7 || g.GetReason() != pb.Gap_REASON_OVERFLOW || g.GetCount() == 0 || g.GetFromTime() == 0 {
				t.Errorf("%v", g)
			}
			for n := range g.GetCount() {
				gone[g.GetFirstSeq()+n] = true
			}
		}
	}
	for _, f := range frames {
		for ; gone[next]; next++ {
		}
		if f.seq != next {
			t.Fatalf("%v, want %d", f, next)
		}
		next++
	}
	r := s.record()
	if len(gone)+len(pictures) < 95 || len(gone) < 55 || len(pictures) < 10 {
		t.Errorf("%d pictures went, %d came", len(gone), len(pictures))
	}
	if p := pictures[0]; p.flags != keyFrame|afterGap {
		t.Errorf("the first one's flags are %d", p.flags)
	}
	decodes(t, pictures)
	for _, run := range r.Runs {
		if run.Dropped != gone[run.FirstSeq] {
			t.Errorf("frame %d: dropped %v, told %v", run.FirstSeq, run.Dropped, gone[run.FirstSeq])
		}
	}
	if e := s.subscribe(0, 7, 180); e != "" {
		t.Error(e)
	}
}

// TestGroupsGoWhole: what is dropped ends before a key frame; where no other is held,
// the next picture is one.
func TestGroupsGoWhole(t *testing.T) {
	t.Parallel()
	v := camera(7)
	v.NoKey = true // it begins in the middle of a group
	s := perform(t, host.Options{VideoMemory: 300 * ms}, cameras(1), host.Cast{Cameras: []host.Camera{v}})
	s.open(1)
	s.active(0)
	s.subscribe(0, 7, 180)
	s.h.Advance(6 * time.Second)
	runs := s.record().Runs
	dropped := 0
	for i, r := range runs {
		if !r.Dropped {
			continue
		}
		dropped++
		if i+1 < len(runs) && !runs[i+1].Dropped && !runs[i+1].Picture.Key {
			t.Errorf("picture %d was dropped, and the next is held and builds on it", i)
		}
	}
	if dropped < 90 {
		t.Errorf("%d of %d were dropped", dropped, len(runs))
	}
}

// TestFaultsOfStreams: what is lost is told for each stream by itself.
func TestFaultsOfStreams(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault host.Fault
		gaps  int    // messages
		lost  uint64 // numbers
		holes uint64
	}{
		{"gap", host.Fault{Kind: host.FaultGap}, 0, 20, 20},
		{"gap of one", host.Fault{Kind: host.FaultGap, Source: 2}, 10, 10, 10},
		{"hole", host.Fault{Kind: host.FaultHole}, 0, 0, 20},
		{"skip", host.Fault{Kind: host.FaultSkip}, 2, 0, 0},
		{"skip of one", host.Fault{Kind: host.FaultSkip, Source: 1}, 1, 0, 0},
		{"silent skip", host.Fault{Kind: host.FaultSilentSkip}, 0, 0, 0},
		{"duplicate", host.Fault{Kind: host.FaultDuplicate, Frames: 10}, 0, 0, 0},
		{"malformed", host.Fault{Kind: host.FaultMalformed, Frames: 10}, 0, 0, 0},
		{"absurd", host.Fault{Kind: host.FaultAbsurdTime, Frames: 10}, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.fault.At, c.fault.For = 200*ms, 200*ms
			s := perform(t, host.Options{}, &pb.CreateSessionRequest{Audio: unmixed}, host.Cast{Speakers: []host.Speaker{always(1), always(2)}}, c.fault)
			s.open(1)
			s.h.Advance(600 * ms)
			frames, messages := s.collect()
			lost, gaps := uint64(0), 0
			for _, m := range messages {
				if g := m.GetGap(); g != nil {
					gaps++
					lost += g.GetCount()
					if g.GetKind() != host.KindUnmixed || g.GetSourceId() == 0 || g.GetToTime() <= g.GetFromTime() {
						t.Errorf("%v", g)
					}
				}
			}
			numbers := map[uint64]bool{}
			highest := uint64(0)
			for _, f := range frames {
				numbers[f.seq] = true
				highest = max(highest, f.seq)
			}
			if holes := highest - uint64(len(numbers)); holes != c.holes || lost != c.lost || (c.gaps > 0 && gaps != c.gaps) {
				t.Errorf("%d numbers are missing, %d were told in %d gaps", holes, lost, gaps)
			}
			r := s.record()
			samples := map[host.Stream]int64{}
			for _, g := range r.Gaps {
				samples[g.Stream] += g.Samples
				if g.Announced != (gaps > 0) {
					t.Errorf("gap %+v", g)
				}
			}
			for _, run := range r.Runs {
				samples[run.Stream] += int64(run.Count) * host.FrameSamples
			}
			if samples[voice(1)] != 30*320 || samples[voice(2)] != 30*320 {
				t.Errorf("sent and lost: %v", samples)
			}
			for _, f := range frames {
				if c.fault.Kind != host.FaultMalformed && c.fault.Kind != host.FaultAbsurdTime {
					wantVoice(t, r, noise(int(f.stream.Source)), f)
				}
			}
		})
	}
}

// TestOutsideSpeaks: what must not be sent is sent under another's name, with what
// nobody said.
func TestOutsideSpeaks(t *testing.T) {
	t.Parallel()
	s := perform(t, host.Options{Outside: noise(77)}, &pb.CreateSessionRequest{Audio: unmixed}, host.Cast{Speakers: []host.Speaker{always(1)}},
		host.Fault{Kind: host.FaultEarly, Frames: 5}, host.Fault{Kind: host.FaultLate, Frames: 5})
	s.h.Advance(200 * ms)
	s.send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: 1}}})
	early := 0
	for g := s.next(); g.message.GetOpened() == nil; g = s.next() {
		if g.message == nil && g.stream == voice(host.OutsideSpeaker) {
			early++
		}
	}
	s.h.Advance(200 * ms)
	frames, _ := s.collect()
	s.h.Advance(200 * ms)
	late := 0
	for range 10 {
		if g := s.next(); g.stream == voice(host.OutsideSpeaker) {
			late++
		}
	}
	if early != 5 || late != 5 || len(frames) != 10 || len(of(frames, voice(1))) != 10 {
		t.Errorf("%d early, %d late, %d in time", early, late, len(frames))
	}
	for _, run := range s.record().Runs {
		if run.Outside == (run.FirstSeq > 10 && run.FirstSeq <= 20) {
			t.Errorf("run %+v", run)
		}
	}
}

// TestEveryNumberIsAccountedFor: whatever is cut, acknowledged, forgotten, lost and
// subscribed to, each number comes once, as the frame that was captured or in a gap of
// its stream; or again behind a cut.
func TestEveryNumberIsAccountedFor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		kinds := []host.FaultKind{host.FaultGap, host.FaultSkip, host.FaultSilentSkip}
		var faults []host.Fault
		for range rapid.IntRange(0, 3).Draw(rt, "faults") {
			faults = append(faults, host.Fault{
				Kind: rapid.SampledFrom(kinds).Draw(rt, "kind"), At: time.Duration(rapid.IntRange(0, 100).Draw(rt, "at")) * 20 * ms,
				For: time.Duration(rapid.IntRange(1, 20).Draw(rt, "for")) * 20 * ms, Source: rapid.SampledFrom([]uint32{0, 1, 2, 7}).Draw(rt, "source"),
			})
		}
		p := &player{rt: rt, got: map[uint64]host.Stream{}}
		cast := host.Cast{Delay: 50 * ms, Speakers: []host.Speaker{always(1), speaking(2, host.Span{From: 300 * ms, To: 2 * time.Second})}, Cameras: []host.Camera{camera(7), {Source: 8, Clip: footage.Sync, On: host.Always()}}}
		p.begin(t, host.Options{Memory: 2 * time.Second, VideoMemory: 400 * ms}, cast, faults)
		defer p.h.Close()
		for range rapid.IntRange(5, 30).Draw(rt, "steps") {
			p.step()
		}
		p.pauseAndTake()
		r := p.h.Records()[0]
		for _, run := range r.Runs {
			for seq := run.FirstSeq; seq < run.FirstSeq+run.Count; seq++ {
				if p.got[seq] != run.Stream {
					rt.Fatalf("frame %d of %v came as %v", seq, run.Stream, p.got[seq])
				}
			}
		}
		for _, g := range r.Gaps {
			for n := range g.Count {
				if p.got[g.FirstSeq+n] != g.Stream {
					rt.Fatalf("number %d, lost of %v, was told of %v", g.FirstSeq+n, g.Stream, p.got[g.FirstSeq+n])
				}
			}
		}
		if last := r.Periods[len(r.Periods)-1].LastSeq; uint64(len(p.got)) != last {
			rt.Fatalf("%d numbers are accounted for, the last is %d", len(p.got), last)
		}
	})
}

// A player plays a recorder at random.
type player struct {
	rt   *rapid.T
	t    *testing.T
	h    *host.Host
	c    pb.MediaHostClient
	link *tlink
	high uint64 // the highest number that came, or was told
	got  map[uint64]host.Stream
}

func (p *player) begin(t *testing.T, opt host.Options, cast host.Cast, faults []host.Fault) {
	t.Helper()
	p.t = t
	opt.Manual = true
	opt.Audio = func(string) *host.Audio { return host.NewAudio(nil) }
	var err error
	if p.h, err = host.New(opt); err != nil {
		p.rt.Fatal(err)
	}
	p.c = dial(t, p.h)
	r, err := p.c.CreateSession(t.Context(), &pb.CreateSessionRequest{SessionId: "s1", Audio: unmixed, VideoSockets: 2, UnattachedTtlMs: 1e9}, grpc.WaitForReady(true))
	if err == nil {
		err = p.h.SetCast(r.GetBlob(), cast)
	}
	if err == nil {
		err = p.h.Connect(r.GetBlob())
	}
	if err == nil {
		err = p.h.Inject(r.GetBlob(), faults...)
	}
	if err != nil {
		p.rt.Fatal(err)
	}
	p.attach()
	p.link.send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: 1}}})
	p.takeUntil(func(m *pb.FromHost) bool { return m.GetOpened() != nil })
}

func (p *player) attach() {
	p.link = openLink(p.t, p.c)
	p.link.send(&pb.ToHost{Message: &pb.ToHost_Attach{Attach: &pb.Attach{SessionId: "s1", Handle: 1, Lease: 1, FromSeq: p.high + 1}}})
	p.takeUntil(func(m *pb.FromHost) bool { return m.GetAttached() != nil })
}

// takeUntil notes what comes, up to a message.
func (p *player) takeUntil(done func(*pb.FromHost) bool) {
	for {
		g := p.link.next()
		switch m := g.message.GetGap(); {
		case g.message == nil:
			p.note(g.seq, g.stream)
		case m != nil:
			for n := range m.GetCount() {
				p.note(m.GetFirstSeq()+n, host.Stream{Kind: uint8(m.GetKind()), Source: m.GetSourceId()})
			}
		case done(g.message):
			return
		}
	}
}

func (p *player) note(seq uint64, of host.Stream) {
	if was, twice := p.got[seq]; twice && was != of || seq > p.high+1 {
		p.rt.Fatalf("number %d of %v, behind %d; it was %v", seq, of, p.high, was)
	}
	p.got[seq], p.high = of, max(p.high, seq)
}

func (p *player) step() {
	send := p.link.send
	switch rapid.IntRange(0, 6).Draw(p.rt, "do") {
	case 0, 1:
		p.h.Advance(time.Duration(rapid.IntRange(1, 40).Draw(p.rt, "time")) * 20 * ms)
	case 2:
		p.link.ack(1, p.high-min(p.high, uint64(rapid.IntRange(0, 20).Draw(p.rt, "behind"))))
	case 3:
		socket := uint32(rapid.IntRange(0, 1).Draw(p.rt, "socket"))
		send(&pb.ToHost{Message: &pb.ToHost_Subscribe{Subscribe: &pb.Subscribe{Handle: 1, Socket: socket, SourceId: 7 + socket, Height: 180}}})
	case 4:
		p.attach() // another link takes it
	case 5:
		p.pauseAndTake()
		p.h.Advance(100 * ms)
		p.link.send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: 1}}})
	case 6:
		send(&pb.ToHost{Message: &pb.ToHost_RequestKeyFrame{RequestKeyFrame: &pb.RequestKeyFrame{Handle: 1}}})
	}
}

func (p *player) pauseAndTake() {
	p.link.pause(1)
	p.takeUntil(func(m *pb.FromHost) bool { return m.GetPaused() != nil })
	if r := p.h.Records()[0]; p.high != r.Periods[len(r.Periods)-1].LastSeq {
		p.rt.Fatalf("paused behind %d; the last number is %s", p.high, fmt.Sprint(r.Periods))
	}
}
