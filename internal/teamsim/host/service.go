package host

import (
	"context"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// defaultTTL where CreateSession names none.
const defaultTTL = time.Minute

// GetInfo tells who the host is and how it is.
func (h *Host) GetInfo(context.Context, *pb.GetInfoRequest) (*pb.HostInfo, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.info(), nil
}

// CreateSession makes the sockets of one call, or refuses as the scenario wants.
func (h *Host) CreateSession(ctx context.Context, m *pb.CreateSessionRequest) (*pb.CreateSessionResponse, error) {
	response, hang, err := h.create(m)
	if hang {
		select {
		case <-ctx.Done():
		case <-h.stopped.Done():
		}
	}
	return response, err
}

func (h *Host) create(m *pb.CreateSessionRequest) (r *pb.CreateSessionResponse, hang bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := m.GetSessionId()
	defer func() {
		if err != nil {
			h.trace(trace.Event{Kind: trace.SessionRefused, Session: id, Detail: err.Error()})
		}
	}()
	switch {
	case id == "" || len(id) > 128:
		return nil, false, status.Error(codes.InvalidArgument, "session_id must have 1 to 128 characters")
	case m.GetAudio() != pb.AudioMode_AUDIO_MODE_MIXED && m.GetAudio() != pb.AudioMode_AUDIO_MODE_UNMIXED:
		return nil, false, status.Error(codes.InvalidArgument, "audio must be mixed or unmixed")
	case m.GetVideoSockets() > 10:
		return nil, false, status.Error(codes.InvalidArgument, "video_sockets must be 0 to 10")
	}
	if s := h.sessions[id]; s != nil {
		return &pb.CreateSessionResponse{Blob: s.rec.Blob, Epoch: s.rec.Epoch}, false, nil
	}
	if hang, err := h.refusal(); err != nil {
		return nil, hang, err
	}
	ttl := time.Duration(m.GetUnattachedTtlMs()) * time.Millisecond
	if ttl == 0 {
		ttl = defaultTTL
	}
	blob := Blob{Host: h.opt.ID, Epoch: h.epochName(), Session: id}.String()
	s := newSession(SessionRecord{
		Session: id, Host: h.opt.ID, Epoch: h.epochName(), Blob: blob,
		Audio: h.opt.Audio(id), Unmixed: m.GetAudio() == pb.AudioMode_AUDIO_MODE_UNMIXED, Created: time.Now(),
	}, ttl, h.opt.Faults)
	if s.scene = newScene(m); s.scene == nil {
		s.rec.Streams = []StreamRecord{{Stream: mixed(), Audio: s.rec.Audio}}
	}
	s.outside, s.detached = h.opt.Outside, h.clock.wall()
	h.sessions[id] = s
	h.order = append(h.order, s)
	h.traceSession(s, trace.Event{Kind: trace.SessionCreated})
	return &pb.CreateSessionResponse{Blob: blob, Epoch: s.rec.Epoch}, false, nil
}

// refusal is the error for a new session; nil where it may be made.
func (h *Host) refusal() (hang bool, err error) {
	now := h.clock.wall()
	switch {
	case h.state.draining:
		return false, status.Error(codes.Unavailable, "draining")
	case h.state.refuse.has(now):
		switch h.state.refuseReason {
		case "unavailable":
			return false, status.Error(codes.Unavailable, "refused by the scenario")
		case "hang":
			return true, status.Error(codes.DeadlineExceeded, "hung by the scenario")
		default:
			return false, status.Error(codes.ResourceExhausted, "refused by the scenario")
		}
	case h.state.overload.has(now):
		return false, status.Error(codes.ResourceExhausted, "overloaded")
	case len(h.sessions) >= int(h.opt.Capacity):
		return false, status.Error(codes.ResourceExhausted, "at capacity")
	default:
		return false, nil
	}
}

// StopSession disposes of a session; one that is not there is no error.
func (h *Host) StopSession(_ context.Context, m *pb.StopSessionRequest) (*pb.StopSessionResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.sessions[m.GetSessionId()]; s != nil {
		h.capture(s)
		if s.link != nil {
			s.link.ctrl = append(s.link.ctrl, closedMessage(s.handle, pb.SessionClosed_REASON_STOPPED, m.GetReason()))
			s.link.nudge()
		}
		h.dispose(s, "stopped")
	}
	return &pb.StopSessionResponse{}, nil
}

// close ends a session from the host's side: what was captured goes out first.
func (h *Host) close(s *session, reason pb.SessionClosed_Reason, detail string) {
	h.shut(s, time.Now())
	s.failed, s.closing = true, true
	if s.link == nil {
		h.dispose(s, "platform")
		return
	}
	s.say(func(handle uint32) *pb.FromHost { return closedMessage(handle, reason, detail) },
		func() { h.dispose(s, "platform") })
}

// dispose forgets a session, but for its record.
func (h *Host) dispose(s *session, why string) {
	if !s.rec.Closed.IsZero() {
		return
	}
	h.shut(s, time.Now())
	s.rec.Closed, s.rec.ClosedFor = time.Now(), why
	s.closing = false
	h.unlink(s, why == "stopped")
	delete(h.sessions, s.rec.Session)
	h.order = slices.DeleteFunc(h.order, func(o *session) bool { return o == s })
	h.past = append(h.past, s)
	h.traceSession(s, trace.Event{Kind: trace.SessionClosed, At: s.rec.Closed, Detail: why})
}

func (h *Host) epochName() string { return h.opt.ID + "/" + strconv.Itoa(h.epoch) }

func (h *Host) info() *pb.HostInfo {
	health := pb.Health_HEALTH_NORMAL
	if h.state.overload.has(h.clock.wall()) {
		health = pb.Health_HEALTH_OVERLOADED
	}
	return &pb.HostInfo{
		HostId: h.opt.ID, Epoch: h.epochName(), Region: h.opt.Region, PublicEndpoint: h.opt.Endpoint,
		SdkVersion: h.opt.SDKVersion, SdkReleased: Ticks(h.opt.SDKReleased),
		CertificateNotAfter: Ticks(h.opt.CertificateNotAfter),
		Health:              health, Draining: h.state.draining,
		Sessions: uint32(len(h.sessions)), //nolint:gosec // bounded by Capacity
		Capacity: h.opt.Capacity,
	}
}

// tellInfo tells all links how the host is.
func (h *Host) tellInfo() {
	h.infoSent = h.clock.wall()
	h.healthSent = h.info().GetHealth()
	for l := range h.links {
		l.ctrl = append(l.ctrl, infoMessage(h.info()))
	}
	h.wake()
}

func infoMessage(info *pb.HostInfo) *pb.FromHost {
	return &pb.FromHost{Message: &pb.FromHost_Info{Info: info}}
}

func closedMessage(handle uint32, reason pb.SessionClosed_Reason, detail string) *pb.FromHost {
	return &pb.FromHost{Message: &pb.FromHost_SessionClosed{SessionClosed: &pb.SessionClosed{
		Handle: handle, Reason: reason, Detail: detail,
	}}}
}
