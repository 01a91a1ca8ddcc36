package link

import "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"

// MaxVideo is how many cameras a session can receive at a time: the platform has
// ten video sockets for each call (mediahost.md, Limits).
const MaxVideo = 10

// Sockets are what a session is made with.
type Sockets struct {
	Audio  AudioMode
	Video  int // cameras at a time, 0 to MaxVideo
	Screen bool
}

// Subscribe asks for a source's video on a socket, of so many lines at most;
// Owner.Subscribed tells what came of it. It reports false where the session is not
// attached: then nothing is asked, nor later. What was asked in one attachment is asked
// again by the owner in the next.
func (s *Session) Subscribe(socket uint8, source, height uint32) bool {
	return s.say(&mediahostv1.ToHost{Message: &mediahostv1.ToHost_Subscribe{Subscribe: &mediahostv1.Subscribe{
		Socket: uint32(socket), SourceId: source, Height: height,
	}}})
}

// Unsubscribe frees a socket. It reports false where the session is not attached.
func (s *Session) Unsubscribe(socket uint8) bool {
	return s.say(&mediahostv1.ToHost{Message: &mediahostv1.ToHost_Unsubscribe{Unsubscribe: &mediahostv1.Unsubscribe{
		Socket: uint32(socket),
	}}})
}

// RequestKeyFrame asks for a frame that can be decoded without those before it. It
// reports false where the session is not attached.
func (s *Session) RequestKeyFrame(socket uint8) bool {
	return s.say(&mediahostv1.ToHost{Message: &mediahostv1.ToHost_RequestKeyFrame{RequestKeyFrame: &mediahostv1.RequestKeyFrame{
		Socket: uint32(socket),
	}}})
}

// say sends a message about video under the session's handle, if it has one.
func (s *Session) say(m *mediahostv1.ToHost) bool {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if s.over || !s.attached {
		return false
	}
	switch m := m.GetMessage().(type) {
	case *mediahostv1.ToHost_Subscribe:
		m.Subscribe.Handle = s.handle
	case *mediahostv1.ToHost_Unsubscribe:
		m.Unsubscribe.Handle = s.handle
	case *mediahostv1.ToHost_RequestKeyFrame:
		m.RequestKeyFrame.Handle = s.handle
	}
	s.link.send(m)
	return true
}

// hearVideo tells the owner what a host says of a session's video sockets.
func (l *Link) hearVideo(m *mediahostv1.FromHost) {
	if r := m.GetReceiveStatus(); r != nil {
		l.about(r.GetHandle(), func(s *Session) {
			if r.GetSocket() > MaxVideo {
				l.opts.Handler.Broken(FaultUnknownSocket)
				return
			}
			s.owner.ReceiveStatus(uint8(r.GetSocket()), r.GetScreen(), r.GetActive()) //nolint:gosec // G115: at most MaxVideo
		})
		return
	}
	r := m.GetSubscribeResult()
	l.about(r.GetHandle(), func(s *Session) {
		if r.GetSocket() > MaxVideo {
			l.opts.Handler.Broken(FaultUnknownSocket)
			return
		}
		s.owner.Subscribed(uint8(r.GetSocket()), r.GetSourceId(), short(r.GetError())) //nolint:gosec // G115: at most MaxVideo
	})
}
