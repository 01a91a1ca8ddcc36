package media

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A hungLog is a log that takes no line with certain words, for example because
// nobody reads the console.
type hungLog struct {
	zapcore.LevelEnabler

	words string
	hangs chan struct{} // closed: a line hangs
	once  *sync.Once
	goOn  chan struct{}
}

// newHungWorld is a world with such a log.
func newHungWorld(tb testing.TB, words string) (w *world, hangs chan struct{}) {
	tb.Helper()
	c := &hungLog{zapcore.DebugLevel, words, make(chan struct{}), &sync.Once{}, make(chan struct{})}
	w = newWorld(tb, worldOptions{hosts: 2, log: zap.New(c)})
	tb.Cleanup(func() { close(c.goOn) }) // before the world closes
	return w, c.hangs
}

func (c *hungLog) With([]zapcore.Field) zapcore.Core { return c }

func (c *hungLog) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(e, c)
}

func (c *hungLog) Write(e zapcore.Entry, _ []zapcore.Field) error {
	if strings.Contains(e.Message, c.words) {
		c.once.Do(func() { close(c.hangs) })
		<-c.goOn
	}
	return nil
}

func (c *hungLog) Sync() error { return nil }

// TestHungLogHoldsNobodyUp: what is said of one host's message is said behind the
// locks: a log that hangs holds up neither the spool nor that host's gates.
func TestHungLogHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		words string
		spoil func(*session, *testSession)
	}{
		"malformed": {"malformed", func(_ *session, hs *testSession) {
			f := audio(11)
			f.Payload = f.Payload[:100]
			hs.raw(f)
		}},
		"an impossible time behind a closed gate": {"impossible gap", func(s *session, hs *testSession) {
			s.Attached(link.Attached{Next: 11, Again: true})
			s.Opened(11)
			f := audio(11)
			f.MediaTime += 3600 * 50 * frame.TicksPerFrame
			hs.skip(1)
			hs.raw(f)
		}},
		"discarded": {"discarded", func(_ *session, hs *testSession) { hs.raw(audio(1)) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, hangs := newHungWorld(t, tt.words)
			a, ha := w.record("a")
			b, hb := w.record("b")
			if a.host == b.host {
				t.Fatal("both calls are on one host")
			}
			ha.capture(10)
			w.stored(a, 10)
			tt.spoil(a, ha)
			select {
			case <-hangs:
			case <-time.After(10 * time.Second):
				t.Fatal("nothing was said")
			}
			hb.capture(10)
			w.stored(b, 10)
			w.hangUp("b")
			if end := w.end("b"); end.Outcome != recorder.OutcomeRecorded {
				t.Errorf("%+v", end)
			}
			if !a.mu.TryLock() {
				t.Fatal("the gates are locked")
			}
			a.mu.Unlock()
		})
	}
}

// TestHungLogHidesNoFailure: first everybody is told, then the log.
func TestHungLogHidesNoFailure(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"storage failed", "recording can't go on"} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			w, hangs := newHungWorld(t, words)
			w.record("a")
			w.record("b")
			go w.service.OnFailure(errors.New("no disk"))
			<-hangs
			for _, id := range []recorder.CallID{"a", "b"} {
				if end := w.end(id); end.Cause != recorder.CauseStorageFailed {
					t.Errorf("%+v", end)
				}
			}
			if n := len(w.failures()); n != 1 {
				t.Errorf("OnFailure was told %d times", n)
			}
		})
	}
}
