package graph

import (
	"sync"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// refusalMemory is longer than a call asks for consent, and shorter than it
// takes a token to age.
const refusalMemory = time.Minute

// refusals remembers whose announcement was turned away for its token. The
// first time another token may do, so the recorder asks again; the second time,
// by then with another token, it is the application that is not let in. It is
// the call that is remembered, not the token: others of the tenant drop and
// renew the token meanwhile, and theirs may be taken where this call's is not.
type refusals struct {
	mu sync.Mutex // guards at
	at map[recorder.CallID]time.Time
}

// first notes a refusal, and reports whether it is the call's first.
func (r *refusals) first(call recorder.CallID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, at := range r.at {
		if now.Sub(at) > refusalMemory {
			delete(r.at, id)
		}
	}
	_, again := r.at[call]
	if r.at == nil {
		r.at = make(map[recorder.CallID]time.Time)
	}
	r.at[call] = now
	return !again
}

// forget makes the call's next refusal its first: a token was taken.
func (r *refusals) forget(call recorder.CallID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.at, call)
}
