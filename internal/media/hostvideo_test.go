package media

import (
	"fmt"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// hearVideo notes what is asked of a session's video sockets, as words. Under mu.
func (h *testHost) hearVideo(l *testLink, m *pb.ToHost) bool {
	var handle uint32
	var asked string
	switch m := m.GetMessage().(type) {
	case *pb.ToHost_Subscribe:
		handle, asked = m.Subscribe.GetHandle(), fmt.Sprintf("subscribe %d to %d, %d lines", m.Subscribe.GetSocket(), m.Subscribe.GetSourceId(), m.Subscribe.GetHeight())
	case *pb.ToHost_Unsubscribe:
		handle, asked = m.Unsubscribe.GetHandle(), fmt.Sprintf("unsubscribe %d", m.Unsubscribe.GetSocket())
	case *pb.ToHost_RequestKeyFrame:
		handle, asked = m.RequestKeyFrame.GetHandle(), fmt.Sprintf("key frame %d", m.RequestKeyFrame.GetSocket())
	default:
		return false
	}
	if s := h.byHandle(l, handle); s != nil {
		s.asked = append(s.asked, asked)
	}
	return true
}
