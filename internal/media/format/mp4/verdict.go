package mp4

// A Verdict says what became of a frame.
type Verdict uint8

// The verdicts.
const (
	// Written: the frame is a sample of the file (once its fragment is out), and a
	// player can show it.
	Written Verdict = iota + 1
	// Damaged: the frame is a sample of the file, marked as damaged: what it refers
	// to is missing, so a player shows it with artifacts or not at all.
	Damaged
	// Held: the bytes hold no picture, only units that belong to one, such as
	// parameter sets. They will stand in front of the next stored frame's, in its
	// sample. (Before the first stored frame they go with an undecodable one.)
	Held
	// Undecodable: the frame is not in the file. Result.Fault says why. Who must
	// lose nothing silently records it as missing.
	Undecodable
)

// String returns the verdict's name.
func (v Verdict) String() string {
	switch v {
	case Written:
		return "written"
	case Damaged:
		return "damaged"
	case Held:
		return "held"
	case Undecodable:
		return "undecodable"
	}
	return "unknown"
}

// Stored reports whether the frame is a sample of the file.
func (v Verdict) Stored() bool { return v == Written || v == Damaged }

// A Fault says why a frame can't be shown. The words are a closed set, fit for a
// metric's label.
type Fault string

// The faults.
const (
	NoFault       Fault = ""
	NoKeyFrame    Fault = "noKeyFrame"    // no key frame came before it
	NoSets        Fault = "noSets"        // the parameter sets that it rests on never came, or can't be read
	LostSets      Fault = "lostSets"      // frames before it are missing, and perhaps the parameter sets that it rests on
	NotAnnexB     Fault = "notAnnexB"     // the bytes are no Annex B byte stream
	TooLarge      Fault = "tooLarge"      // more than [MaxFrame] bytes or 16,384 units
	NoPicture     Fault = "noPicture"     // no picture, and no room to hold its units
	Discontinuous Fault = "discontinuous" // frames that it refers to are missing: see [Writer.Discontinuity]
)

// A Result says what became of a frame.
type Result struct {
	Verdict Verdict
	Fault   Fault // why it is Damaged or Undecodable
	// Key reports whether the frame is an IDR picture (a NAL unit of type 5).
	Key bool
	// Resized reports whether the pictures have another size from this frame on.
	Resized bool
	// Width and Height are the size of the picture, in pixels, by the parameter sets
	// in force; 0 where it can't be known.
	Width, Height int
	// KeyWrong and SizeWrong report that the caller's word on the frame differs from
	// its bytes, which win.
	KeyWrong, SizeWrong bool
	// SetsUnread reports that the frame brought a parameter set that can't be read.
	// It is in the file all the same if the frame is.
	SetsUnread bool
	// Moved is by how much the frame's time was moved forwards, in ticks, because it
	// was not after that of the frame before.
	Moved int64
}

// A Span counts frames.
type Span struct {
	Frames, Bytes int64 // bytes as they came
	// First and Last are the times of the first and the last of them, as they came.
	First, Last int64
}

// add counts one more frame.
func (s *Span) add(f Frame) {
	if s.Frames == 0 {
		s.First = f.Time
	}
	s.Frames++
	s.Bytes += int64(len(f.Data))
	s.Last = f.Time
}

// Stats are what became of all frames: each is in Written, Damaged, Held or
// Undecodable.
type Stats struct {
	Written, Damaged, Held, Undecodable Span
	// Zero is the caller's time at which the file's timeline is 0: a frame's time is
	// Zero and its time in the file. It is valid once a frame is stored.
	Zero int64
	// Length is how long the file is, in ticks: from Zero to the end of its last
	// sample. Before Close it ends with the last frame's begin.
	Length        int64
	Keys          int64 // key frames among the stored
	Width, Height int   // of the first picture, in pixels
	Resized       int64 // how often the size changed
	// Moved counts the stored frames whose time was moved, MovedMost is the farthest
	// of the moves, in ticks.
	Moved, MovedMost    int64
	KeyWrong, SizeWrong int64 // frames of which the caller's word was wrong
	SetsUnread          int64 // frames with parameter sets that can't be read
	// Unplaced are the bytes of held units that are not in the file, for no frame
	// followed that they could be stored with.
	Unplaced  int64
	Fragments int64
	Bytes     int64 // size of the file
}

// add counts a frame.
func (s *Stats) add(f Frame, r *Result) {
	switch r.Verdict {
	case Written:
		s.Written.add(f)
	case Damaged:
		s.Damaged.add(f)
	case Held:
		s.Held.add(f)
	case Undecodable:
		s.Undecodable.add(f)
	}
	s.Keys += count(r.Key && r.Verdict.Stored())
	s.Resized += count(r.Resized)
	s.Moved += count(r.Moved > 0)
	s.MovedMost = max(s.MovedMost, r.Moved)
	s.KeyWrong += count(r.KeyWrong)
	s.SizeWrong += count(r.SizeWrong)
	s.SetsUnread += count(r.SetsUnread)
}

func count(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
