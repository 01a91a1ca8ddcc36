package spool

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// On the real disk: everything that can be stored comes back as it was.
func TestRealDisk(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	ack := newAcks()
	o := Options{Dir: t.TempDir(), SegmentSize: 256 << 10, OnDurable: ack.durable, OnFailure: func(err error) { t.Error(err) }}
	l := open(t, o)
	p := recordertest.Permit(t, "call")
	ev, err := p.Evidence()
	if err != nil {
		t.Fatal(err)
	}
	r := begin(t, l, p, "rec")
	if _, err = l.Begin(ctx, p, "rec", nil); err == nil || !strings.Contains(err.Error(), "already") {
		t.Fatalf("the same ID again: %v", err)
	}
	want := []Record{{Type: PermitType, Permit: &PermitRecord{ID: "rec", Serial: 1, Evidence: ev, Meta: []byte(`{"host":"h"}`)}}}
	add := func(rec Record) {
		want = append(want, rec)
		stored := false
		uerr := l.Update(func(b *Batch) {
			switch rec.Type {
			case FrameType:
				stored = b.Frame(r, frame.Frame{Header: rec.Header, Payload: rec.Payload})
			case GapType:
				stored = b.Gap(r, rec.Gap)
			case NoteType:
				stored = b.Note(r, rec.Note.Kind, rec.Note.Data)
			case PermitType, SealType:
			}
		})
		if uerr != nil || !stored {
			t.Fatalf("%v: stored %v, %v", rec.Type, stored, uerr)
		}
	}
	for seq := uint64(1); seq <= 1500; seq++ { // several segments
		f := audio(seq)
		add(Record{Type: FrameType, Header: f.Header, Payload: f.Payload})
	}
	add(Record{Type: FrameType, Header: frame.Header{Seq: 1501, Kind: frame.UnmixedAudio, Source: 77, Flags: frame.Silence, MediaTime: -1}, Payload: make([]byte, 640)})
	add(Record{Type: FrameType, Header: frame.Header{Seq: 1502, Kind: frame.Video, Source: 1 << 31, Flags: frame.KeyFrame, Socket: 9, Width: 1920, Height: 1080}, Payload: bytes.Repeat([]byte{0, 0, 1, 7}, 20_000)})
	add(Record{Type: GapType, Gap: frame.Gap{Kind: frame.MixedAudio, Source: 3, FirstSeq: 1503, Count: 5, FromTime: 6, ToTime: 7, Cause: frame.CauseOverflow}})
	add(Record{Type: NoteType, Note: Note{Kind: "speakers", Data: []byte(`[1,2]`)}})
	s, err := r.Seal(ctx, Seal{LastSeq: 1507, Cause: "ended", Meta: []byte(`{"x":1}`)})
	if err != nil || s.Frames != 1502 || s.FirstSeq != 1 || s.LastSeq != 1502 || s.Serial != 1 || s.At.IsZero() {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := ack.of("rec"); got != 1502 {
		t.Fatalf("acknowledged up to %d", got)
	}
	want = append(want, Record{Type: SealType, Seal: &SealRecord{LastSeq: 1507, Cause: "ended", FirstSeq: 1, StoredSeq: 1502, Frames: 1502, Meta: []byte(`{"x":1}`)}})

	same := func(l *Log) {
		t.Helper()
		got := read(t, l, "rec")
		for i := range got {
			if d := time.Since(got[i].At); d < 0 || d > time.Minute {
				t.Fatalf("record %d was committed at %v", i, got[i].At)
			}
			got[i].At = time.Time{}
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) })); d != "" {
			t.Fatal(d)
		}
	}
	same(l)
	if _, err = Open(ctx, o); !errors.Is(err, durable.ErrLocked) {
		t.Fatalf("a second process: %v", err)
	}
	if _, err = Check(o.Dir); !errors.Is(err, durable.ErrLocked) {
		t.Fatalf("check of a log in use: %v", err)
	}
	shut(t, l)
	rep, err := Check(o.Dir)
	if err != nil || len(rep.Findings) > 0 || len(rep.Recordings) != 1 || rep.Frames != 1502 {
		t.Fatalf("%d findings, holds %v, %d frames, %v", len(rep.Findings), rep.Recordings, rep.Frames, err)
	}
	l = open(t, o)
	same(l)
	again, err := l.SealRecovered(ctx, "rec", Seal{})
	if err != nil || again != s {
		t.Fatalf("%+v, %v; want %+v", again, err, s)
	}
	if err = l.Release("rec"); err != nil {
		t.Fatal(err)
	}
	if err = l.Release("rec"); !errors.Is(err, ErrUnknown) {
		t.Fatalf("released again: %v", err)
	}
	if got := l.Recovered(); len(got) != 0 {
		t.Fatalf("released, but %+v", got)
	}
}

