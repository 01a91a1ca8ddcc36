package timeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

const (
	begin = int64(39_000_000_000_000_000) // a time in 2023
	ms    = int64(10_000)
)

// A player makes frames as a platform with a perfect clock would.
type player struct {
	tl  *timeline.Timeline
	seq uint64
	now int64
}

func newPlayer() *player { return &player{tl: timeline.New(), now: begin} }

func mixed(seq uint64, at int64, flags frame.Flags) frame.Header {
	return frame.Header{Seq: seq, MediaTime: at, Kind: frame.MixedAudio, Flags: flags}
}

func (p *player) play(n int) {
	for range n {
		p.seq++
		p.tl.Frame(mixed(p.seq, p.now, 0))
		p.now += frame.TicksPerFrame
	}
}

// lose lets n frames go missing, with their numbers and their time.
func (p *player) lose(n int) {
	p.seq += uint64(n)
	p.skip(n)
}

// skip lets n frames go missing without their numbers.
func (p *player) skip(n int) { p.now += int64(n) * frame.TicksPerFrame }

func only(t *testing.T, s timeline.Summary) timeline.Track {
	t.Helper()
	if len(s.Tracks) != 1 {
		t.Fatalf("%d tracks, want one: %+v", len(s.Tracks), s.Tracks)
	}
	tr := s.Tracks[0]
	balanced(t, tr)
	return tr
}

// balanced checks the law.
func balanced(t interface {
	Helper()
	Errorf(string, ...any)
}, tr timeline.Track,
) {
	t.Helper()
	if tr.Stored+tr.GapSamples != tr.Samples {
		t.Errorf("stored %d + gaps %d != samples %d", tr.Stored, tr.GapSamples, tr.Samples)
	}
	sum, end := int64(0), int64(0)
	for i, g := range tr.Gaps {
		if g.AtSample < end {
			t.Errorf("gap %d begins at %d, inside the one before it, which ends at %d", i, g.AtSample, end)
		}
		sum += g.Samples
		end = g.AtSample + g.Samples
	}
	if sum != tr.GapSamples {
		t.Errorf("gaps sum up to %d samples, the track says %d", sum, tr.GapSamples)
	}
	if end > tr.Samples {
		t.Errorf("last gap ends at %d, behind the end %d", end, tr.Samples)
	}
}

func gap(at, samples int64, before uint64, cause frame.GapCause) timeline.Gap {
	return timeline.Gap{AtSample: at, Samples: samples, BeforeSeq: before, Cause: cause}
}

func numbered(at int64, first, n, before uint64, cause frame.GapCause) timeline.Gap {
	return timeline.Gap{
		AtSample: at, Samples: int64(n) * frame.AudioSamples, Frames: n, FirstSeq: first, BeforeSeq: before, Cause: cause,
	}
}

