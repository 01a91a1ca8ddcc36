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
	id     int
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
// it differs from the one of its ID before it, else nil; and whether there was one.
func (s *sets) learn(unit []byte, turn uint64) (changed *set, replaced bool, err error) {
	if len(unit) > maxSet {
		return nil, false, errors.New("a parameter set of more than 4 KiB")
	}
	var to *set
	var parsed SPS
	var id, rests int
	if unit[0]&0x1f == nalSPS {
		if parsed, err = ParseSPS(unit); err != nil {
			return nil, false, err
		}
		id = parsed.ID
		to = &s.sps[id]
	} else {
		if id, rests, err = parsePPS(unit); err != nil {
			return nil, false, err
		}
		to = &s.pps[id]
	}
	to.turn = turn
	if bytes.Equal(to.unit, unit) {
		return nil, false, nil
	}
	replaced = to.unit != nil
	*to = set{unit: bytes.Clone(unit), id: id, parsed: parsed, sps: rests, turn: turn}
	return to, replaced, nil
}

// doubt is told that a set came that can't be read: it may have replaced any of
// them, so no frame can count on those in the header.
func (s *sets) doubt() {
	for i := range s.sps {
		s.sps[i].entry = false
	}
	for i := range s.pps {
		s.pps[i].entry = false
	}
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
// them: those that its first key frame rests on, and what else is in force, as far
// as it fits.
func (s *sets) entry(sps, pps set) (spss, ppss [][]byte) {
	size := len(sps.unit) + len(pps.unit)
	take := func(to [][]byte, most int, first, of *set) [][]byte {
		switch {
		case of.unit == nil:
		case of.id == first.id:
			of.entry = true
		case len(to) < most && size+len(of.unit) <= maxEntry:
			size += len(of.unit)
			of.entry = true
			to = append(to, of.unit)
		}
		return to
	}
	spss, ppss = [][]byte{sps.unit}, [][]byte{pps.unit}
	// AVCDecoderConfigurationRecord counts in 5 and 8 bits.
	for i := range s.sps {
		spss = take(spss, maxSPS, &sps, &s.sps[i])
	}
	for i := range s.pps {
		ppss = take(ppss, maxPPS, &pps, &s.pps[i])
	}
	return spss, ppss
}
