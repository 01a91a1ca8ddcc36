package referee

import (
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// TestShortPause: a pause shorter than a frame leaves none out, so that the host has
// one run of frames; those of the one side and of the other are different recordings
// all the same.
func TestShortPause(t *testing.T) {
	t.Parallel()
	at, again := time.Unix(1, 0), time.Unix(3, 0)
	periods := []host.Period{{OpenAsked: at, FirstSeq: 1, LastSeq: 4, PauseAsked: at, Paused: at}, {OpenAsked: again, FirstSeq: 5, LastSeq: 4}, {OpenAsked: again, FirstSeq: 5, LastSeq: 9}}
	run := host.Run{FirstSeq: 1, Count: 9, Position: 640}
	got := spansOf(run, periods)
	want := []span{
		{extent: extent{640, 640 + 4*frameSamples}, seq: 1, period: 0},
		{extent: extent{640 + 4*frameSamples, 640 + 9*frameSamples}, seq: 5, period: 2},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, want %+v", got, want)
	}
	told := &call{announcements: []announcement{{status: "notRecording", at: time.Unix(2, 0)}}}
	c := &content{truth: &truth{rec: &host.SessionRecord{Periods: periods}, spans: got}, call: told}
	before, behind := &manifest{stored: []extent{got[0].extent}}, &manifest{stored: []extent{got[1].extent}}
	empty := &manifest{Joint: "pause"}
	for _, j := range []struct {
		before, m *manifest
		want      string
	}{
		{before, behind, "pause"},
		{before, empty, "pause"},
		{empty, behind, "takeover"},
		{before, &manifest{Joint: "pause", stored: []extent{got[0].extent}}, "takeover"},
	} {
		if joint := c.jointOf(j.before, j.m); joint != j.want {
			t.Errorf("joint %s, want %s", joint, j.want)
		}
	}
	// The process died before the platform heard of the pause.
	c.call = &call{announcements: []announcement{{status: recording, at: time.Unix(2, 0)}, {status: "notRecording", at: time.Unix(9, 0)}}}
	if joint := c.jointOf(before, behind); joint != "takeover" {
		t.Errorf("nobody was told of the pause, and the joint is %s", joint)
	}
	c.truth.rec.Periods = periods[1:2]
	if joint := c.jointOf(before, empty); joint != "takeover" {
		t.Errorf("there was no pause, and it passes for one: %s", joint)
	}
}

// TestHeldForAPause: whoever takes a session up whose recording was over when the old
// process died needs no leave to hold it; where it was not over, it does.
func TestHeldForAPause(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	l := lives{starts: []start{{at: at(10)}}}
	for name, tt := range map[string]struct {
		period host.Period
		want   int
	}{
		"sealed, and the host was not told": {host.Period{OpenAsked: at(1), FirstSeq: 1, PauseAsked: at(5), Paused: at(6), LastSeq: 9}, 0},
		"paused by nobody we know":          {host.Period{OpenAsked: at(1), FirstSeq: 1, PauseAsked: at(5), Paused: at(11), LastSeq: 9}, 1},
		"not paused":                        {host.Period{OpenAsked: at(1), FirstSeq: 1, LastSeq: 9}, 1},
	} {
		c := &call{session: &host.SessionRecord{Periods: []host.Period{tt.period}}, attaches: []attach{{at(2), 1, 1}, {at(12), 2, 1}}}
		if got := len(c.takeovers(&l)); got != tt.want {
			t.Errorf("%s: %d takeovers, want %d", name, got, tt.want)
		}
	}
}

// TestForgottenInASecondTime: of a recording time without any acknowledgement, only its
// own frames count, and the frames of the time before were acknowledged.
func TestForgottenInASecondTime(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 0)
	for name, tt := range map[string]struct {
		gone host.GapRecord
		want int
	}{
		"all are gone":    {host.GapRecord{FirstSeq: 29, Count: 10}, 0},
		"one can be told": {host.GapRecord{FirstSeq: 29, Count: 9}, 1},
	} {
		p := host.Period{OpenAsked: at, FirstSeq: 29, LastSeq: 38, PauseAsked: at, Paused: at}
		j := &judge{limits: Limits{}}
		j.judgeSealFirst(&call{session: &host.SessionRecord{Periods: []host.Period{p}, Overflows: []host.GapRecord{tt.gone}}}, 0, p, at.Add(time.Second))
		if got := len(j.report.Violations); got != tt.want {
			t.Errorf("%s: %v", name, j.report.Violations)
		}
	}
}

// TestSilencePlaced: a recording of silence lies where the host sent silence, not where
// the next time of recording begins.
func TestSilencePlaced(t *testing.T) {
	t.Parallel()
	pcm := make([]int16, 20*frameSamples)
	for i := 10 * frameSamples; i < len(pcm); i++ {
		pcm[i] = int16(i)
	}
	truth := &truth{pcm: pcm}
	at, ok := truth.locate(make([]int16, 3*frameSamples), nil, []int64{10 * frameSamples, 4 * frameSamples})
	if !ok || at != 4*frameSamples {
		t.Errorf("at %d, %v; want %d", at, ok, 4*frameSamples)
	}
	if at, ok = truth.locate(make([]int16, 3*frameSamples), nil, []int64{10 * frameSamples}); !ok || at != 10*frameSamples {
		t.Errorf("at %d, %v: nothing fits, so the first is as good as any", at, ok)
	}
}

// TestClosedIsNotOpen: a session that the host has closed is not being recorded, though
// nobody asked it to pause: a disk that fails later is no fault of its call.
func TestClosedIsNotOpen(t *testing.T) {
	t.Parallel()
	s := &host.SessionRecord{Periods: []host.Period{{OpenAsked: time.Unix(1, 0)}}, Closed: time.Unix(3, 0)}
	if !openAt(s, time.Unix(2, 0)) || openAt(s, time.Unix(4, 0)) {
		t.Error("open until it was closed, and no longer")
	}
}

