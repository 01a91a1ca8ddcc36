package media

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/durable/durabletest"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// died leaves a recording without a seal in a spool: frames 3 to 102, of which 50
// is missing, and an announcement that 103 to 107 are. It returns the next
// process's spool, and what that finds.
func died(t *testing.T, meta string) (*spool.Log, spool.Info) {
	t.Helper()
	o := spool.Options{Dir: durabletest.Dir(t), SegmentSize: 1 << 20}
	l, err := spool.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Begin(t.Context(), recordertest.Permit(t, "call"), "rec", []byte(meta))
	if err != nil {
		t.Fatal(err)
	}
	err = l.Update(func(b *spool.Batch) {
		b.Note(r, "opened", []byte(`{"firstSeq":3}`))
		for seq := uint64(3); seq <= 102; seq++ {
			if seq != 50 && !b.Frame(r, audio(seq)) {
				t.Errorf("frame %d was refused", seq)
			}
		}
		b.Gap(r, frame.Gap{Kind: frame.MixedAudio, FirstSeq: 103, Count: 5, Cause: frame.CauseOverflow})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err = l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l, err = spool.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	found := l.Recovered()
	if len(found) != 1 || found[0].Sealed {
		t.Fatalf("found %+v", found)
	}
	return l, found[0]
}

// TestRecovered: what a dead process has left is sealed with the time that is
// missing since, in whole frames, and nothing that was announced is forgotten.
func TestRecovered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meta string
		away time.Duration
		want map[frame.GapCause]int64 // frames
	}{
		"ten seconds":          {`{"audio":"mixed"}`, 10*time.Second + 7*time.Millisecond, map[frame.GapCause]int64{"unannounced": 1, "overflow": 5, "crash": 500}},
		"no time":              {`{"audio":"mixed"}`, 9 * time.Millisecond, map[frame.GapCause]int64{"unannounced": 1, "overflow": 5}},
		"over before":          {`{"audio":"mixed"}`, -time.Hour, map[frame.GapCause]int64{"unannounced": 1, "overflow": 5}},
		"a weekend":            {`{"audio":"mixed"}`, 60 * time.Hour, map[frame.GapCause]int64{"unannounced": 1, "overflow": 5, "crash": 24 * 3600 * 50}},
		"unmixed":              {`{"audio":"unmixed"}`, time.Minute, map[frame.GapCause]int64{"unannounced": 1, "overflow": 5}},
		"an unreadable permit": {`"x"`, time.Minute, map[frame.GapCause]int64{"unannounced": 1, "overflow": 5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, info := died(t, tt.meta)
			seal, report := Recovered(info, info.LastAt.Add(tt.away))
			if _, err := l.SealRecovered(t.Context(), info.ID, seal); err != nil {
				t.Fatal(err)
			}
			tl := timeline.New()
			tl.Start(3)
			var last *spool.SealRecord
			for r, err := range l.Read(info.ID) {
				switch {
				case err != nil:
					t.Fatal(err)
				case r.Type == spool.FrameType:
					tl.Frame(r.Header)
				case r.Type == spool.GapType:
					tl.Gap(r.Gap)
				case r.Type == spool.SealType:
					last = r.Seal
				}
			}
			if last == nil || last.Cause != string(recorder.CauseProcessDied) || !last.Recovered {
				t.Fatalf("seal %+v", last)
			}
			got, order := map[frame.GapCause]int64{}, []frame.GapCause{}
			tr := tl.Finish(last.LastSeq).Tracks[0]
			for _, g := range tr.Gaps {
				got[g.Cause] += g.Samples / frame.AudioSamples
				order = append(order, g.Cause)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("frames missing (-want +got):\n%s", d)
			}
			if crash := tt.want["crash"]; crash > 0 && order[len(order)-1] != "crash" {
				t.Errorf("gaps in the order %v", order)
			}
			samples, missing := uint64(tr.Stored), uint64(tr.GapSamples)-5*frame.AudioSamples
			if tt.meta != `{"audio":"mixed"}` {
				missing = 0
			}
			if report.GapSamples != missing || (report.Samples != samples && name != "an unreadable permit") || report.LastSeq != 102 {
				t.Errorf("report %+v, want %d and %d samples", report, samples, missing)
			}
		})
	}
}

// TestRecoveredTwice: whoever dies between the seal and its entry finds it sealed.
func TestRecoveredTwice(t *testing.T) {
	t.Parallel()
	l, info := died(t, `{"audio":"mixed"}`)
	seal, _ := Recovered(info, info.LastAt.Add(time.Second))
	if _, err := l.SealRecovered(t.Context(), info.ID, seal); err != nil {
		t.Fatal(err)
	}
	info = l.Recovered()[0]
	if seal, _ = Recovered(info, info.LastAt.Add(time.Minute)); seal.Missing != nil {
		t.Errorf("missing again: %+v", seal.Missing)
	}
	if _, err := l.SealRecovered(t.Context(), info.ID, seal); err != nil {
		t.Fatal(err)
	}
}

// TestEndingsOfSeveral: of what several processes have left of a call that nobody
// goes on with, what is missing at the end is missing once, behind the last part; each
// before it ends where the next begins.
func TestEndingsOfSeveral(t *testing.T) {
	t.Parallel()
	at := time.Unix(100, 0)
	meta := []byte(`{"audio":"mixed"}`)
	all := Endings([]spool.Info{
		{ID: "first", Meta: meta, Frames: 10, FirstSeq: 1, LastSeq: 10, LastAt: at},
		{ID: "second", Meta: meta, Frames: 5, FirstSeq: 11, LastSeq: 15, LastAt: at.Add(time.Second)},
	}, at.Add(3*time.Second), false)
	if len(all) != 2 || all[0].Recording != "first" || all[1].Recording != "second" {
		t.Fatalf("%+v", all)
	}
	if s := all[0].Seal; s.Cause != sealContinued || s.LastSeq != 10 || s.Missing != nil || all[0].Report.GapSamples != 0 {
		t.Errorf("the first: %+v, %+v", s, all[0].Report)
	}
	if s := all[1].Seal; s.Cause != string(recorder.CauseProcessDied) || s.Missing == nil || s.Missing.FirstSeq != 16 || all[1].Report.GapSamples != 100*frame.AudioSamples {
		t.Errorf("the second: %+v, %+v", s, all[1].Report)
	}
}
