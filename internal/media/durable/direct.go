package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// BlockSize is what the offset, the length and the address of direct I/O are
// multiples of: no disk in use has larger blocks. Bytes.
const BlockSize = 4096

// ErrLocked is returned by Lock where another process holds the lock.
var ErrLocked = errors.New("durable: locked by another process")

// OpenDirect opens a file for reading and writing past the page cache, making
// it where it does not exist (its name is then not durable before SyncDir).
// Where the filesystem has no direct I/O (tmpfs, some network filesystems) the
// file is opened buffered and direct is false.
func OpenDirect(path string, perm fs.FileMode) (f *os.File, direct bool, err error) {
	err = step{op: opCreate, path: path}.do(func() error {
		f, direct, err = openDirect(path, perm)
		return err
	})
	return f, direct, err
}

func openDirect(path string, perm fs.FileMode) (f *os.File, direct bool, err error) {
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_DIRECT, perm) //nolint:gosec // G304: the caller names the file
	if err == nil {
		return f, true, nil
	}
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EOPNOTSUPP) {
		return nil, false, fmt.Errorf("opening %s: %w", path, err)
	}
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, perm) //nolint:gosec // G304: the caller names the file
	if err != nil {
		return nil, false, fmt.Errorf("opening %s: %w", path, err)
	}
	return f, false, nil
}

// Buffered makes a file that was opened with direct I/O go through the page
// cache from now on.
func Buffered(f *os.File) error {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags&^unix.O_DIRECT)
	}
	if err != nil {
		return fmt.Errorf("giving up direct I/O on %s: %w", f.Name(), err)
	}
	return nil
}

// Datasync makes a file's bytes durable, and of its metadata what is needed to
// find them. See the package's law about failures.
func Datasync(f *os.File) error {
	for {
		err := step{op: opSync, path: f.Name()}.do(func() error { return unix.Fdatasync(int(f.Fd())) })
		if errors.Is(err, unix.EINTR) {
			continue // nothing was tried yet
		}
		if err != nil {
			return fmt.Errorf("fdatasync %s: %w", f.Name(), err)
		}
		return nil
	}
}

// Preallocate reserves the disk space of a file's first size bytes and makes it
// at least that long, so that writing there cannot run out of space. Where the
// filesystem cannot reserve, zeros are written, which is slow. What the file
// holds stays. Nothing is durable before a sync.
func Preallocate(f *os.File, size int64) error {
	err := step{op: opExtend, path: f.Name()}.do(func() error {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		for errors.Is(err, unix.EINTR) {
			err = unix.Fallocate(int(f.Fd()), 0, 0, size)
		}
		return err
	})
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("reserving %d bytes for %s: %w", size, f.Name(), err)
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reserving %d bytes for %s: %w", size, f.Name(), err)
	}
	from := (info.Size() + BlockSize - 1) &^ (BlockSize - 1)
	if from >= size {
		return nil
	}
	return ZeroFill(f, from, size)
}

// ZeroFill writes zeros from one offset up to another, both multiples of
// BlockSize, so that later writes there need no metadata: an fdatasync on a
// written extent costs half of one on a merely reserved extent. Nothing is
// durable before a sync.
func ZeroFill(f *os.File, from, to int64) error {
	zeros, err := Buffer(1 << 20)
	if err != nil {
		return err
	}
	defer FreeBuffer(zeros)
	for off := from; off < to; off += int64(len(zeros)) {
		if _, err := WriteAt(f, zeros[:min(int64(len(zeros)), to-off)], off); err != nil {
			return fmt.Errorf("zeroing %s: %w", f.Name(), err)
		}
	}
	return nil
}

// Buffer returns zeroed memory of size bytes, a multiple of BlockSize, whose
// address suits direct I/O. It is outside the Go heap: only the pages that were
// touched cost memory, and FreeBuffer must give it back.
func Buffer(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("mapping a buffer of %d bytes: %w", size, err)
	}
	return b, nil
}

// FreeBuffer gives back what Buffer returned; nobody may touch it afterwards.
func FreeBuffer(b []byte) {
	_ = unix.Munmap(b[:cap(b)])
}

// Lock takes a file's advisory lock, making the file where it does not exist.
// The lock lives as long as the returned file is open, and dies with the
// process. Where another process holds it the error wraps ErrLocked.
func Lock(path string) (*os.File, error) {
	var f *os.File
	err := step{op: opCreate, path: path}.do(func() (err error) {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // G304: the caller names the lock
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening lock %s: %w", path, err)
	}
	if err := flock(f, unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, SyncDir(filepath.Dir(path))
}

// LockShared takes a file's lock together with other readers. It makes
// nothing: where the file does not exist the error wraps fs.ErrNotExist.
func LockShared(path string) (*os.File, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the caller names the lock
	if err != nil {
		return nil, fmt.Errorf("opening lock %s: %w", path, err)
	}
	if err := flock(f, unix.LOCK_SH); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func flock(f *os.File, how int) error {
	err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("locking %s: %w", f.Name(), ErrLocked)
	}
	if err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return nil
}

// Available returns how many bytes an unprivileged process can still write to
// the filesystem that holds path.
func Available(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("asking for the free space of %s: %w", path, err)
	}
	return int64(st.Bavail) * st.Bsize, nil //nolint:gosec // G115: no disk has 2^63 bytes
}
