package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// files is the disk as the log needs it. Tests put disks in its place that
// break, fill up, and lose what was not synced.
type files interface {
	// MkdirAll makes the log's directory durably.
	MkdirAll(dir string) error
	// List returns the names in a directory.
	List(dir string) ([]string, error)
	// Lock keeps other processes out until it is closed.
	Lock(path string) (io.Closer, error)
	// Segment opens a segment for writing, and makes it where it does not exist;
	// its name is durable on return.
	Segment(path string) (segmentFile, error)
	// Open opens a file for reading at random.
	Open(path string) (readFile, error)
	// WriteFile replaces a file at once; it need not be durable.
	WriteFile(path string, data []byte) error
	// Remove takes a file away.
	Remove(path string) error
	// Available returns the bytes that can still be written in dir.
	Available(dir string) (int64, error)
}

// readFile is a file that is read.
type readFile interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}

// segmentFile is a file that commits are written to: at multiples of 4096
// bytes, from memory of durable.Buffer.
type segmentFile interface {
	readFile
	io.WriterAt
	// Datasync returns when all that was written is on stable storage.
	Datasync() error
	// Preallocate makes sure that size bytes can be written.
	Preallocate(size int64) error
	// ZeroFill writes zeros.
	ZeroFill(from, to int64) error
}

// disk is the real one.
type disk struct {
	syncParent func(path string) error // nil: durable.SyncParent; tests look on
	// named are the paths whose names this process has made durable: a segment that
	// is begun again, in the midst of commits, waits for no directory. nil: none is
	// remembered.
	named *sync.Map
}

func (disk) MkdirAll(dir string) error { return durable.MkdirAll(dir, 0o700) }

func (disk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the log: %w", err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func (disk) Lock(path string) (io.Closer, error) { return durable.Lock(path) }

func (d disk) Segment(path string) (segmentFile, error) {
	f, _, err := durable.OpenDirect(path, 0o600)
	if err != nil {
		return nil, err
	}
	if err = d.name(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &diskFile{f}, nil
}

// name makes a file's name durable, also where the file was there: whoever made
// it may have died before this line.
func (d disk) name(path string) error {
	if d.named != nil {
		if _, done := d.named.Load(path); done {
			return nil
		}
	}
	sync := d.syncParent
	if sync == nil {
		sync = durable.SyncParent
	}
	if err := sync(path); err != nil {
		return err
	}
	if d.named != nil {
		d.named.Store(path, true)
	}
	return nil
}

func (disk) Open(path string) (readFile, error) {
	f, err := os.Open(path) //nolint:gosec // G304: a name of ours in the log's directory
	if err != nil {
		return nil, fmt.Errorf("opening for reading: %w", err)
	}
	// Reading ahead would bring other recordings' bytes, and pages that are about
	// to be overwritten past the cache.
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM)
	return &diskFile{f}, nil
}

func (disk) WriteFile(path string, data []byte) error { return durable.WriteFile(path, data, 0o600) }

func (d disk) Remove(path string) error {
	if d.named != nil {
		d.named.Delete(path) // the next file of that name is another
	}
	return durable.Remove(path)
}

func (disk) Available(dir string) (int64, error) { return durable.Available(dir) }

// diskFile is a file of the real disk.
type diskFile struct{ *os.File }

// WriteAt writes past the page cache where it can. Some filesystems take
// O_DIRECT when a file is opened and refuse the first write: they get it buffered.
func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := durable.WriteAt(f.File, p, off)
	if n == 0 && errors.Is(err, unix.EINVAL) {
		if err = durable.Buffered(f.File); err == nil {
			n, err = durable.WriteAt(f.File, p, off)
		}
	}
	return n, err
}

func (f *diskFile) Datasync() error { return durable.Datasync(f.File) }

func (f *diskFile) Preallocate(size int64) error { return durable.Preallocate(f.File, size) }

func (f *diskFile) ZeroFill(from, to int64) error { return durable.ZeroFill(f.File, from, to) }

func (f *diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("asking for the size of %s: %w", f.Name(), err)
	}
	return info.Size(), nil
}
