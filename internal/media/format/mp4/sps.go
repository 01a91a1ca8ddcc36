package mp4

import "fmt"

const (
	maxSPS = 31  // seq_parameter_set_id is 0 to 31 (H.264 §7.4.2.1.1)
	maxPPS = 255 // pic_parameter_set_id is 0 to 255 (§7.4.2.2)

	// maxSide is the greatest width and height that are believed, in pixels. H.264's
	// highest level (6.2) ends at 16,880 of them (§A.3.1); the boxes hold 16 bits.
	maxSide = 1<<16 - 1
)

// An SPS is what a player must know of a sequence parameter set (H.264 §7.3.2.1.1).
type SPS struct {
	ID            int
	Profile       byte // profile_idc, for example 66 (Baseline) or 100 (High)
	Compatibility byte // constraint_set0_flag to constraint_set5_flag, and two zero bits
	Level         byte // level_idc, for example 31 (level 3.1)
	Width, Height int  // pixels that are shown: without what is cropped
	// Chroma, LumaBits and ChromaBits are chroma_format_idc (1: 4:2:0) and the depths.
	Chroma, LumaBits, ChromaBits byte
}

// ParseSPS reads a sequence parameter set from its NAL unit, without a start
// code. It stops before the VUI, which says nothing about the picture's size.
func ParseSPS(unit []byte) (SPS, error) {
	if len(unit) < 5 || unit[0]&0x9f != nalSPS {
		return SPS{}, fmt.Errorf("sequence parameter set of %d bytes: not one", len(unit))
	}
	s := SPS{Profile: unit[1], Compatibility: unit[2], Level: unit[3], Chroma: 1, LumaBits: 8, ChromaBits: 8}
	r := &bits{b: unit[4:]}
	s.ID = int(r.ue(maxSPS))
	separate := false
	if s.high() {
		separate = s.parseHigh(r)
	}
	r.ue(12) // log2_max_frame_num_minus4
	parseOrder(r)
	r.ue(16) // max_num_ref_frames
	r.flag() // gaps_in_frame_num_value_allowed_flag
	s.parseSize(r, separate)
	if r.err != nil {
		return SPS{}, fmt.Errorf("sequence parameter set of profile %d: %w", s.Profile, r.err)
	}
	if s.Width < 1 || s.Height < 1 || s.Width > maxSide || s.Height > maxSide {
		return SPS{}, fmt.Errorf("sequence parameter set: pictures of %d × %d", s.Width, s.Height)
	}
	return s, nil
}

// high reports whether the profile has the fields of High and its kin.
func (s *SPS) high() bool {
	switch s.Profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	}
	return false
}

// parseHigh reads the fields that only [SPS.high] profiles have, and returns
// separate_colour_plane_flag.
func (s *SPS) parseHigh(r *bits) (separate bool) {
	s.Chroma = byte(r.ue(3)) //nolint:gosec // at most 3
	if s.Chroma == 3 {
		separate = r.flag()
	}
	s.LumaBits = byte(8 + r.ue(6))   //nolint:gosec // at most 14
	s.ChromaBits = byte(8 + r.ue(6)) //nolint:gosec // at most 14
	r.flag()                         // qpprime_y_zero_transform_bypass_flag
	if !r.flag() {
		return separate
	}
	lists := 8
	if s.Chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if !r.flag() {
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		skipScaling(r, size)
	}
	return separate
}

// skipScaling reads over a scaling list (H.264 §7.3.2.1.1.1).
func skipScaling(r *bits, size int) {
	last, following := int32(8), int32(8)
	for range size {
		if following != 0 {
			following = (last + r.se(128) + 256) % 256
		}
		if following != 0 {
			last = following
		}
	}
}

// parseOrder reads over the fields on the order of pictures.
func parseOrder(r *bits) {
	switch r.ue(2) { // pic_order_cnt_type
	case 0:
		r.ue(12) // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		r.flag()              // delta_pic_order_always_zero_flag
		r.se(1<<31 - 1)       // offset_for_non_ref_pic
		r.se(1<<31 - 1)       // offset_for_top_to_bottom_field
		for range r.ue(255) { // num_ref_frames_in_pic_order_cnt_cycle
			r.se(1<<31 - 1)
		}
	}
}

// parseSize reads the picture's size, which is in macroblocks, and what is
// cropped from it (H.264 §7.4.2.1.1).
func (s *SPS) parseSize(r *bits, separate bool) {
	const mostMacroblocks = maxSide/16 + 1
	width := 16 * (int(r.ue(mostMacroblocks-1)) + 1)
	height := 16 * (int(r.ue(mostMacroblocks-1)) + 1)
	fields := 1
	if !r.flag() { // frame_mbs_only_flag
		fields = 2
		r.flag() // mb_adaptive_frame_field_flag
	}
	height *= fields
	r.flag() // direct_8x8_inference_flag
	if r.flag() {
		// CropUnitX and CropUnitY (equations 7-19 to 7-22).
		unitX, unitY := 1, fields
		if !separate && (s.Chroma == 1 || s.Chroma == 2) {
			unitX = 2
		}
		if !separate && s.Chroma == 1 {
			unitY *= 2
		}
		width -= unitX * int(r.ue(maxSide)+r.ue(maxSide))
		height -= unitY * int(r.ue(maxSide)+r.ue(maxSide))
	}
	s.Width, s.Height = width, height
}

// parsePPS reads from a picture parameter set its own ID and that of the
// sequence parameter set that it rests on (H.264 §7.3.2.2).
func parsePPS(unit []byte) (pps, sps int, err error) {
	r := &bits{b: unit[min(1, len(unit)):]}
	pps, sps = int(r.ue(maxPPS)), int(r.ue(maxSPS))
	return pps, sps, r.err
}

// parseSlice reads from a slice's header the ID of its picture parameter set
// (H.264 §7.3.3).
func parseSlice(unit []byte) (pps int, err error) {
	r := &bits{b: unit[min(1, len(unit)):]}
	r.ue(1<<20 - 1) // first_mb_in_slice; level 6.2 has 139,264 macroblocks
	r.ue(9)         // slice_type
	return int(r.ue(maxPPS)), r.err
}
