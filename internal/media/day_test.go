package media

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestADay: a call of 24 hours in parts of one, whose sender's clock is 50 parts in a
// million fast, and jitters: not a sample is missing, none is made up, and the last hour
// needs no more memory than the second.
func TestADay(t *testing.T) {
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 25*time.Hour)
	eventually(t, "the attachment", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.attached
	})
	w.hosts[0].change(func() { // it has sent whatever is acknowledged
		for _, hs := range w.hosts[0].sessions {
			hs.next = 1 << 40
		}
	})
	rng := rand.New(rand.NewPCG(1, 2))
	const hour, ppm = 50 * 3600, 50
	payload := make([]byte, frame.AudioBytes)
	begin := audio(1).MediaTime
	var heap [24]uint64
	for h := range heap {
		for done := uint64(0); done < hour; done += 100 {
			err := w.spool.Update(func(b *spool.Batch) {
				s.mu.Lock()
				defer s.mu.Unlock()
				for i := range uint64(100) {
					nth := uint64(h)*hour + done + i
					ticks := int64(nth) * frame.TicksPerFrame
					f := frame.Frame{Header: frame.Header{
						Seq: nth + 1, Kind: frame.MixedAudio, MediaTime: begin + ticks + ticks/1_000_000*ppm + rng.Int64N(50_000),
					}, Payload: payload}
					if _, ok := s.take(b, &f, time.Now()); !ok {
						t.Errorf("frame %d was refused: %v", f.Seq, s.discards())
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		old := s.recording.ID()
		s.nextPart(t.Context())
		if s.part != h+2 {
			t.Fatalf("hour %d ended in part %d", h, s.part)
		}
		if err := w.spool.Release(old); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap[h] = m.HeapAlloc
	}
	var samples, missing uint64
	w.mu.Lock()
	for _, e := range w.notes {
		if o, ok := e.Data.(recorder.Opened); ok && o.Previous != nil {
			samples, missing = samples+o.Previous.Samples, missing+o.Previous.GapSamples
		}
	}
	w.mu.Unlock()
	t.Logf("%d samples stored, %d missing; heap after hour 2 %d KiB, after hour 24 %d KiB", samples, missing, heap[1]>>10, heap[23]>>10)
	if samples != 24*hour*frame.AudioSamples || missing != 0 {
		t.Errorf("%d samples stored, %d missing; %d were sent", samples, missing, 24*hour*frame.AudioSamples)
	}
	if heap[23] > heap[1]+1<<20 {
		t.Errorf("the heap has grown from %d KiB to %d KiB", heap[1]>>10, heap[23]>>10)
	}
}