// TestBackBesideItsHeir: a process whose link was cut comes back under a higher lease; where
// that is beside its heir it is not taken for the heir, unless the heir has leave.
func TestBackBesideItsHeir(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	l := lives{starts: []start{{at: at(0)}, {at: at(20), handover: true}}}
	open := host.Period{OpenAsked: at(1), FirstSeq: 1, LastSeq: 9}
	leave := func(s int64) announcement { return announcement{status: recording, at: at(s), success: at(s)} }
	for name, tt := range map[string]struct {
		leaves []announcement
		breaks []host.Break
		want   int
	}{
		"a cut":                  {[]announcement{leave(1)}, []host.Break{{Down: at(24), Up: at(25)}}, 0},
		"no cut":                 {[]announcement{leave(1)}, nil, 1},
		"a cut, and leave":       {[]announcement{leave(1), leave(22)}, []host.Break{{Down: at(24), Up: at(25)}}, 1},
		"a cut before, and back": {[]announcement{leave(1)}, []host.Break{{Down: at(14), Up: at(15)}}, 1},
	} {
		c := &call{
			session:  &host.SessionRecord{Periods: []host.Period{open}, Breaks: tt.breaks},
			attaches: []attach{{at(2), 1, 1}, {at(25), 2, 1}}, announcements: tt.leaves,
		}
		if got := len(c.takeovers(&l)); got != tt.want {
			t.Errorf("%s: %d takeovers, want %d", name, got, tt.want)
		}
	}
}

// TestDiedAlone: what was under way when a process died is nobody's, unless another one had
// the session afterwards.
func TestDiedAlone(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	open := host.Period{OpenAsked: at(1), FirstSeq: 1, LastSeq: 9}
	for name, tt := range map[string]struct {
		died, attached int64
		want           bool
	}{
		"alone":              {10, 2, true},
		"another one had it": {10, 12, false},
		"before it was open": {0, 2, false},
	} {
		j := &judge{lives: lives{downs: []down{{from: at(tt.died)}}}}
		c := &call{session: &host.SessionRecord{Periods: []host.Period{open}}, attaches: []attach{{at(tt.attached), 1, 1}}}
		if got := j.diedAlone(c); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestHeardAgain: of what was lost untold the speaker's next word tells, where it is of the
// same time of recording.
func TestHeardAgain(t *testing.T) {
	t.Parallel()
	c := &content{truth: &truth{
		rec:   &host.SessionRecord{Periods: []host.Period{{From: 0, To: 3200}, {From: 6400, To: 9600}}},
		spans: []span{{extent: extent{320, 640}}, {extent: extent{960, 1280}}, {extent: extent{6400, 6720}, period: 1}},
	}}
	for from, want := range map[int64]bool{640: true, 1280: false, 6720: false} {
		if got := c.heardAgain(extent{from, from + 320}); got != want {
			t.Errorf("lost at %d: heard again %v", from, got)
		}
	}
}

// TestFirstWords: of what was lost before anybody was heard nobody knows when it was; the
// manifest counts it.
func TestFirstWords(t *testing.T) {
	t.Parallel()
	run := func(at int64, kind uint8, outside bool) host.Run {
		return host.Run{Stream: host.Stream{Kind: kind, Source: 7}, Position: at, Outside: outside}
	}
	for name, tt := range map[string]struct {
		runs      []host.Run
		unclaimed uint64
		want      bool
	}{
		"nobody before":            {[]host.Run{run(640, host.KindUnmixed, false)}, 1, true},
		"and nobody counted it":    {[]host.Run{run(640, host.KindUnmixed, false)}, 0, false},
		"another before":           {[]host.Run{run(320, host.KindUnmixed, false)}, 1, false},
		"before it was open":       {[]host.Run{run(160, host.KindUnmixed, true)}, 1, true},
		"in the time before":       {[]host.Run{run(0, host.KindUnmixed, false)}, 1, true},
		"a picture, of which none": {[]host.Run{run(320, host.KindVideo, false)}, 1, true},
	} {
		c := &content{
			call:  &call{manifests: []*manifest{{}, {Unclaimed: tt.unclaimed}}},
			truth: &truth{rec: &host.SessionRecord{Periods: []host.Period{{From: 0, To: 100}, {From: 160, To: 3200}}, Runs: tt.runs}},
		}
		if got := c.firstWords(extent{480, 640}); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestBeginsWithALoss: a recording whose first frames were lost begins with them, and not
// where the first frame came.
func TestBeginsWithALoss(t *testing.T) {
	t.Parallel()
	rec := &host.SessionRecord{Periods: []host.Period{{OpenAsked: time.Unix(1, 0), From: 640, To: 6400}}}
	truth := &truth{
		rec: rec, pcm: make([]int16, 20*frameSamples), told: []extent{{320, 640}, {640, 960}, {960, 1600}, {3200, 3520}},
		spans: []span{{extent: extent{1600, 3200}}},
	}
	c := &content{truth: truth}
	m := &manifest{Joint: "takeover"}
	for at, tr := range map[int64]track{
		640:  {StoredSamples: 320, Gaps: []declaredGap{{Samples: 960}}},
		1600: {StoredSamples: 320, Gaps: []declaredGap{{AtSample: 320, Samples: 960}}},
	} {
		if hints := c.hints(m, tr); len(hints) == 0 || hints[0] != at {
			t.Errorf("it begins at %v, want %d", hints, at)
		}
	}
}
