package powercut

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// a world is a folder and the journal of what was done in it.
type world struct {
	t   *testing.T
	dir string
	j   *Journal
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: filepath.Join(dir, "disk")}
	w.must(os.Mkdir(w.dir, 0o700))
	var err error
	w.j, err = Open(filepath.Join(dir, "journal"))
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// write writes as durable does.
func (w *world) write(name string, off int64, data []byte) {
	w.t.Helper()
	f, err := os.OpenFile(w.path(name), os.O_RDWR, 0)
	w.must(err)
	info, err := f.Stat()
	w.must(err)
	old := make([]byte, max(0, min(int64(len(data)), info.Size()-off)))
	_, err = f.ReadAt(old, off)
	w.must(err)
	w.must(w.j.Add(Record{Op: Write, Path: w.path(name), Off: off, Len: int64(len(data)), Size: info.Size()}, old))
	_, err = f.WriteAt(data, off)
	w.must(err)
	w.must(f.Close())
}

// create makes a file.
func (w *world) create(name, text string) {
	w.t.Helper()
	w.must(w.j.Add(Record{Op: Create, Path: w.path(name)}, nil))
	w.must(os.WriteFile(w.path(name), []byte(text), 0o600))
}

func (w *world) synced(name string) {
	w.t.Helper()
	w.must(w.j.Add(Record{Op: Synced, Path: w.path(name), Upto: w.j.Len()}, nil))
}

func (w *world) named() {
	w.t.Helper()
	w.must(w.j.Add(Record{Op: Named, Path: w.dir, Upto: w.j.Len()}, nil))
}

func (w *world) rename(from, to string) {
	w.t.Helper()
	kept, err := w.j.Keep(w.path(to))
	w.must(err)
	w.must(w.j.Add(Record{Op: Rename, Path: w.path(from), To: w.path(to), Kept: kept}, nil))
	w.must(os.Rename(w.path(from), w.path(to)))
}

func (w *world) cut(seed uint64) Loss {
	w.t.Helper()
	loss, err := Cut(w.j.dir, rand.New(rand.NewPCG(seed, seed)))
	w.must(err)
	return loss
}

func (w *world) read(name string) string {
	b, err := os.ReadFile(w.path(name))
	if err != nil {
		return "-"
	}
	return string(b)
}

// TestWhatWasSyncedStays: names and bytes that a sync covered survive every cut.
func TestWhatWasSyncedStays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		w := newWorld(t)
		w.create("a", "")
		w.named()
		w.write("a", 0, bytes.Repeat([]byte{1}, 4096))
		w.synced("a")
		w.create(".b", "whole")
		w.synced(".b")
		w.rename(".b", "b")
		w.named()
		if loss := w.cut(seed); loss != (Loss{}) {
			t.Fatalf("seed %d: lost %v", seed, loss)
		}
		if w.read("a") != string(bytes.Repeat([]byte{1}, 4096)) || w.read("b") != "whole" {
			t.Fatalf("seed %d: %q, %q", seed, w.read("a"), w.read("b"))
		}
	}
}

// TestUnsyncedBytes: each sector is what was written or what was there, and the
// seeds find both, and the mixture.
func TestUnsyncedBytes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for seed := range uint64(200) {
		w := newWorld(t)
		w.create("a", "")
		w.named()
		w.write("a", 0, bytes.Repeat([]byte{1}, 2*sector))
		w.synced("a")
		w.write("a", 0, bytes.Repeat([]byte{2}, 2*sector))
		w.write("a", sector, bytes.Repeat([]byte{3}, sector))
		w.cut(seed)
		got := w.read("a")
		seen[string([]byte{got[0] + '0', got[sector] + '0'})] = true
		for i := range 2 * sector {
			if got[i] != got[i/sector*sector] {
				t.Fatalf("seed %d: torn within a sector", seed)
			}
		}
	}
	for _, want := range []string{"11", "12", "13", "21", "22", "23"} {
		if !seen[want] {
			t.Errorf("%s was never left", want)
		}
		delete(seen, want)
	}
	if len(seen) > 0 {
		t.Errorf("left %v", seen)
	}
}

// TestUnsyncedNames: of what was done to a directory the first so many things
// stay; a replaced file is there again.
func TestUnsyncedNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for seed := range uint64(200) {
		w := newWorld(t)
		w.create("a", "old")
		w.synced("a")
		w.named()
		w.create(".a", "new")
		w.synced(".a")
		w.rename(".a", "a")
		w.create("b", "b")
		w.synced("b")
		w.cut(seed)
		seen[w.read("a")+" "+w.read(".a")+" "+w.read("b")] = true
	}
	for _, want := range []string{"old - -", "old new -", "new - -", "new - b"} {
		if !seen[want] {
			t.Errorf("%q was never left", want)
		}
		delete(seen, want)
	}
	if len(seen) > 0 {
		t.Errorf("left %v", seen)
	}
}

// TestNeverSynced: a new file under its final name holds less than was written,
// in some seeds: what a rename without a sync is worth.
func TestNeverSynced(t *testing.T) {
	t.Parallel()
	whole, torn := 0, 0
	for seed := range uint64(100) {
		w := newWorld(t)
		w.create(".a", "everything")
		w.rename(".a", "a")
		w.named()
		w.cut(seed)
		if w.read("a") == "everything" {
			whole++
		} else {
			torn++
		}
	}
	if whole == 0 || torn == 0 {
		t.Errorf("whole %d, torn %d", whole, torn)
	}
}

// TestTornJournal: a process that died in a line has promised nothing of it, and
// the next one goes on.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("a", "")
	w.named()
	w.write("a", 0, bytes.Repeat([]byte{1}, sector))
	_, err := w.j.file.WriteString(`{"op":"synced","path":"` + w.path("a"))
	w.must(err)
	j, err := Open(w.j.dir)
	w.must(err)
	if j.Len() != 3 {
		t.Fatalf("%d records", j.Len())
	}
	w.j = j
	w.synced("a")
	if loss := w.cut(1); loss != (Loss{}) {
		t.Errorf("lost %v", loss)
	}
}
