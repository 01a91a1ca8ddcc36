package durable

import "os"

// An op is what a step does.
type op uint8

const (
	opWrite op = iota
	opExtend
	opSync
	opCreate // where it was not there
	opHidden // just made, under a name of its own
	opMkdir
	opRename
	opRemove
	opRemoveAll
	opSyncDir
)

// WriteAt writes into a file at an offset. Nothing is durable before a sync.
func WriteAt(f *os.File, p []byte, off int64) (n int, err error) {
	err = step{op: opWrite, path: f.Name(), file: f, off: off, data: p}.do(func() error {
		n, err = f.WriteAt(p, off)
		return err
	})
	return n, err
}
