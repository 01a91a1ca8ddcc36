// Package formattest gives the tests of formats a file without a disk.
//
// The law: it does what a file does that was opened for writing, no more: it can be
// written and moved in, and a test may look at its bytes at any time.
package formattest

import "io"

// A Memory is a file without a disk: its bytes, and the byte it stands at. The zero
// value is empty.
type Memory struct {
	B  []byte
	At int64
}

// Write writes at the file's position, and over what is there.
func (m *Memory) Write(p []byte) (int, error) {
	if grow := m.At + int64(len(p)) - int64(len(m.B)); grow > 0 {
		m.B = append(m.B, make([]byte, grow)...)
	}
	m.At += int64(copy(m.B[m.At:], p))
	return len(p), nil
}

// Seek moves to a place from the start or from the end.
func (m *Memory) Seek(to int64, whence int) (int64, error) {
	if m.At = to; whence == io.SeekEnd {
		m.At = int64(len(m.B)) + to
	}
	return m.At, nil
}
