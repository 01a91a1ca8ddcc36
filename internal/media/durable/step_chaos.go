//go:build chaos

package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/recorderbot/recorderbot/internal/media/durable/powercut"
)

// What may befall a process of this build, by its environment. The n-th step of a
// kind (write, sync, name, or any) counts from 1.
const (
	// envDir is where the journal of a power cut is kept; without it nothing
	// happens.
	envDir = "CHAOS_DIR"
	// envKill is KIND:N:WHEN: the process kills itself before, within (half of a
	// write is done) or after the step.
	envKill = "CHAOS_KILL"
	// envFail is KIND:N:ERRNO: the step is not done and fails so.
	envFail = "CHAOS_FAIL"
	// envSlow is how long each sync of bytes takes more: a kill from outside then
	// comes between a write and its sync, and not only when the disk is asked to.
	envSlow = "CHAOS_SLOW"
	// envTell is the number of a descriptor that is told, in a line with kind and path,
	// that a step is about to fail.
	envTell = "CHAOS_TELL"
)

// A step is one thing that is done to the disk.
type step struct {
	op       op
	path, to string
	file     *os.File // of a write
	off      int64
	data     []byte
}

func (s step) do(f func() error) error {
	c, err := setUp()
	if err != nil {
		return err
	}
	if c == nil {
		return f()
	}
	return c.do(s, f)
}

// chaos is what happens to the disk in this process.
type chaos struct {
	journal    *powercut.Journal
	kill, fail point
	counts     [3]atomic.Int64 // by kind
	all        atomic.Int64
	slow       time.Duration
	listener   *os.File // may be nil
}

// A point is one step, and what befalls it.
type point struct {
	kind string
	n    int64
	what string
}

var setUp = sync.OnceValues(func() (*chaos, error) { //nolint:gochecknoglobals // the process has one disk
	dir := os.Getenv(envDir)
	if dir == "" {
		return nil, nil //nolint:nilnil // nothing befalls it
	}
	c := &chaos{}
	var err error
	if c.kill, err = readPoint(os.Getenv(envKill)); err != nil {
		return nil, err
	}
	if c.fail, err = readPoint(os.Getenv(envFail)); err != nil {
		return nil, err
	}
	if text := os.Getenv(envSlow); text != "" {
		if c.slow, err = time.ParseDuration(text); err != nil {
			return nil, fmt.Errorf("chaos: %s: %w", envSlow, err)
		}
	}
	if text := os.Getenv(envTell); text != "" {
		fd, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("chaos: %s: %w", envTell, err)
		}
		c.listener = os.NewFile(uintptr(fd), "who listens")
	}
	if c.journal, err = powercut.Open(dir); err != nil {
		return nil, err
	}
	return c, nil
})

func readPoint(text string) (point, error) {
	if text == "" {
		return point{}, nil
	}
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return point{}, fmt.Errorf("chaos: %q is not KIND:N:WHAT", text)
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return point{}, fmt.Errorf("chaos: %q: %w", text, err)
	}
	return point{parts[0], n, parts[2]}, nil
}

// kinds are the names of a step's kind, and its counter's number.
func (o op) kind() (string, int) {
	switch o {
	case opWrite:
		return "write", 0
	case opSync:
		return "sync", 1
	case opExtend, opCreate, opHidden, opMkdir, opRename, opRemove, opRemoveAll, opSyncDir:
	}
	return "name", 2
}

func (c *chaos) do(s step, f func() error) error {
	kind, number := s.op.kind()
	n, all := c.counts[number].Add(1), c.all.Add(1)
	hit := func(p point) bool { return p.kind == kind && p.n == n || p.kind == "any" && p.n == all }
	if hit(c.fail) {
		errno, ok := map[string]unix.Errno{"EIO": unix.EIO, "ENOSPC": unix.ENOSPC, "EROFS": unix.EROFS}[c.fail.what]
		if !ok {
			return fmt.Errorf("chaos: %s=%v: no such error", envFail, c.fail)
		}
		if c.listener != nil {
			_, _ = fmt.Fprintln(c.listener, kind, s.path) // it may listen no more
		}
		return &fs.PathError{Op: kind, Path: s.path, Err: errno}
	}
	dies := hit(c.kill)
	if dies && c.kill.what == "before" {
		die()
	}
	upto := c.journal.Len()
	if err := c.foretell(s); err != nil {
		return err
	}
	if dies && c.kill.what == "within" {
		if s.op == opWrite {
			half := len(s.data) / 2 &^ (BlockSize - 1)
			_, _ = s.file.WriteAt(s.data[:half], s.off)
		}
		die()
	}
	if s.op == opSync && c.slow > 0 {
		<-time.After(c.slow)
	}
	err := f()
	if err == nil {
		err = c.tell(s, upto)
	}
	if dies {
		die()
	}
	return err
}

// die ends the process as kill -9 does.
func die() {
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}

// foretell enters what is about to be done.
func (c *chaos) foretell(s step) error {
	r := powercut.Record{Path: s.path, To: s.to}
	var old []byte
	var err error
	switch s.op {
	case opWrite:
		r.Op, r.Off, r.Len = powercut.Write, s.off, int64(len(s.data))
		r.Size, old, err = present(s.path, s.off, len(s.data))
	case opExtend:
		r.Op = powercut.Extend
		r.Size, _, err = present(s.path, 0, 0)
	case opCreate:
		if _, err = os.Lstat(s.path); !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		r.Op, err = powercut.Create, nil
	case opHidden:
		r.Op = powercut.Create
	case opMkdir:
		r.Op = powercut.Mkdir
	case opRename:
		r.Op = powercut.Rename
		r.Kept, err = c.journal.Keep(s.to)
	case opRemove:
		r.Op = powercut.Remove
		r.Kept, err = c.journal.Keep(s.path)
	case opRemoveAll:
		return c.journal.KeepTree(s.path)
	case opSync, opSyncDir:
		return nil
	}
	if err != nil {
		return err
	}
	return c.journal.Add(r, old)
}

// tell enters that a sync was completed.
func (c *chaos) tell(s step, upto int) error {
	switch s.op {
	case opSync:
		return c.journal.Add(powercut.Record{Op: powercut.Synced, Path: s.path, Upto: upto}, nil)
	case opSyncDir:
		return c.journal.Add(powercut.Record{Op: powercut.Named, Path: s.path, Upto: upto}, nil)
	case opWrite, opExtend, opCreate, opHidden, opMkdir, opRename, opRemove, opRemoveAll:
	}
	return nil
}

// present returns a file's size, and what is where n bytes are to be written.
func present(path string, off int64, n int) (int64, []byte, error) {
	f, err := os.Open(path) //nolint:gosec // G304: it is open already
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return 0, nil, err
	}
	old := make([]byte, max(0, min(int64(n), info.Size()-off)))
	if _, err = f.ReadAt(old, off); err != nil {
		return 0, nil, err
	}
	return info.Size(), old, nil
}
