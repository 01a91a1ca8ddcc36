package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // G304: the caller names the directory
	if err != nil {
		return fmt.Errorf("opening directory %s to sync it: %w", dir, err)
	}
	err = step{op: opSyncDir, path: filepath.Clean(dir)}.do(d.Sync)
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("syncing directory %s: %w", dir, err)
	}
	return nil
}

// MkdirAll makes a directory and its missing parents, and makes their names
// durable.
func MkdirAll(dir string, perm fs.FileMode) error {
	dir = filepath.Clean(dir)
	info, err := os.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("making directory %s: %w", dir, &fs.PathError{Op: "mkdir", Path: dir, Err: unix.ENOTDIR})
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("making directory %s: %w", dir, err)
	}
	parent := filepath.Dir(dir)
	if err = MkdirAll(parent, perm); err != nil {
		return err
	}
	err = step{op: opMkdir, path: dir}.do(func() error { return os.Mkdir(dir, perm) })
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making directory %s: %w", dir, err)
	}
	return SyncDir(parent)
}

// Rename moves a file or a directory, replacing a file that has the name, and
// makes it durable. The contents must be durable already.
func Rename(from, to string) error {
	if err := (step{op: opRename, path: from, to: to}).do(func() error { return os.Rename(from, to) }); err != nil {
		return fmt.Errorf("renaming to %s: %w", to, err)
	}
	return syncParents(from, to)
}

// Remove takes a file or an empty directory away, durably. What is not there is
// no error.
func Remove(path string) error {
	err := step{op: opRemove, path: path}.do(func() error { return os.Remove(path) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return SyncDir(filepath.Dir(path))
}

// RemoveAll takes a file or a whole directory away, durably. What is not there
// is no error. If we crash inside, part of the tree is left.
func RemoveAll(path string) error {
	if err := (step{op: opRemoveAll, path: path}).do(func() error { return os.RemoveAll(path) }); err != nil {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return SyncDir(filepath.Dir(path))
}

// Publish gives a finished folder its final name: everything in tmp is fsynced,
// files first and then the directories from the leaves up, and tmp is renamed to
// final, which must not exist (else the error wraps fs.ErrExist and nothing has
// changed). The rename is the commit point: before it nobody sees final.
// Both must be on the same filesystem; final's parent must exist.
func Publish(tmp, final string) error {
	if err := syncTree(tmp); err != nil {
		return err
	}
	if err := (step{op: opRename, path: tmp, to: final}).do(func() error { return renameNew(tmp, final) }); err != nil {
		return fmt.Errorf("publishing %s: %w", final, err)
	}
	return syncParents(tmp, final)
}

// syncTree fsyncs a folder with all that is in it.
func syncTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading %s to sync it: %w", dir, err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			err = syncTree(path)
		case e.Type().IsRegular():
			err = syncFile(path)
		default:
			err = fmt.Errorf("syncing %s: neither a file nor a directory: %w", path, fs.ErrInvalid)
		}
		if err != nil {
			return err
		}
	}
	return SyncDir(dir)
}

// syncFile makes durable what others wrote into a file: fsync works on the
// file, not on the descriptor that wrote.
func syncFile(path string) error {
	f, err := os.Open(path) //nolint:gosec // G304: the caller names the folder
	if err != nil {
		return fmt.Errorf("opening %s to sync it: %w", path, err)
	}
	err = step{op: opSync, path: path}.do(f.Sync)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("syncing %s: %w", path, err)
	}
	return nil
}

// renameNew renames and refuses to replace, even an empty directory.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// The filesystem cannot refuse by itself. One process owns an archive, so
	// nobody makes the name between the question and the rename.
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

func syncParents(a, b string) error {
	pa, pb := filepath.Dir(a), filepath.Dir(b)
	if err := SyncDir(pb); err != nil || pa == pb {
		return err
	}
	return SyncDir(pa)
}

// SyncParent makes the name of a file that was just made durable.
func SyncParent(path string) error { return SyncDir(filepath.Dir(path)) }
