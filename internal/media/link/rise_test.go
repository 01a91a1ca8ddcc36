package link

import (
	"crypto/tls"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// A deaf handler and owner.
type deaf struct{}

func (deaf) Frames(Message)                    {}
func (deaf) Broken(Fault)                      {}
func (deaf) Changed()                          {}
func (deaf) Attached(Attached)                 {}
func (deaf) Opened(uint64)                     {}
func (deaf) Paused(uint64)                     {}
func (deaf) Gap(frame.Gap)                     {}
func (deaf) Speakers(uint64, []uint32, uint32) {}
func (deaf) ReceiveStatus(uint8, bool, bool)   {}
func (deaf) Subscribed(uint8, uint32, string)  {}
func (deaf) Cut(string)                        {}
func (deaf) Lost(Loss)                         {}

// idle is a link without a connection; a test plays the host's part.
func idle(tb testing.TB, h Handler) *Link {
	tb.Helper()
	l, err := New(Options{Address: "127.0.0.1:1", TLS: &tls.Config{MinVersion: tls.VersionTLS13}, Handler: h})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Close)
	return l
}

// TestAttachWhileTheLinkRises: a session that comes in the very moment in which
// the link comes up is attached like all others, once.
func TestAttachWhileTheLinkRises(t *testing.T) {
	t.Parallel()
	l := idle(t, deaf{})
	for i := range 10 {
		// A lock whose waiters starve is handed on in the order in which they came:
		// so a session comes between any two looks of rise, if there are two.
		var wg sync.WaitGroup
		var late []*Session
		var mu sync.Mutex
		come := func() {
			wg.Go(func() {
				s, err := l.Attach(uuid.NewString(), deaf{})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				late = append(late, s)
			})
			<-time.After(2 * time.Millisecond)
		}
		l.mu.Lock()
		come()
		wg.Go(func() { l.rise(Info{}) })
		<-time.After(2 * time.Millisecond)
		come()
		l.mu.Unlock()
		l.mu.Lock()
		<-time.After(2 * time.Millisecond)
		l.mu.Unlock()
		wg.Wait()
		sent := map[string]int{}
		l.mu.Lock()
		for _, m := range l.queue {
			sent[m.GetAttach().GetSessionId()]++
		}
		l.mu.Unlock()
		for _, s := range late {
			if sent[s.id] != 1 {
				t.Errorf("round %d: Attach was sent %d times", i, sent[s.id])
			}
			s.Detach()
		}
		l.cut(t.Context(), errors.New("planted"))
	}
}
