package media

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
)

// Streams are what of a call is recorded. The zero value is its mixed audio.
type Streams struct {
	Unmixed bool   `json:"unmixed,omitempty"` // each speaker apart, four at a time
	Cameras int    `json:"cameras,omitempty"` // at a time, link.MaxVideo at most
	Screen  bool   `json:"screen,omitempty"`  // what somebody shares
	Height  uint32 `json:"height,omitempty"`  // lines of a camera or screen, at most
}

// heights are what the platform can be asked for (mediahost.proto, Subscribe).
func heights() []uint32 { return []uint32{180, 240, 360, 540, 720, 1080} }

// check says what is wrong with streams.
func (t Streams) check() error {
	switch {
	case t.Cameras < 0 || t.Cameras > link.MaxVideo:
		return fmt.Errorf("media: %d cameras at a time; the platform has %d sockets at most", t.Cameras, link.MaxVideo)
	case (t.Cameras > 0 || t.Screen) && !slices.Contains(heights(), t.Height):
		return fmt.Errorf("media: video of %d lines; the platform has 180, 240, 360, 540, 720 and 1080", t.Height)
	}
	return nil
}

// audio is the kind of the audio frames.
func (t Streams) audio() frame.Kind {
	if t.Unmixed {
		return frame.UnmixedAudio
	}
	return frame.MixedAudio
}

// mode is the audio as the spool's records and manifests spell it.
func (t Streams) mode() string {
	if t.Unmixed {
		return "unmixed"
	}
	return "mixed"
}

func (t Streams) sockets() link.Sockets {
	s := link.Sockets{Video: t.Cameras, Screen: t.Screen}
	if t.Unmixed {
		s.Audio = link.Unmixed
	}
	return s
}

// modalities are the sockets in the words of Graph's answer (Graph, call: answer).
func (t Streams) modalities() []string {
	m := []string{"audio"}
	if t.Cameras > 0 {
		m = append(m, "video")
	}
	if t.Screen {
		m = append(m, "videoBasedScreenSharing")
	}
	return m
}

// has reports whether frames of the kind may come.
func (t Streams) has(k frame.Kind) bool {
	switch k {
	case frame.MixedAudio:
		return !t.Unmixed
	case frame.UnmixedAudio:
		return t.Unmixed
	case frame.Video:
		return t.Cameras > 0
	case frame.Screen:
		return t.Screen
	}
	return false
}

// alone reports that all numbers are those of one stream of audio that always flows:
// then a missing number is 20 ms of it.
func (t Streams) alone() bool { return !t.Unmixed && t.Cameras == 0 && !t.Screen }

// most is how many frames the platform can deliver in the time of one frame of audio,
// all streams together: of video two, which is more than any camera sends.
func (t Streams) most() uint64 {
	n := uint64(1)
	if t.Unmixed {
		n = unmixedStreams
	}
	n += 2 * uint64(t.Cameras) //nolint:gosec // G115: checked
	if t.Screen {
		n += 2
	}
	return n
}

// unclaimed is the kind of a gap of which only numbers are known: where there are
// several streams nobody can tell whose they were, and the clock decides.
func (t Streams) unclaimed() frame.Kind {
	if t.alone() {
		return frame.MixedAudio
	}
	return 0
}

// streamsOf are the streams of a call by the policy that invited us.
func (s *Service) streamsOf(policy string) Streams {
	if t, ok := s.opts.Policies[policy]; ok {
		return t
	}
	return s.opts.Streams
}

// told are the streams as a Session keeps them for whoever takes it over.
func (t Streams) told() string {
	data, err := json.Marshal(t)
	if err != nil {
		return "" // three numbers and a flag always marshal
	}
	return string(data)
}

// streamsFrom reads told. What an older version has left says nothing, and was made by
// what is configured for all.
func (s *Service) streamsFrom(told string) Streams {
	var t Streams
	if told == "" || json.Unmarshal([]byte(told), &t) != nil || t.check() != nil {
		return s.opts.Streams
	}
	return t
}
