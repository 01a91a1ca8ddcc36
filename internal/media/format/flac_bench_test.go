package format_test

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
)

// A sink keeps nothing.
type sink struct{ n, at int64 }

func (s *sink) Write(p []byte) (int, error) {
	s.at += int64(len(p))
	s.n = max(s.n, s.at)
	return len(p), nil
}

func (s *sink) Seek(to int64, whence int) (int64, error) {
	if s.at = to; whence == io.SeekEnd {
		s.at = s.n
	}
	return s.at, nil
}

// cpu returns what this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFLACSilence encodes an hour of it; nearly all is the MD5.
func BenchmarkFLACSilence(b *testing.B) {
	from := cpu(b)
	for b.Loop() {
		var dst sink
		w, err := format.NewFLACWriter(&dst, nil)
		if err == nil {
			err = w.Silence(b.Context(), 3600*16_000)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(dst.n)/3600, "bytes/s")
	}
	b.ReportMetric(float64((cpu(b)-from).Milliseconds())/60/float64(b.N), "ms/stream-min")
}

// BenchmarkFLAC encodes ten minutes of conversation, as ours and by flac -5. A
// stream-minute costs ms; cores keep up with a thousand streams.
func BenchmarkFLAC(b *testing.B) {
	const minutes = 10
	samples, err := speech.Mix(60 * minutes)
	if err != nil {
		b.Fatal(err)
	}
	raw := pcm(samples)
	report := func(b *testing.B, used time.Duration) {
		b.Helper()
		ms := float64(used.Microseconds()) / 1000 / minutes / float64(b.N)
		b.ReportMetric(ms, "ms/stream-min")
		b.ReportMetric(ms/60, "cores/1000")
	}
	var ours int64
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		from := cpu(b)
		for b.Loop() {
			var dst sink
			w, err := format.NewFLACWriterSized(&dst, nil, int64(len(samples)))
			if err != nil {
				b.Fatal(err)
			}
			for p := raw; len(p) > 0; p = p[640:] { // frames of Teams
				if err := w.PCM(p[:640]); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			ours = dst.n
		}
		report(b, cpu(b)-from)
	})
	b.Run("flac -5", func(b *testing.B) {
		path := b.TempDir() + "/a.raw"
		write(b, path, raw)
		var used time.Duration
		for b.Loop() {
			cmd := exec.CommandContext(b.Context(), "flac", "-5", "-f", "-s", "--no-padding", "--force-raw-format", "--endian=little", "--sign=signed",
				"--channels=1", "--bps=16", "--sample-rate=16000", "-o", path+".flac", path)
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
			used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
		report(b, used)
		b.ReportMetric(float64(ours)/float64(size(b, path+".flac")), "ours/theirs")
	})
}

func write(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func size(tb testing.TB, path string) int64 {
	tb.Helper()
	info, err := os.Stat(path)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
