package host

import (
	"sync"
	"time"
)

// A Room is one conversation that several sessions hear, also on several hosts: at a
// media time each hears what the others hear then, to the sample. Position 0 of all of
// them is when the first one connected. It is safe for concurrent use.
type Room struct {
	mu    sync.Mutex
	start int64 // in ticks; 0: nobody has come
	began time.Time
	audio *Audio
}

// Began is when the first one came; zero: nobody has.
func (r *Room) Began() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.began
}

// come lets a session in whose host's clock shows so many ticks: it says when the
// conversation began and what is heard in it. audio is what the first one brings.
func (r *Room) come(ticks int64, audio *Audio) (start int64, heard *Audio) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.audio == nil {
		r.start, r.began, r.audio = ticks, time.Now(), audio
	}
	return r.start, r.audio
}

// begin sets a session's media going, at Connect. In a room it comes in with the next
// frame of the conversation.
func (h *Host) begin(s *session) {
	ticks := h.clock.ticks()
	s.rec.MediaStart, s.start = ticks, h.clock.media()
	if s.cast == nil || s.cast.Room == nil {
		return
	}
	start, audio := s.cast.Room.come(ticks, s.rec.Audio)
	s.rec.MediaStart, s.rec.Audio = start+int64(s.cast.Ahead/100), audio
	for i := range s.rec.Streams { // of mixed audio alone: no other was met yet
		s.rec.Streams[i].Audio = audio
	}
	late := max(0, ticks-start)
	s.frame = (late + TicksPerFrame - 1) / TicksPerFrame
	s.start -= ticksLong(late)
}
