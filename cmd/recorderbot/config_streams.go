package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/recorderbot/recorderbot/internal/media"
	"github.com/recorderbot/recorderbot/internal/media/link"
)

// streams checks what is recorded of calls, of all or by one policy.
func (c *configCheck) streams(key string, t StreamsConfig) {
	if t.Audio != "" {
		c.oneOf(key+".audio", t.Audio, "mixed", "unmixed")
	}
	if t.Video != "" {
		c.oneOf(key+".video", t.Video, "none", "180p", "240p", "360p", "540p", "720p", "1080p")
	}
	if t.Cameras < 0 || t.Cameras > link.MaxVideo {
		c.fault(key+".cameras", fmt.Sprintf("%d is not between 0 and %d", t.Cameras, link.MaxVideo), fmt.Sprintf("write how many cameras to record at a time, %d at most, or remove the key", link.MaxVideo))
	}
	if t.Cameras > 0 && (t.Video == "" || t.Video == "none") {
		c.fault(key+".cameras", "has no effect where "+key+".video is none", "write a resolution there, such as 720p, or remove the key")
	}
}

// streams are the media side's words for it; a policy leaves out what is as for all.
func (t StreamsConfig) streams() media.Streams {
	s := media.Streams{Unmixed: t.Audio == "unmixed", Screen: t.ScreenShare}
	if lines, ok := strings.CutSuffix(t.Video, "p"); ok {
		height, _ := strconv.ParseUint(lines, 10, 32) // checked
		s.Height, s.Cameras = uint32(height), link.MaxVideo
	}
	if t.Cameras > 0 {
		s.Cameras = t.Cameras
	}
	if s.Screen && s.Height == 0 {
		s.Height = screenLines
	}
	return s
}

// policies are the streams of calls by the policies that want others.
func (c *Config) policies() map[string]media.Streams {
	all := make(map[string]media.Streams, len(c.Recording.Policies))
	for policy := range c.Recording.Policies {
		all[policy] = c.Recording.policy(policy).streams()
	}
	return all
}

// policy is what is configured for a policy. What it leaves out is as for all, but for
// the shared screen, which it must name.
func (r RecordingConfig) policy(name string) StreamsConfig {
	t := r.Policies[name]
	t.Audio, t.Video = cmp.Or(t.Audio, r.Audio), cmp.Or(t.Video, r.Video)
	return t
}

// screenLines are those of a shared screen where no resolution is configured: text must
// be legible.
const screenLines = 1080