func TestRecovered(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	l := open(t, small(d))
	ps := permits(t, 3)
	for i, id := range []string{"a", "b", "c"} {
		r := begin(t, l, ps[i], id)
		store(t, l, r, 5, 9)
		if id == "b" {
			seal(t, r)
		}
	}
	l2 := open(t, small(d.killed()))
	got := l2.Recovered()
	if len(got) != 3 {
		t.Fatalf("%d recordings", len(got))
	}
	for i, info := range got {
		ev, _ := ps[i].Evidence()
		if d := cmp.Diff(ev, info.Evidence); d != "" {
			t.Fatal(d)
		}
		if info.Call != ev.Call || string(info.Meta) != `{"host":"h"}` || info.FirstSeq != 5 || info.LastSeq != 9 || info.Frames != 5 ||
			info.Sealed != (info.ID == "b") || info.FirstAt.IsZero() || info.LastAt.Before(info.FirstAt) || info.Serial != uint64(i+1) {
			t.Fatalf("%+v", info)
		}
	}
	// What was not sealed is sealed by whoever recovers.
	s, err := l2.SealRecovered(context.Background(), "a", Seal{LastSeq: 12, Cause: "crash"})
	if err != nil || s.Frames != 5 || s.LastSeq != 9 {
		t.Fatalf("%+v, %v", s, err)
	}
	recs := read(t, l2, "a")
	if last := recs[len(recs)-1]; last.Type != SealType || !last.Seal.Recovered || last.Seal.LastSeq != 12 || last.Seal.StoredSeq != 9 {
		t.Fatalf("%+v", last)
	}
	if err = l2.Release("c"); !errors.Is(err, ErrUnsealed) {
		t.Fatalf("got %v", err)
	}
	if _, err = l2.SealRecovered(context.Background(), "z", Seal{}); !errors.Is(err, ErrUnknown) {
		t.Fatalf("got %v", err)
	}
	// The serial goes on, also for an ID that is free again.
	if err = l2.Release("b"); err != nil {
		t.Fatal(err)
	}
	r := begin(t, l2, ps[1], "b")
	if recs = read(t, l2, "b"); recs[0].Permit.Serial != 4 || r.ID() != "b" {
		t.Fatalf("%+v", recs[0].Permit)
	}
	if _, err = l2.SealRecovered(context.Background(), "b", Seal{}); err == nil {
		t.Fatal("sealed under its owner's feet")
	}
}

// What is missing at the end is there with the seal, in one commit, or not at all.
func TestMissingBeforeSeal(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	l := open(t, small(d))
	store(t, l, begin(t, l, permits(t, 1)[0], "rec"), 1, 5)
	d = d.killed()
	l = open(t, small(d))
	before := l.number
	g := frame.Gap{Kind: frame.MixedAudio, FirstSeq: 6, FromTime: 1, ToTime: 1 + 50*frame.TicksPerFrame, Cause: frame.CauseCrash}
	s, err := l.SealRecovered(context.Background(), "rec", Seal{Cause: "crash", Missing: &g})
	if err != nil || s.Commit != before+1 {
		t.Fatalf("%+v, %v, after commit %d", s, err, before)
	}
	recs := read(t, l, "rec")
	n := len(recs)
	if recs[n-1].Type != SealType || recs[n-2].Type != GapType || recs[n-2].Gap != g {
		t.Fatalf("%+v", recs[n-2:])
	}
	// Asked again it is there once.
	if again, err := l.SealRecovered(context.Background(), "rec", Seal{Missing: &g}); err != nil || again != s || len(read(t, l, "rec")) != n {
		t.Fatalf("%+v, %v", again, err)
	}
	shut(t, l)
	sound(t, d)
}

