package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// hiddenSuffix ends the name of a file that is not yet one.
const hiddenSuffix = ".part"

// A Hidden file is being written and has no name yet. Commit gives it one;
// Discard takes it away. It is not safe for concurrent use.
type Hidden struct {
	*os.File

	final string
	done  bool
}

// CreateHidden begins a file that will be path once it is committed. The
// directory must exist.
func CreateHidden(path string, perm fs.FileMode) (*Hidden, error) {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+name+"-*"+hiddenSuffix)
	if err != nil {
		return nil, fmt.Errorf("creating hidden file for %s: %w", path, err)
	}
	h := &Hidden{File: f, final: path}
	if err := (step{op: opHidden, path: f.Name()}).do(func() error { return f.Chmod(perm) }); err != nil {
		return nil, errors.Join(fmt.Errorf("setting mode of %s: %w", path, err), h.Discard())
	}
	return h, nil
}

// IsHidden reports whether a directory entry's name is that of a file which was
// never committed: what a crash leaves behind.
func IsHidden(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, hiddenSuffix)
}

// Commit makes the file durable and gives it its name, replacing what had the
// name before. When it returns nil the file outlives a power cut. When it fails
// before the rename, nothing has changed and the hidden file is gone.
func (h *Hidden) Commit() error { return h.commit(Rename) }

// CommitNew is Commit where nobody else's file may be lost: if something has the
// name already the error wraps fs.ErrExist, and nothing has changed but that the
// hidden file is gone.
func (h *Hidden) CommitNew() error { return h.commit(linkNew) }

func (h *Hidden) commit(rename func(from, to string) error) error {
	if h.done {
		return fmt.Errorf("committing %s: %w", h.final, fs.ErrClosed)
	}
	if err := (step{op: opSync, path: h.Name()}).do(h.Sync); err != nil {
		return errors.Join(fmt.Errorf("syncing %s: %w", h.final, err), h.Discard())
	}
	if err := h.Close(); err != nil {
		return errors.Join(fmt.Errorf("closing %s: %w", h.final, err), h.Discard())
	}
	h.done = true
	// The commit point is the rename. If we crash before it, only a hidden file
	// is left; after it, the file is whole, but its name is durable only with
	// the directory.
	if err := rename(h.Name(), h.final); err != nil {
		_ = os.Remove(h.Name())
		return err
	}
	return nil
}

// linkNew gives a file another name that nothing has yet, whatever others do
// meanwhile, and makes it durable. Where the filesystem knows neither way of
// refusing by itself, nothing is named: to look first would not keep others out.
func linkNew(from, to string) error {
	err := step{op: opRename, path: from, to: to}.do(func() error {
		err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			// Crash between the two: the file has both names, and is whole.
			if err = os.Link(from, to); err == nil {
				err = os.Remove(from)
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("naming %s: %w", to, err)
	}
	return SyncParent(to)
}

// Discard takes back a file that was not committed. After Commit it does
// nothing, so it can be deferred.
func (h *Hidden) Discard() error {
	if h.done {
		return nil
	}
	h.done = true
	_ = h.Close()
	if err := os.Remove(h.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing hidden file of %s: %w", h.final, err)
	}
	return nil
}

// WriteFile puts data into path, whole and durable or not at all.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	h, err := CreateHidden(path, perm)
	if err != nil {
		return err
	}
	if _, err := h.Write(data); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), h.Discard())
	}
	return h.Commit()
}
