package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var ns []string
	for _, e := range es {
		ns = append(ns, e.Name())
	}
	return ns
}

func TestFileHasNoNameBeforeCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	h, err := CreateHidden(path, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = h.WriteString("whole"); err != nil {
		t.Fatal(err)
	}
	if ns := names(t, dir); len(ns) != 1 || !IsHidden(ns[0]) {
		t.Fatalf("before commit: %v", ns)
	}
	if err = h.Commit(); err != nil {
		t.Fatal(err)
	}
	if ns := names(t, dir); len(ns) != 1 || ns[0] != "a.json" {
		t.Fatalf("after commit: %v", ns)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if err := h.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("discarding after commit took the file away")
	}
	if err := h.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Fatalf("second commit: %v", err)
	}
}

func TestDiscardLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, err := CreateHidden(filepath.Join(dir, "a"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Discard(); err != nil {
		t.Fatal(err)
	}
	if ns := names(t, dir); len(ns) != 0 {
		t.Fatalf("left: %v", ns)
	}
}

func TestFailedCommitKeepsTheOldFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := CreateHidden(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_ = h.Close() // an fsync on it now fails
	if err := h.Commit(); err == nil {
		t.Fatal("a commit whose fsync failed succeeded")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Fatalf("%q, %v", b, err)
	}
	if ns := names(t, dir); len(ns) != 1 {
		t.Fatalf("left: %v", ns)
	}
}

// TestCommitNew: the name was free when the file was begun. Whatever took it
// meanwhile stays, and nothing hidden is left.
func TestCommitNew(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(path string) error{
		"free":      func(string) error { return nil },
		"file":      func(path string) error { return os.WriteFile(path, []byte("theirs"), 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"link":      func(path string) error { return os.Symlink("nowhere", path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "a")
			h, err := CreateHidden(path, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = h.WriteString("ours"); err != nil {
				t.Fatal(err)
			}
			if err = take(path); err != nil {
				t.Fatal(err)
			}
			err = h.CommitNew()
			if free := name == "free"; free != (err == nil) || !free && !errors.Is(err, fs.ErrExist) {
				t.Errorf("error %v", err)
			}
			want := map[string]string{"free": "ours", "file": "theirs"}[name]
			if b, _ := os.ReadFile(path); string(b) != want {
				t.Errorf("%q is there, want %q", b, want)
			}
			if ns := names(t, dir); len(ns) != 1 {
				t.Errorf("left: %v", ns)
			}
		})
	}
}

func TestMkdirAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		if err := MkdirAll(deep, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(filepath.Join(dir, "f"), 0o700); err == nil {
		t.Fatal("made a directory over a file")
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tmp, final := filepath.Join(dir, ".x.part"), filepath.Join(dir, "x")
	if err := MkdirAll(filepath.Join(tmp, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(tmp, "sub", "f"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Publish(tmp, final); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(final, "sub", "f")); err != nil || string(b) != "1" {
		t.Fatalf("%q, %v", b, err)
	}
	// A second folder never replaces a published one, not even an empty one.
	if err := MkdirAll(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Publish(tmp, final); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("publishing over a folder: %v", err)
	}
	if err := MkdirAll(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Publish(tmp, filepath.Join(dir, "empty")); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("publishing over an empty folder: %v", err)
	}
}

func TestPublishRefusesWhatItCannotSync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tmp := filepath.Join(dir, "t")
	if err := MkdirAll(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/", filepath.Join(tmp, "l")); err != nil {
		t.Fatal(err)
	}
	if err := Publish(tmp, filepath.Join(dir, "x")); !errors.Is(err, fs.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
}

func TestRemoveWhatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(Remove(filepath.Join(dir, "a")), RemoveAll(filepath.Join(dir, "b"))); err != nil {
		t.Fatal(err)
	}
}

func TestDirectIO(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"disk": t.TempDir(), "memory": "/dev/shm"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, "durable-test-"+filepath.Base(t.TempDir()))
			f, _, err := OpenDirect(path, 0o600)
			if err != nil {
				if name == "disk" {
					t.Fatal(err)
				}
				t.Skip(err) // no such file system on this machine
			}
			t.Cleanup(func() { _ = f.Close(); _ = Remove(path) })
			if err = Preallocate(f, 3*BlockSize); err != nil {
				t.Fatal(err)
			}
			b, err := Buffer(BlockSize)
			if err != nil {
				t.Fatal(err)
			}
			defer FreeBuffer(b)
			copy(b, "block")
			if _, err = f.WriteAt(b, BlockSize); err != nil {
				t.Fatal(err)
			}
			if err = ZeroFill(f, 2*BlockSize, 4*BlockSize); err != nil {
				t.Fatal(err)
			}
			if err = Buffered(f); err != nil {
				t.Fatal(err)
			}
			if _, err = f.WriteAt([]byte("tail"), BlockSize+100); err != nil {
				t.Fatal(err) // not aligned: buffered
			}
			if err = Datasync(f); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || len(got) != 4*BlockSize || !bytes.HasPrefix(got[BlockSize:], []byte("block")) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	if _, err := LockShared(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	f, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Lock(path); !errors.Is(err, ErrLocked) {
		t.Fatalf("second lock: %v", err)
	}
	if _, err = LockShared(path); !errors.Is(err, ErrLocked) {
		t.Fatalf("shared lock: %v", err)
	}
	_ = f.Close()
	g, err := LockShared(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = g.Close()
	if n, err := Available(path); err != nil || n <= 0 {
		t.Fatalf("available %d, %v", n, err)
	}
}
