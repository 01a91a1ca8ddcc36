package spool

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

func BenchmarkAppend1000(b *testing.B) { benchmarkAppend(b, 1000) }

func BenchmarkAppend4000(b *testing.B) { benchmarkAppend(b, 4000) }

// benchmarkAppend lets streams of audio that is never silent arrive in real time,
// in four parts of each 20 ms, in messages of 64 KiB as a media host sends them.
// One iteration is 20 ms; run it with -benchtime=500x. CPU includes the filling
// with zeros of segments that a log in its steady state would recycle.
func benchmarkAppend(b *testing.B, streams int) {
	b.Helper()
	const parts, perMessage = 4, 95
	var wait latency // of the first stream's frames, from append to durable
	d := &timedDisk{}
	l, err := Open(context.Background(), Options{
		Dir: b.TempDir(), OnFailure: func(err error) { b.Error(err) }, OnDurable: wait.durable, files: d,
	})
	if err != nil {
		b.Fatal(err)
	}
	p := recordertest.Permit(b, "call")
	recs := make([]*Recording, streams)
	var g errgroup.Group
	for i := range recs {
		g.Go(func() (err error) {
			recs[i], err = l.Begin(context.Background(), p, fmt.Sprintf("r%d", i), nil)
			return err
		})
	}
	if err = g.Wait(); err != nil {
		b.Fatal(err)
	}
	wait.rec = recs[0]
	payload := make([]byte, frame.AudioBytes)
	for i := range payload {
		payload[i] = byte(i*7 + 1)
	}
	tick := time.NewTicker(20 * time.Millisecond / parts)
	defer tick.Stop()
	cpu, frames := cpuTime(b), 0
	b.ResetTimer()
	for n := range b.N {
		for part := range parts {
			<-tick.C
			mine := recs[part*streams/parts : (part+1)*streams/parts]
			for message := range slices.Chunk(mine, perMessage) {
				if part == 0 {
					wait.appended(uint64(n + 1))
				}
				err = l.Update(func(batch *Batch) {
					for _, r := range message {
						f := frame.Frame{Header: frame.Header{Seq: uint64(n + 1), Kind: frame.MixedAudio, MediaTime: int64(n)}, Payload: payload}
						if !batch.Frame(r, f) {
							b.Error("refused")
						}
					}
				})
				if err != nil {
					b.Fatal(err)
				}
				frames += len(message)
			}
		}
	}
	b.StopTimer()
	spent := cpuTime(b) - cpu
	b.ReportMetric(spent.Seconds()/(float64(frames)*0.02/3600), "cpu-s/stream-h")
	b.ReportMetric(float64(frames)/b.Elapsed().Seconds()/50/float64(streams), "of-real-time")
	if err = l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	report(b, d.commits, "commit")
	report(b, wait.took, "durable")
	b.ReportMetric(float64(len(d.commits))/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(d.bytes)/float64(frames*frame.AudioBytes), "bytes/byte")
}

// BenchmarkOpen opens a log whose last segment is full of 1000 recordings that
// were cut off by a crash.
func BenchmarkOpen(b *testing.B) {
	o := Options{Dir: b.TempDir()}
	l, err := Open(context.Background(), o)
	if err != nil {
		b.Fatal(err)
	}
	p := recordertest.Permit(b, "call")
	recs := make([]*Recording, 1000)
	var g errgroup.Group
	for i := range recs {
		g.Go(func() (err error) {
			recs[i], err = l.Begin(context.Background(), p, fmt.Sprintf("r%d", i), nil)
			return err
		})
	}
	if err = g.Wait(); err != nil {
		b.Fatal(err)
	}
	for seq := uint64(1); seq <= 380; seq++ { // 258 MB
		f := audio(4*seq + 1)
		f.Seq = seq
		for part := range slices.Chunk(recs, 95) {
			if err = l.Update(func(batch *Batch) {
				for _, r := range part {
					batch.Frame(r, f)
				}
			}); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err = l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if l, err = Open(context.Background(), o); err != nil {
			b.Fatal(err)
		}
		if n := len(l.Recovered()); n != 1000 || l.gen != 1 {
			b.Fatalf("%d recordings, generation %d", n, l.gen)
		}
		if err = l.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func report(b *testing.B, took []time.Duration, name string) {
	b.Helper()
	slices.Sort(took)
	if n := len(took); n > 0 {
		b.ReportMetric(took[n/2].Seconds()*1000, name+"-p50-ms")
		b.ReportMetric(took[n*99/100].Seconds()*1000, name+"-p99-ms")
	}
}

// timedDisk measures the commits on the real disk.
type timedDisk struct {
	disk

	mu      sync.Mutex
	commits []time.Duration
	bytes   int
}

func (d *timedDisk) Segment(path string) (segmentFile, error) {
	f, err := d.disk.Segment(path)
	return &timedFile{segmentFile: f, d: d}, err
}

type timedFile struct {
	segmentFile

	d     *timedDisk
	begun time.Time
}

func (f *timedFile) WriteAt(p []byte, off int64) (int, error) {
	f.begun = time.Now()
	f.d.mu.Lock()
	f.d.bytes += len(p)
	f.d.mu.Unlock()
	return f.segmentFile.WriteAt(p, off)
}

func (f *timedFile) Datasync() error {
	err := f.segmentFile.Datasync()
	if !f.begun.IsZero() { // not the keeper's zeros
		f.d.mu.Lock()
		f.d.commits = append(f.d.commits, time.Since(f.begun))
		f.d.mu.Unlock()
	}
	return err
}

// latency measures from the append of a frame until OnDurable tells of it.
type latency struct {
	mu   sync.Mutex
	rec  *Recording
	at   []time.Time // by sequence number - 1
	took []time.Duration
}

func (l *latency) appended(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if uint64(len(l.at)) < seq {
		l.at = append(l.at, time.Now())
	}
}

func (l *latency) durable(ds []Durable) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range ds {
		if d.Recording == l.rec {
			l.took = append(l.took, time.Since(l.at[d.Seq-1]))
		}
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
