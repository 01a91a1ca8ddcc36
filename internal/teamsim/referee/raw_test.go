package referee

import "testing"

// TestRaw: a stream that nobody can show is kept as it came, and said to be that; one with
// a key frame is none, nor one of which not all is said to be so.
func TestRaw(t *testing.T) {
	t.Parallel()
	slice, key := accessUnit{slices: [][]byte{{0x41, 1}}}, accessUnit{slices: [][]byte{{0x65, 1}}}
	of := func(units ...accessUnit) *film {
		f := &film{}
		for _, u := range units {
			f.pictures = append(f.pictures, storedPicture{accessUnit: u})
		}
		return f
	}
	for name, c := range map[string]struct {
		f    *film
		tr   track
		want bool
	}{
		"raw":             {of(slice, slice), track{File: "video-1.h264", Frames: 2, Undecodable: 2}, true},
		"with a key":      {of(slice, key), track{File: "video-1.h264", Frames: 2, Undecodable: 2}, false},
		"one can be seen": {of(slice, slice), track{File: "video-1.h264", Frames: 2, Undecodable: 1}, false},
		"not all is kept": {of(slice), track{File: "video-1.h264", Frames: 2, Undecodable: 2}, false},
		"a movie":         {of(slice, slice), track{File: "video-1.mp4", Frames: 2, Undecodable: 2}, false},
	} {
		if got := c.f.raw(c.tr); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
