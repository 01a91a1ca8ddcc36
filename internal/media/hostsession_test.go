package media

import (
	"github.com/recorderbot/recorderbot/internal/media/frame"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// A testSession is the host's side of a session; its host's mu guards it.
type testSession struct {
	host          *testHost
	id            string
	link          *testLink
	handle        uint32
	lease         uint64
	next, acked   uint64
	open          bool
	opens, pauses int
	ring          []frame.Frame
	ackMsgs       int
	made          *pb.CreateSessionRequest
	asked         []string // of its video sockets
}

func (s *testSession) sendPacked(packed []byte) {
	const size = frame.HeaderBytes + frame.AudioBytes
	for len(packed) > 0 {
		n := min(len(packed), frame.MaxMessage/size*size)
		s.link.send(&pb.FromHost{Message: &pb.FromHost_Frames{Frames: &pb.Frames{Packed: packed[:n]}}})
		packed = packed[n:]
	}
}

// capture lets the platform deliver n frames. Where the session is not open they
// are dropped at the source.
func (s *testSession) capture(n int) {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	if !s.open {
		return
	}
	var packed []byte
	for range n {
		f := audio(s.next)
		s.next++
		s.ring = append(s.ring, f)
		packed = frame.AppendPacked(packed, s.handle, f)
	}
	if most := s.host.ringMost; most > 0 && len(s.ring) > most {
		s.ring = s.ring[len(s.ring)-most:]
	}
	if s.link != nil {
		s.sendPacked(packed)
	}
}

// raw sends frames as they are, under this session's handle.
func (s *testSession) raw(fs ...frame.Frame) {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	var packed []byte
	for _, f := range fs {
		packed = frame.AppendPacked(packed, s.handle, f)
	}
	s.link.send(&pb.FromHost{Message: &pb.FromHost_Frames{Frames: &pb.Frames{Packed: packed}}})
}

// say sends any message.
func (s *testSession) say(m *pb.FromHost) {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	s.link.send(m)
}

// skip lets n numbers pass.
func (s *testSession) skip(n uint64) {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	s.next += n
}

func (s *testSession) state() testSession {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	return *s
}
