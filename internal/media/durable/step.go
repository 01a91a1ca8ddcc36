//go:build !chaos

package durable

import "os"

// A step is one thing that is done to the disk. In a build with the tag "chaos"
// each may be the last of its process, may fail, and is entered in the journal of
// a power cut; here it is just done.
type step struct {
	op       op
	path, to string
	file     *os.File // of a write
	off      int64
	data     []byte
}

func (s step) do(f func() error) error { return f() }
