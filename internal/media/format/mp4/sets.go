package mp4

import (
	"bytes"
	"errors"
)

const (
	// maxSet is how large a parameter set may be to be understood, in bytes. It
	// bounds the memory of the sets at 1.2 MiB; real ones have some 10 to 100 bytes.
	maxSet = 4 << 10
	// maxEntry bounds the parameter sets of a sample entry, in bytes.
	maxEntry = 64 << 10
)

// A set is a parameter set as it came.
type set struct {
	unit   []byte // nil: none of this ID came yet
	parsed SPS    // of a sequence parameter set
	sps    int    // of a picture parameter set: what it rests on
	turn   uint64 // of the last frame that carried it
	entry  bool   // the sample entry holds the same bytes
}

// sets are the parameter sets that are in force, by their IDs.
type sets struct {
	sps [maxSPS + 1]set
	pps [maxPPS + 1]set
}

// learn takes over a parameter set that came with a frame. It returns the set if
// it differs from the one of its ID before it, else nil.
func (s *sets) learn(unit []byte, turn uint64) (changed *set, err error) {
	if len(unit) > maxSet {
		return nil, errors.New("a parameter set of more than 4 KiB")
	}
	var to *set
	var parsed SPS
	var rests int
	if unit[0]&0x1f == nalSPS {
		if parsed, err = ParseSPS(unit); err != nil {
			return nil, err
		}
		to = &s.sps[parsed.ID]
	} else {
		var id int
		if id, rests, err = parsePPS(unit); err != nil {
			return nil, err
		}
		to = &s.pps[id]
	}
	to.turn = turn
	if bytes.Equal(to.unit, unit) {
		return nil, nil
	}
	*to = set{unit: bytes.Clone(unit), parsed: parsed, sps: rests, turn: turn}
	return to, nil
}

// needed returns the sets that a slice rests on; ok is false where they never came.
func (s *sets) needed(slice []byte) (sps, pps *set, ok bool) {
	id, err := parseSlice(slice)
	if err != nil {
		return nil, nil, false
	}
	pps = &s.pps[id]
	if pps.unit == nil {
		return nil, nil, false
	}
	sps = &s.sps[pps.sps]
	return sps, pps, sps.unit != nil
}

// entry returns the sets that a sample entry is to hold, and notes that it holds
// them: all that are in force, as far as they fit, those of the key frame first.
func (s *sets) entry(sps, pps *set) (spss, ppss [][]byte) {
	size := 0
	take := func(to [][]byte, most int, of *set) [][]byte {
		if of.unit == nil || of.entry || len(to) == most || size+len(of.unit) > maxEntry {
			return to
		}
		size += len(of.unit)
		of.entry = true
		return append(to, of.unit)
	}
	// AVCDecoderConfigurationRecord counts in 5 and 8 bits.
	spss, ppss = take(nil, maxSPS, sps), take(nil, maxPPS, pps)
	for i := range s.sps {
		spss = take(spss, maxSPS, &s.sps[i])
	}
	for i := range s.pps {
		ppss = take(ppss, maxPPS, &s.pps[i])
	}
	return spss, ppss
}
