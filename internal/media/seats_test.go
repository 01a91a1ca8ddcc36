package media

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// tell says what the hosts have, and waits until it is heard.
func (w *world) tell(capacity, sessions uint32) {
	w.tb.Helper()
	for i, h := range w.hosts {
		eventually(w.tb, "a link", func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.current != nil
		})
		h.change(func() { h.info.Capacity, h.info.Sessions = capacity, sessions })
		h.tell()
		eventually(w.tb, "news of the host", func() bool {
			got := w.service.Health()[i]
			return got.Capacity == capacity && got.Sessions == sessions
		})
	}
}

// place places n calls at once and returns how many were refused.
func (w *world) place(name string, n int) (refused []error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range n {
		wg.Go(func() {
			_, err := w.service.CreateSession(w.tb.Context(), recorder.CallRef{ID: recorder.CallID(fmt.Sprint(name, i))}, recorder.Placement{})
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				refused = append(refused, err)
			}
		})
	}
	wg.Wait()
	return refused
}

// TestBurst: as many calls at once as the hosts have seats are all placed, evenly,
// and no host is asked for more than it has; the next is refused without asking.
func TestBurst(t *testing.T) {
	t.Parallel()
	const seats = 100
	w := newWorld(t, worldOptions{hosts: 2})
	w.tell(seats+7, 7) // another process has seven on each
	if refused := w.place("a", 2*seats); len(refused) > 0 {
		t.Errorf("%d calls refused: %v", len(refused), refused[0])
	}
	made := func() (all [2]int) {
		for i, h := range w.hosts {
			h.mu.Lock()
			all[i] = len(h.order)
			h.mu.Unlock()
		}
		return all
	}
	if got := made(); got != [2]int{seats, seats} {
		t.Errorf("sessions made %v, want %d on each", got, seats)
	}
	refused := w.place("b", 10)
	if len(refused) != 10 || !errors.Is(refused[0], recorder.ErrNoMediaHost) || !strings.Contains(refused[0].Error(), "is full") {
		t.Errorf("%d refused: %v", len(refused), refused)
	}
	if got := made(); got != [2]int{seats, seats} {
		t.Errorf("a full host was asked: %v", got)
	}
	for _, h := range w.service.Health() {
		if h.TakesCalls() || !h.Willing() || h.Others != 7 || h.Ours != seats || h.Used != seats+7 || h.Seats() != seats {
			t.Errorf("health %+v", h)
		}
	}
}

// TestSeats: what the host says of its sessions is not counted beside ours, and a
// seat is free when the host has disposed of the session.
func TestSeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.tell(10, 0)
	if refused := w.place("a", 4); len(refused) > 0 {
		t.Fatal(refused)
	}
	w.tell(10, 9) // our four, and five of others
	h := w.service.Health()[0]
	if h.Others != 5 || h.Used != 9 {
		t.Errorf("health %+v, want 5 others and 9 used", h)
	}
	if refused := w.place("b", 3); len(refused) != 2 {
		t.Errorf("%d of 3 refused, want 2: one seat was free", len(refused))
	}
	for i := range 4 {
		if err := w.service.Release(t.Context(), recorder.CallID(fmt.Sprint("a", i)), "test"); err != nil {
			t.Fatal(err)
		}
	}
	if h = w.service.Health()[0]; h.Others != 5 || h.Used != 6 || h.Seats() != 5 {
		t.Errorf("health %+v, want 5 others and 6 used", h)
	}
	// The one that is left ends as another process takes a seat: the host says the
	// same number again, and it means something else.
	w.tell(10, 6)
	for i := range 3 {
		_ = w.service.Release(t.Context(), recorder.CallID(fmt.Sprint("b", i)), "test") // two have none
	}
	if h = w.service.Health()[0]; h.Others != 5 || h.Used != 5 {
		t.Errorf("health %+v, want 5 others and no more", h)
	}
	w.hosts[0].tell()
	eventually(t, "what the host says again", func() bool { return w.service.Health()[0].Others == 6 })
}

// TestSeatOfUnstopped: the seat of a session that could not be stopped is taken
// until it is.
func TestSeatOfUnstopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.tell(10, 0)
	if refused := w.place("a", 1); len(refused) > 0 {
		t.Fatal(refused)
	}
	w.hosts[0].stop()
	eventually(t, "the cut", func() bool { return !w.service.Health()[0].Up })
	_ = w.service.Release(t.Context(), "a0", "test") // can't get through
	if h := w.service.Health()[0]; h.Used != 1 || h.Ours != 0 || h.Seats() != 0 {
		t.Errorf("health %+v, want one seat that is taken", h)
	}
	w.hosts[0].start()
	eventually(t, "the seat", func() bool { return w.service.Health()[0].Used == 0 })
}
