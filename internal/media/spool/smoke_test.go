package spool

import (
	"context"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

func TestSmoke(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	got := make(chan uint64, 10000)
	opt := Options{Dir: dir, SegmentSize: 256 << 10, OnDurable: func(ds []Durable) { got <- ds[0].Seq }, OnFailure: func(err error) { t.Error(err) }}
	l, err := Open(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	p := recordertest.Permit(t, "call-1")
	r, err := l.Begin(ctx, p, "rec-1", []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(2000)
	for i := uint64(1); i <= n; i++ {
		pl := make([]byte, 640)
		pl[0] = byte(i % 3)
		err := l.Update(func(b *Batch) {
			if !b.Frame(r, frame.Frame{Header: frame.Header{Seq: i, Kind: frame.MixedAudio}, Payload: pl}) {
				t.Error("refused")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := r.Seal(ctx, Seal{LastSeq: n, Cause: "x"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", s)
	count := func(l *Log) {
		var k uint64
		types := map[RecordType]int{}
		for rec, err := range l.Read("rec-1") {
			if err != nil {
				t.Fatal(err)
			}
			types[rec.Type]++
			if rec.Type == FrameType {
				k++
				if rec.Header.Seq != k || rec.Payload[0] != byte(k%3) || len(rec.Payload) != 640 {
					t.Fatal(rec.Header)
				}
			}
		}
		t.Log(types)
	}
	count(l)
	if err = l.Close(ctx); err != nil {
		t.Fatal(err)
	}
	rep, err := Check(dir)
	t.Logf("%+v %v", rep, err)
	l, err = Open(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %v", l.Recovered(), l.Damage())
	count(l)
	if err := l.Release("rec-1"); err != nil {
		t.Fatal(err)
	}
	t.Log(l.SecondsLeft(), len(l.segs), l.spares)
	if err = l.Close(ctx); err != nil {
		t.Fatal(err)
	}
}
