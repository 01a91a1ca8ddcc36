package format

// FrameNumber returns a frame's number as its header holds it.
func FrameNumber(v uint32) []byte {
	e := newFrameEncoder()
	e.number(v)
	return e.w.buf[:e.w.at]
}