// Law: no frame without a live permit, none after the seal.
func TestGate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newMemDisk()
	l := open(t, small(d))
	if _, err := l.Begin(ctx, recorder.Permit{}, "none", nil); !errors.Is(err, recorder.ErrNotPermitted) {
		t.Fatalf("began without a permit: %v", err)
	}
	p, withdraw := recordertest.PermitWith(t, "call")
	r := begin(t, l, p, "rec")
	store(t, l, r, 1, 2)
	try := func() (ok, note, gap bool) {
		t.Helper()
		if err := flush(l, func(b *Batch) {
			ok, note = b.Frame(r, audio(3)), b.Note(r, "speakers", []byte(`[1]`))
			gap = b.Gap(r, frame.Gap{Cause: frame.CauseTail})
		}); err != nil {
			t.Fatal(err)
		}
		return ok, note, gap
	}
	withdraw()
	if ok, note, gap := try(); ok || note || !gap {
		t.Fatalf("after the withdrawal: frame %v, note %v, gap %v", ok, note, gap)
	}
	if _, err := l.Begin(ctx, p, "again", nil); !errors.Is(err, recorder.ErrNotPermitted) {
		t.Fatalf("began with a withdrawn permit: %v", err)
	}
	first := seal(t, r)
	if ok, note, gap := try(); ok || note || gap {
		t.Fatalf("after the seal: frame %v, note %v, gap %v", ok, note, gap)
	}
	if again := seal(t, r); again != first {
		t.Fatalf("sealed twice: %+v, %+v", first, again)
	}

	q := begin(t, l, recordertest.Permit(t, "other"), "other")
	seal(t, q)
	stored := true
	if err := flush(l, func(b *Batch) { stored = b.Frame(q, audio(1)) }); err != nil || stored {
		t.Fatalf("a frame after the seal under a live permit: %v, %v", stored, err)
	}
	var kept *Batch
	if err := l.Update(func(b *Batch) { kept = b }); err != nil {
		t.Fatal(err)
	}
	if kept.Frame(q, audio(1)) || kept.Gap(q, frame.Gap{}) || kept.Note(q, "x", nil) {
		t.Fatal("a batch was used after its Update")
	}
	shut(t, l)
	rep := sound(t, d)
	if rep.Frames != 2 || len(rep.Recordings) != 2 {
		t.Fatalf("%+v", rep)
	}
}

func TestBeginRefusesBadInput(t *testing.T) {
	t.Parallel()
	l := open(t, small(newMemDisk()))
	p := recordertest.Permit(t, "call")
	for _, id := range []string{"", "a/b", "ä", strings.Repeat("x", 129)} {
		if _, err := l.Begin(context.Background(), p, id, nil); err == nil {
			t.Errorf("ID %q was taken", id)
		}
	}
	if _, err := l.Begin(context.Background(), p, "x", []byte(`{`)); err == nil {
		t.Error("meta data that is not JSON was taken")
	}
	r := begin(t, l, p, "x") // a refused one leaves nothing behind
	if _, err := r.Seal(context.Background(), Seal{Meta: []byte("nope")}); err == nil {
		t.Error("sealed with meta data that is not JSON")
	}
	seal(t, r)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"no directory":    {},
		"segment size":    {Dir: "d", SegmentSize: 5000},
		"commit interval": {Dir: "d", CommitInterval: time.Hour},
		"quarter":         {Dir: "d", CommitBytes: 1 << 30},
	} {
		if _, err := Open(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	d.free = 36_000_000
	o := small(d)
	reg := prometheus.NewRegistry()
	o.Registerer = reg
	l := open(t, o)
	r := begin(t, l, recordertest.Permit(t, "call"), "rec")
	store(t, l, r, 1, 3)
	if left := l.SecondsLeft(); left < 990 || left > 1010 {
		t.Errorf("%.1f seconds left of 36 MB at 36 kB/s", left)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP recorderbot_spool_bytes Bytes of the segments that hold records not yet released.
# TYPE recorderbot_spool_bytes gauge
recorderbot_spool_bytes 65536
# HELP recorderbot_spool_recordings Recordings in the spool that were not released.
# TYPE recorderbot_spool_recordings gauge
recorderbot_spool_recordings 1
`), "recorderbot_spool_bytes", "recorderbot_spool_recordings"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
