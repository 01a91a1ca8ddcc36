package link

import "sync/atomic"

// maxSessions bounds the sessions of one link. A host holds some hundreds.
const (
	slotBits    = 14
	maxSessions = 1 << slotBits
	slotMask    = maxSessions - 1
)

// An attachment binds a handle to a session. It never changes.
type attachment struct {
	handle  uint32
	session *Session
	owner   Owner // the session's, so that a frame need not look there
}

// A table gives out handles and finds their sessions. find takes no lock; the
// rest is guarded by Link.mu.
//
// A handle is a slot and a generation. A slot that was given back goes to the
// end of the queue and comes out with the next generation, so that frames of
// its last session, still under way, find nobody.
type table struct {
	slots [maxSessions]atomic.Pointer[attachment]
	gens  [maxSessions]uint32
	free  []uint32 // slots given back, oldest first
	fresh uint32   // slots from here on were never used
}

func (t *table) find(handle uint32) *Session {
	a := t.slots[handle&slotMask].Load()
	if a == nil || a.handle != handle {
		return nil
	}
	return a.session
}

// owner returns the owner of a handle's session, nil for none.
func (t *table) owner(handle uint32) Owner {
	a := t.slots[handle&slotMask].Load()
	if a == nil || a.handle != handle {
		return nil
	}
	return a.owner
}

// bind gives a session a handle; 0 where there is none left.
func (t *table) bind(s *Session) uint32 {
	var slot uint32
	switch {
	case t.fresh < maxSessions:
		slot = t.fresh
		t.fresh++
	case len(t.free) > 0:
		slot, t.free = t.free[0], t.free[1:]
	default:
		return 0
	}
	t.gens[slot]++
	if t.gens[slot] > 1<<(32-slotBits)-1 {
		t.gens[slot] = 1 // after 2^32 attachments
	}
	a := &attachment{t.gens[slot]<<slotBits | slot, s, s.owner}
	t.slots[slot].Store(a)
	return a.handle
}

func (t *table) unbind(handle uint32) {
	slot := handle & slotMask
	if a := t.slots[slot].Load(); a != nil && a.handle == handle {
		t.slots[slot].Store(nil)
		t.free = append(t.free, slot)
	}
}

// given reports whether a handle was ever given out, as far as its slot knows.
func (t *table) given(handle uint32) bool {
	gen := handle >> slotBits
	return gen > 0 && gen <= t.gens[handle&slotMask]
}