func TestGaps(t *testing.T) {
	t.Parallel()
	const s = frame.AudioSamples
	tests := []struct {
		name string
		run  func(p *player)
		last uint64
		want []timeline.Gap
	}{
		{"none", func(p *player) { p.play(100) }, 100, nil},
		{
			"hole in the numbers", func(p *player) { p.play(10); p.lose(3); p.play(10) }, 23,
			[]timeline.Gap{numbered(10*s, 11, 3, 14, "unannounced")},
		},
		{
			"hole without a hole in time", func(p *player) { p.play(10); p.seq += 2; p.play(100) }, 112,
			[]timeline.Gap{numbered(10*s, 11, 2, 13, "unannounced")},
		},
		{"announced", func(p *player) {
			p.play(10)
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 11, Count: 5, Cause: "overflow"})
			p.lose(5)
			p.play(10)
		}, 25, []timeline.Gap{numbered(10*s, 11, 5, 16, "overflow")}},
		{"announced early", func(p *player) {
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 11, Count: 5, Cause: "overflow"})
			p.play(10)
			p.lose(5)
			p.play(10)
		}, 25, []timeline.Gap{numbered(10*s, 11, 5, 16, "overflow")}},
		{"announced late", func(p *player) {
			p.play(10)
			p.lose(5)
			p.play(10)
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 11, Count: 5, Cause: "host"})
		}, 25, []timeline.Gap{numbered(10*s, 11, 5, 16, "host")}},
		{"announced for half of it", func(p *player) {
			p.play(10)
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 12, Count: 2, Cause: "host"})
			p.lose(5)
			p.play(10)
		}, 25, []timeline.Gap{
			numbered(10*s, 11, 1, 16, "unannounced"),
			numbered(11*s, 12, 2, 16, "host"),
			numbered(13*s, 14, 2, 16, "unannounced"),
		}},
		{"announced twice and overlapping", func(p *player) {
			p.play(10)
			for range 2 {
				p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 11, Count: 3, Cause: "host"})
			}
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 12, Count: 4, Cause: "host"})
			p.lose(5)
			p.play(10)
		}, 25, []timeline.Gap{numbered(10*s, 11, 5, 16, "host")}},
		{"announced but came", func(p *player) {
			p.play(10)
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 11, Count: 3, Cause: "host"})
			p.lose(1)
			p.play(10)
		}, 21, []timeline.Gap{numbered(10*s, 11, 1, 12, "host")}},
		{"announced of what is there already", func(p *player) {
			p.play(20)
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 11, Count: 5, Cause: "link"})
			p.play(5)
		}, 25, nil},
		{"platform skipped, told by times", func(p *player) {
			p.play(10)
			p.tl.Gap(frame.Gap{
				Kind: frame.MixedAudio, FirstSeq: 11, FromTime: p.now, ToTime: p.now + 1234*625, Cause: "platform",
			})
			p.now += 1234 * 625
			p.play(50)
		}, 60, []timeline.Gap{gap(10*s, 1234, 11, "platform")}},
		{"platform skipped, told after the next frame", func(p *player) {
			p.play(100)
			p.skip(10)
			p.seq++
			p.tl.Frame(mixed(p.seq, p.now, frame.AfterGap))
			p.tl.Gap(frame.Gap{
				Kind: frame.MixedAudio, FirstSeq: 101, FromTime: p.now - 10*frame.TicksPerFrame, ToTime: p.now, Cause: "platform",
			})
			p.now += frame.TicksPerFrame
			p.play(50)
		}, 151, []timeline.Gap{gap(100*s, 10*s, 101, "platform")}},
		{"flagged only", func(p *player) {
			p.play(10)
			p.skip(1)
			p.seq++
			p.tl.Frame(mixed(p.seq, p.now, frame.AfterGap))
			p.now += frame.TicksPerFrame
			p.play(30)
		}, 41, []timeline.Gap{gap(10*s, s, 11, "time")}},
		{"flagged, but nothing is missing", func(p *player) {
			p.play(10)
			p.seq++
			p.tl.Frame(mixed(p.seq, p.now, frame.AfterGap))
			p.now += frame.TicksPerFrame
			p.play(30)
		}, 41, nil},
		{"flag of a gap that was announced", func(p *player) {
			p.play(10)
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 11, Count: 5, Cause: "overflow"})
			p.lose(5)
			p.seq++
			p.tl.Frame(mixed(p.seq, p.now, frame.AfterGap))
			p.now += frame.TicksPerFrame
			p.play(30)
		}, 46, []timeline.Gap{numbered(10*s, 11, 5, 16, "overflow")}},
		{
			"clock jumps and stays", func(p *player) { p.play(100); p.skip(7); p.play(100) }, 200,
			[]timeline.Gap{gap(100*s, 7*s, 101, "time")},
		},
		{
			"clock jumps by one frame", func(p *player) { p.play(100); p.skip(1); p.play(100) }, 200,
			[]timeline.Gap{gap(100*s, s, 101, "time")},
		},
		{
			"clock jumps early", func(p *player) { p.play(2); p.skip(50); p.play(100) }, 102,
			[]timeline.Gap{gap(2*s, 50*s, 3, "time")},
		},
		{
			"clock jumps, ten frames before the end", func(p *player) { p.play(100); p.skip(7); p.play(10) }, 110,
			[]timeline.Gap{gap(100*s, 7*s, 101, "time")},
		},
		{"clock jumps, too near to the end", func(p *player) { p.play(100); p.skip(7); p.play(9) }, 109, nil},
		{
			"frames are late and catch up", func(p *player) { p.play(100); p.now += 900 * ms; p.play(20); p.now -= 900 * ms; p.play(100) },
			220, nil,
		},
		{
			"a second of the worst jitter", func(p *player) { p.play(300); p.now += 15 * ms; p.play(50); p.now -= 15 * ms; p.play(100) },
			450, nil,
		},
		{
			"two jumps in a row", func(p *player) { p.play(100); p.skip(7); p.play(12); p.skip(20); p.play(60) }, 172,
			[]timeline.Gap{gap(100*s, 7*s, 101, "time"), gap(119*s, 20*s, 113, "time")},
		},
		{
			"jump and then a hole", func(p *player) { p.play(100); p.skip(7); p.play(5); p.lose(2); p.play(60) }, 167,
			[]timeline.Gap{gap(100*s, 7*s, 101, "time"), numbered(112*s, 106, 2, 108, "unannounced")},
		},
		{"no times at all", func(p *player) {
			for p.seq < 50 {
				p.seq++
				p.tl.Frame(mixed(p.seq, 0, 0))
			}
		}, 50, nil},
		{"one wild time", func(p *player) { p.play(100); p.now += 1e9; p.play(1); p.now -= 1e9; p.play(100) }, 201, nil},
		{"time more than a day ahead", func(p *player) { p.play(100); p.now += 1 << 50; p.play(100) }, 200, nil},
		{
			"clock set back, then a gap", func(p *player) { p.play(100); p.now -= 1e10; p.play(100); p.skip(5); p.play(50) }, 250,
			[]timeline.Gap{gap(200*s, 5*s, 201, "time")},
		},
		{
			"first time is wild", func(p *player) {
				p.now += 1e12
				p.play(1)
				p.now -= 1e12
				p.play(100)
				p.skip(9)
				p.play(50)
			}, 151,
			[]timeline.Gap{gap(101*s, 9*s, 102, "time")},
		},
		{
			"the end did not come", func(p *player) { p.play(100) }, 103,
			[]timeline.Gap{numbered(100*s, 101, 3, 0, "tail")},
		},
		{"the end did not come and we know why", func(p *player) {
			p.play(100)
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 102, Count: 7, Cause: "link"})
		}, 103, []timeline.Gap{numbered(100*s, 101, 1, 0, "tail"), numbered(101*s, 102, 2, 0, "link")}},
		{"crashed", func(p *player) {
			p.play(100)
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 101, Count: 7, Cause: "crash"})
		}, 0, []timeline.Gap{numbered(100*s, 101, 7, 0, "crash")}},
		{
			"numbers jump beyond belief", func(p *player) { p.play(100); p.seq += 1 << 60; p.play(100) }, 0,
			[]timeline.Gap{gap(100*s, s, 101+1<<60, "unannounced")},
		},
		{"numbers jump beyond belief, and the clock a little", func(p *player) {
			p.play(100)
			p.seq += 1 << 60
			p.skip(4)
			p.play(100)
		}, 0, []timeline.Gap{gap(100*s, 4*s, 101+1<<60, "unannounced")}},
		{"absurd announcements", func(p *player) {
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 0, Count: 3, Cause: "host"})
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 1 << 63, Count: 1 << 63, Cause: "host"})
			p.play(100)
		}, 100, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlayer()
			tt.run(p)
			tr := only(t, p.tl.Finish(tt.last))
			if d := cmp.Diff(tt.want, tr.Gaps); d != "" {
				t.Errorf("gaps (-want +got):\n%s", d)
			}
			if tr.FirstTime != 0 && tr.FirstTime != begin {
				t.Errorf("first time %d, want %d", tr.FirstTime, begin)
			}
		})
	}
}
