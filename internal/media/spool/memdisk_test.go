package spool

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

const sector = 512 // what a disk writes at once, bytes

// memDisk is a disk in memory that forgets what was not synced when the power
// is cut, and breaks where it is told to.
type memDisk struct {
	mu     sync.Mutex
	files  map[string]*memFile
	locked bool
	free   int64
	statfs func() error // not nil: asked by Available
	noFile error        // what WriteFile returns

	// before is asked before each write and each sync of a segment; its error is
	// the operation's.
	before func(op string) error
	writes int // of segments
	syncs  int
}

type memFile struct {
	view  []byte       // what a reader sees
	safe  []byte       // what a power cut leaves for sure
	dirty map[int]bool // sectors in which they may differ
}

func newMemDisk() *memDisk { return &memDisk{files: make(map[string]*memFile), free: 1 << 40} }

// killed returns the disk as a new process finds it after kill -9: it sees all
// that was written, and a power cut can still take away what was not synced.
func (d *memDisk) killed() *memDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := newMemDisk()
	for name, f := range d.files {
		n.files[name] = &memFile{view: slices.Clone(f.view), safe: slices.Clone(f.safe), dirty: maps.Clone(f.dirty)}
	}
	return n
}

// cut returns the disk after a power cut: of the sectors that were not synced,
// those are there for which survives says so.
func (d *memDisk) cut(survives func() bool) *memDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := newMemDisk()
	for name, f := range d.files {
		g := &memFile{view: slices.Clone(f.safe), dirty: make(map[int]bool)}
		for _, s := range slices.Sorted(maps.Keys(f.dirty)) {
			if survives() {
				copy(g.view[s*sector:(s+1)*sector], f.view[s*sector:])
			}
		}
		g.safe = slices.Clone(g.view)
		n.files[name] = g
	}
	return n
}

func (d *memDisk) op(name string) error {
	d.mu.Lock()
	before := d.before
	switch name {
	case "write":
		d.writes++
	case "sync":
		d.syncs++
	}
	d.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(name)
}

func (d *memDisk) set(before func(string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before = before
}

func (d *memDisk) counts() (writes, syncs int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes, d.syncs
}

func (d *memDisk) MkdirAll(string) error { return nil }

func (d *memDisk) List(string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.files)), nil
}

func (d *memDisk) Lock(string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, durable.ErrLocked
	}
	d.locked = true
	return closer(func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.locked = false
		return nil
	}), nil
}

type closer func() error

func (c closer) Close() error { return c() }

func (d *memDisk) Segment(path string) (segmentFile, error) {
	if err := d.op("open"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	name := filepath.Base(path)
	if d.files[name] == nil {
		d.files[name] = &memFile{dirty: make(map[int]bool)}
	}
	return &memHandle{d: d, name: name}, nil
}

func (d *memDisk) Open(path string) (readFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := filepath.Base(path)
	if d.files[name] == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return &memHandle{d: d, name: name}, nil
}

func (d *memDisk) WriteFile(path string, data []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.noFile != nil {
		return d.noFile
	}
	d.files[filepath.Base(path)] = &memFile{view: slices.Clone(data), safe: slices.Clone(data), dirty: make(map[int]bool)}
	return nil
}

func (d *memDisk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, filepath.Base(path))
	return nil
}

func (d *memDisk) Available(string) (int64, error) {
	d.mu.Lock()
	free, statfs := d.free, d.statfs
	d.mu.Unlock()
	if statfs != nil {
		return free, statfs()
	}
	return free, nil
}

// segments returns how many segment files there are.
func (d *memDisk) segments() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for name := range d.files {
		if filepath.Ext(name) == ".seg" {
			n++
		}
	}
	return n
}

// bytes returns what a reader sees of a file; a test may change it.
func (d *memDisk) bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files[name].view
}

// truncate cuts a file, as a hand does.
func (d *memDisk) truncate(name string, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[name]
	f.view, f.safe = f.view[:size:size], f.safe[:size:size]
	maps.DeleteFunc(f.dirty, func(s int, _ bool) bool { return int64(s+1)*sector > size })
}

type memHandle struct {
	d    *memDisk
	name string
	keep bool // the keeper's
}

func (h *memHandle) ReadAt(p []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	f := h.d.files[h.name]
	if f == nil || off >= int64(len(f.view)) {
		return 0, io.EOF
	}
	n := copy(p, f.view[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *memHandle) WriteAt(p []byte, off int64) (int, error) {
	if off%blockBytes != 0 || len(p)%blockBytes != 0 {
		return 0, errors.New("not aligned")
	}
	if err := h.d.op("write"); err != nil {
		return 0, err
	}
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	f := h.d.files[h.name]
	f.grow(off + int64(len(p)))
	copy(f.view[off:], p)
	for s := int(off) / sector; s < (int(off)+len(p))/sector; s++ {
		f.dirty[s] = true
	}
	return len(p), nil
}

func (f *memFile) grow(size int64) {
	if n := int(size) - len(f.view); n > 0 {
		f.view = append(f.view, make([]byte, n)...)
		f.safe = append(f.safe, make([]byte, n)...)
	}
}

func (h *memHandle) Datasync() error {
	op := "sync"
	if h.keep {
		op = "prepare"
	}
	err := h.d.op(op)
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	f := h.d.files[h.name]
	if err != nil {
		// As Linux does: the pages stay, are not written, and are no longer dirty.
		clear(f.dirty)
		return err
	}
	for s := range f.dirty {
		copy(f.safe[s*sector:(s+1)*sector], f.view[s*sector:])
	}
	clear(f.dirty)
	return nil
}

func (h *memHandle) Preallocate(size int64) error {
	if err := h.d.op("allocate"); err != nil {
		return err
	}
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	h.d.files[h.name].grow((size + sector - 1) &^ (sector - 1))
	return nil
}

func (h *memHandle) ZeroFill(int64, int64) error {
	h.keep = true
	return nil
}

func (h *memHandle) Size() (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return int64(len(h.d.files[h.name].view)), nil
}

func (h *memHandle) Close() error { return nil }

func TestMemDiskForgets(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	f, err := d.Segment("00000000.seg")
	if err != nil {
		t.Fatal(err)
	}
	one := slices.Repeat([]byte{1}, blockBytes)
	if _, err = f.WriteAt(one, 0); err != nil {
		t.Fatal(err)
	}
	if err = f.Datasync(); err != nil {
		t.Fatal(err)
	}
	if _, err = f.WriteAt(slices.Repeat([]byte{2}, blockBytes), 0); err != nil {
		t.Fatal(err)
	}
	n := 0
	got := d.cut(func() bool { n++; return n == 3 }).bytes("00000000.seg")
	for i, b := range got {
		if want := 1 + b2i(i/sector == 2); int(b) != want {
			t.Fatalf("byte %d is %d, want %d", i, b, want)
		}
	}
	if !slices.Equal(d.killed().bytes("00000000.seg"), d.bytes("00000000.seg")) {
		t.Fatal("kill -9 lost bytes")
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
