package footage

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed *.h264
var files embed.FS

// The clips, by name.
const (
	Camera = "camera" // bars and a moving wedge; 180 and 360 lines
	Second = "second" // another camera's picture; 180 and 360 lines
	Sync   = "sync"   // a flash each second; 180 and 360 lines
	Slides = "slides" // a presentation, one picture of more than 64 KiB; 720 lines
)

// SyncRate is how many pictures of the clip Sync make a second, which is one of its
// groups. The first begins with the flash, the second has none.
const SyncRate = 15

// A Unit is one access unit: one picture, with its parameter sets where it is a key
// frame.
type Unit struct {
	Data []byte // Annex B; not to be changed
	Key  bool   // IDR, with SPS and PPS before it
}

// A Clip is a loop of pictures of one size. It is immutable.
type Clip struct {
	Name          string
	Width, Height uint16
	Rate          int64  // pictures a second, on average
	Units         []Unit // the first is a key frame
}

// NextKey is the index of the first key frame at or behind unit i, beyond the end of
// the loop at its beginning.
func (c *Clip) NextKey(i int) int {
	for n := range c.Units {
		if k := (i + n) % len(c.Units); c.Units[k].Key {
			return k
		}
	}
	return 0 // the first is one
}

// clips are read once.
var clips = sync.OnceValues(load) //nolint:gochecknoglobals // what is embedded does not change

// Names lists the clips.
func Names() []string { return []string{Camera, Second, Sync, Slides} }

// Find returns the clip in the size nearest to so many lines: the largest that has
// no more, or else the smallest.
func Find(name string, lines int) (*Clip, error) {
	all, err := clips()
	if err != nil {
		return nil, err
	}
	var found *Clip
	for _, c := range all { // by height
		if c.Name == name && (found == nil || int(c.Height) <= lines) {
			found = c
		}
	}
	if found == nil {
		return nil, fmt.Errorf("there is no clip %q, only %s", name, strings.Join(Names(), ", "))
	}
	return found, nil
}

// load reads all clips, ordered by height.
func load() ([]*Clip, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("footage: %w", err)
	}
	var all []*Clip
	for _, e := range entries {
		name, size, ok := strings.Cut(strings.TrimSuffix(e.Name(), path.Ext(e.Name())), "-")
		height, err := strconv.ParseUint(size, 10, 16)
		data, readErr := files.ReadFile(e.Name())
		if !ok || err != nil || readErr != nil {
			return nil, fmt.Errorf("footage: %s is not <name>-<height>.h264: %w, %w", e.Name(), err, readErr)
		}
		c := &Clip{Name: name, Width: uint16(height * 16 / 9), Height: uint16(height), Rate: rate(name), Units: split(data)} //nolint:gosec // at most 720
		if len(c.Units) == 0 || !c.Units[0].Key {
			return nil, fmt.Errorf("footage: %s does not begin with a key frame", e.Name())
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b *Clip) int { return int(a.Height) - int(b.Height) })
	return all, nil
}

func rate(name string) int64 {
	switch name {
	case Sync:
		return SyncRate
	case Slides:
		return 10
	}
	return 20
}

// The NAL units of a clip (ITU-T H.264, table 7-1).
const (
	nalSlice = 1
	nalIDR   = 5
)

// split parts a stream into its access units. Each has one slice, and ends with it.
func split(stream []byte) []Unit {
	var units []Unit
	start := 0
	for at := 0; at < len(stream); {
		nal, next := nextNAL(stream, at)
		switch stream[nal] & 0x1f {
		case nalSlice, nalIDR:
			units = append(units, Unit{Data: stream[start:next:next], Key: stream[nal]&0x1f == nalIDR})
			start = next
		}
		at = next
	}
	return units
}

// nextNAL finds the first byte of the NAL unit whose start code is at or behind at,
// and where the start code of the one behind it is.
func nextNAL(b []byte, at int) (nal, next int) {
	code := []byte{0, 0, 1}
	i := bytes.Index(b[at:], code)
	if i < 0 {
		return len(b) - 1, len(b)
	}
	nal = at + i + len(code)
	if i = bytes.Index(b[nal:], code); i < 0 {
		return nal, len(b)
	}
	next = nal + i
	if b[next-1] == 0 { // a start code of four bytes
		next--
	}
	return nal, next
}
