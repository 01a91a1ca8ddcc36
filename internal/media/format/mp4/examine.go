package mp4

import "errors"

// An accessUnit is what the bytes of a frame say. Its units are in Writer.units.
type accessUnit struct {
	fault    Fault // NotAnnexB, TooLarge or NoPicture: the units are not taken over
	size     int   // bytes, as a sample holds them
	picture  bool  // it has a slice
	key      bool  // it has a slice of an IDR picture
	sps, pps set   // what its first slice rests on, if it came
	known    bool  // all that its slices rest on is known
	carried  bool  // all that its slices rest on is in the frame
	alone    bool  // or in the sample entry
	unread   bool  // it has a parameter set that can't be read
}

// kind returns nal_unit_type.
func kind(unit []byte) byte { return unit[0] & 0x1f }

// isSlice reports whether a unit is a part of a picture.
func isSlice(unit []byte) bool { k := kind(unit); return k >= nalSlice && k <= nalIDR }

// examine splits a frame into units and takes over its parameter sets, unless
// the frame is at fault.
func (w *Writer) examine(data []byte) accessUnit {
	var au accessUnit
	w.fresh = w.fresh[:0]
	if len(data) > MaxFrame {
		return accessUnit{fault: TooLarge}
	}
	var err error
	if w.units, err = split(w.units[:0], data, maxUnits); errors.Is(err, errUnits) {
		return accessUnit{fault: TooLarge}
	} else if err != nil {
		return accessUnit{fault: NotAnnexB}
	}
	for _, unit := range w.units {
		au.size += 4 + len(unit)
		au.picture = au.picture || isSlice(unit)
		au.key = au.key || kind(unit) == nalIDR
	}
	if !au.picture && len(w.held)+au.size > maxHeld {
		au.fault = NoPicture
		return au
	}
	au.known, au.carried, au.alone = true, true, true
	for _, unit := range w.units {
		switch k := kind(unit); {
		case k == nalSPS, k == nalPPS:
			w.learn(&au, unit)
		case isSlice(unit) && k != nalPartitionB && k != nalPartitionC:
			w.slice(&au, unit)
		}
	}
	return au
}

// learn takes over a parameter set.
func (w *Writer) learn(au *accessUnit, unit []byte) {
	changed, replaced, err := w.sets.learn(unit, w.turn)
	if changed != nil {
		w.fresh = append(w.fresh, changed)
	}
	if replaced && au.sps.unit != nil && !w.started {
		au.known = false // behind a slice: the header can't hold the set that the slice rests on
	}
	if err != nil {
		au.unread = true
		w.sets.doubt()
	}
	w.changed = w.changed || w.started && (changed != nil || err != nil)
}

// slice notes what a slice rests on.
func (w *Writer) slice(au *accessUnit, unit []byte) {
	sps, pps, ok := w.sets.needed(unit)
	if !ok {
		au.known, au.carried, au.alone = false, false, false
		return
	}
	if au.sps.unit == nil {
		au.sps, au.pps = *sps, *pps
	}
	for _, s := range [...]*set{sps, pps} {
		here := s.turn == w.turn
		au.carried = au.carried && here
		// A header that is yet to be written will hold what is in force.
		au.alone = au.alone && (here || s.entry || !w.started)
	}
}

// judge says what becomes of a frame.
func (w *Writer) judge(f Frame, au *accessUnit) Result {
	r := Result{Verdict: Written, Key: au.key, SetsUnread: au.unread}
	if au.fault != NoFault {
		r.Verdict, r.Fault = Undecodable, au.fault
		w.broken = true
		return r
	}
	if !au.picture {
		r.Verdict = Held
		return r
	}
	if au.sps.unit != nil {
		r.Width, r.Height = au.sps.parsed.Width, au.sps.parsed.Height
		r.SizeWrong = f.Width != 0 && f.Width != r.Width || f.Height != 0 && f.Height != r.Height
	}
	r.KeyWrong = f.Key != r.Key
	fits := au.carried && au.key || f.Width != 0 && f.Width == w.told.width && f.Height == w.told.height
	switch {
	case !w.started && !au.key:
		r.Verdict, r.Fault = Undecodable, NoKeyFrame
	case !au.known || au.sps.unit == nil:
		r.Verdict, r.Fault = Undecodable, NoSets
		w.broken = true
	case w.started && w.broken && !fits:
		r.Verdict, r.Fault = Undecodable, LostSets
	case au.key:
		w.broken = false // it refers to nothing before it
		w.told = size{f.Width, f.Height}
	case w.broken:
		r.Verdict, r.Fault = Damaged, Discontinuous
	}
	return r
}

// flags are the flags of a stored frame's sample. A key frame counts as a place
// to begin at only if a player that begins there finds its parameter sets
// (ISO/IEC 14496-15, on avc3).
func (au *accessUnit) flags(v Verdict) uint32 {
	flags := uint32(flagsOther)
	if au.key {
		flags = flagsKey
		if !au.alone {
			flags |= flagNoSync
		}
	}
	if v == Damaged {
		flags |= flagDamaged
	}
	return flags
}
