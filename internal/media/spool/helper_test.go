package spool

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// small are options under which much happens with few bytes.
func small(d *memDisk) Options {
	return Options{Dir: "spool", SegmentSize: minSegmentSize, CommitInterval: time.Millisecond, files: d}
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

func open(tb tester, o Options) *Log {
	tb.Helper()
	l, err := Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

func shut(tb tester, l *Log) {
	tb.Helper()
	if err := l.Close(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

// permits wins permits once for many runs of a property.
func permits(tb testing.TB, n int) []recorder.Permit {
	tb.Helper()
	ps := make([]recorder.Permit, n)
	for i := range ps {
		ps[i] = recordertest.Permit(tb, recorder.CallID(fmt.Sprintf("call-%d", i)))
	}
	return ps
}

func begin(tb tester, l *Log, p recorder.Permit, id string) *Recording {
	tb.Helper()
	r, err := l.Begin(context.Background(), p, id, []byte(`{"host":"h"}`))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func seal(tb tester, r *Recording) Sealed {
	tb.Helper()
	s, err := r.Seal(context.Background(), Seal{LastSeq: 7, Cause: "ended"})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// audio is a frame whose samples tell its number; every fourth is silent.
func audio(seq uint64) frame.Frame {
	f := frame.Frame{
		Header:  frame.Header{Seq: seq, Kind: frame.MixedAudio, MediaTime: int64(seq) * frame.TicksPerFrame, SenderTime: 5},
		Payload: make([]byte, frame.AudioBytes),
	}
	for i := range f.Payload {
		if seq%4 != 0 {
			f.Payload[i] = byte(seq + uint64(i))
		}
	}
	return f
}

// store appends frames in one batch and returns when they are durable.
func store(tb tester, l *Log, r *Recording, from, to uint64) {
	tb.Helper()
	err := flush(l, func(b *Batch) {
		for seq := from; seq <= to; seq++ {
			if !b.Frame(r, audio(seq)) {
				tb.Errorf("frame %d was refused", seq)
			}
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// flush is Update that waits until it is durable.
func flush(l *Log, fn func(b *Batch)) error {
	t, err := l.update(context.Background(), fn, true)
	if err != nil || t == nil {
		return err
	}
	<-t.done
	return t.err
}

// read collects a recording; payloads are copied, times left out.
func read(tb tester, l *Log, id string) []Record {
	tb.Helper()
	var all []Record
	for rec, err := range l.Read(id) {
		if err != nil {
			tb.Fatalf("reading %s after %d records: %v", id, len(all), err)
		}
		rec.Payload = append([]byte(nil), rec.Payload...)
		all = append(all, rec)
	}
	return all
}

// wantFrames fails unless the recording has exactly the frames from..to.
func wantFrames(tb tester, l *Log, id string, from, to uint64) {
	tb.Helper()
	var want []frame.Frame
	for seq := from; seq <= to; seq++ {
		want = append(want, audio(seq))
	}
	wantSame(tb, l, id, want)
}

// sound fails unless Check finds nothing.
func sound(tb tester, d *memDisk) Report {
	tb.Helper()
	rep, err := checkFiles(d, "spool")
	if err != nil {
		tb.Fatal(err)
	}
	if n := len(rep.Findings); n > 0 {
		tb.Fatalf("check: %d findings, the first: %v", n, rep.Findings[0])
	}
	return rep
}

// acks remembers what OnDurable has said.
type acks struct {
	mu  sync.Mutex
	seq map[string]uint64
}

func newAcks() *acks { return &acks{seq: make(map[string]uint64)} }

func (a *acks) durable(ds []Durable) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range ds {
		a.seq[d.Recording.ID()] = max(a.seq[d.Recording.ID()], d.Seq)
	}
}

func (a *acks) of(id string) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seq[id]
}

// wantSame fails unless the recording holds exactly these frames.
func wantSame(tb tester, l *Log, id string, want []frame.Frame) {
	tb.Helper()
	n := 0
	for rec, err := range l.Read(id) {
		if err != nil {
			tb.Fatal(err)
		}
		if rec.Type != FrameType {
			continue
		}
		if n == len(want) || rec.Header != want[n].Header || !bytes.Equal(rec.Payload, want[n].Payload) {
			tb.Fatalf("%s: record %d is %+v", id, n, rec.Header)
		}
		n++
	}
	if n != len(want) {
		tb.Fatalf("%s: %d frames, want %d", id, n, len(want))
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// drawFrame draws any frame but its number.
func drawFrame() *rapid.Generator[frame.Frame] {
	return rapid.Custom(func(t *rapid.T) frame.Frame {
		f := frame.Frame{Header: frame.Header{
			Kind:       frame.Kind(rapid.IntRange(1, 4).Draw(t, "kind")),
			Flags:      frame.Flags(rapid.IntRange(0, 7).Draw(t, "flags")),
			MediaTime:  rapid.Int64().Draw(t, "media time"),
			SenderTime: rapid.Int64().Draw(t, "sender's time"),
		}}
		size := frame.AudioBytes
		if f.Kind != frame.MixedAudio {
			f.Source = rapid.Uint32().Draw(t, "source")
		}
		if !f.Kind.Audio() {
			size = rapid.IntRange(0, 2500).Draw(t, "size")
			f.Socket, f.Width, f.Height = 3, rapid.Uint16().Draw(t, "width"), 9
		}
		f.Payload = make([]byte, size)
		if fill := rapid.Byte().Draw(t, "fill"); size > 0 {
			f.Payload[size-1] = fill
		}
		return f
	})
}
