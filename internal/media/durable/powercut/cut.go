package powercut

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const sector = 512 // what a disk writes at once, bytes

// A Loss is what a cut took away.
type Loss struct {
	Sectors int // that are again what they were
	Shorter int // files that are as short as they were
	Names   int // things done to names that have not happened
	Torn    int // files never synced that hold less than was written
}

// String is for people.
func (l Loss) String() string {
	return fmt.Sprintf("%d sectors, %d lengths, %d names, %d new files' contents", l.Sectors, l.Shorter, l.Names, l.Torn)
}

// Cut cuts the power of the disk whose journal is in dir, of which no process
// may be alive. random chooses what survives.
func Cut(dir string, random *rand.Rand) (Loss, error) {
	records, _, err := read(filepath.Join(dir, journalName))
	if err != nil {
		return Loss{}, err
	}
	c := &cut{
		dir: dir, random: random, names: map[string]int{}, bytes: map[string]int{}, stays: map[string]int{},
		kept: map[string]map[int64]bool{}, longer: map[string]bool{}, moved: nil,
	}
	c.survey(records)
	for i := len(records) - 1; i >= 0; i-- {
		if err = c.undo(i, &records[i]); err != nil {
			return c.loss, fmt.Errorf("cutting the power: %s %s: %w", records[i].Op, records[i].Path, err)
		}
	}
	// All that is there now is safe, and the story begins anew.
	if err = os.RemoveAll(dir); err != nil {
		return c.loss, fmt.Errorf("cutting the power: %w", err)
	}
	return c.loss, nil
}

// cut goes through the journal from its end to its beginning.
type cut struct {
	dir    string
	random *rand.Rand
	loss   Loss
	// bytes and names tell, for each file and each directory, before which record
	// all is safe; stays before which record what was done to a directory's names
	// survives.
	bytes, names, stays map[string]int
	// kept are the sectors of a file of which a later write has survived, and longer
	// the files of which a later length has.
	kept   map[string]map[int64]bool
	longer map[string]bool
	moved  []Record // renames that survived, the latest first
}

// survey finds what is safe, and decides how much of the names survives.
func (c *cut) survey(records []Record) {
	pending := map[string][]int{}
	for _, r := range records {
		switch r.Op { //nolint:exhaustive // only what makes safe
		case Synced:
			c.bytes[r.Path] = max(c.bytes[r.Path], r.Upto)
		case Named:
			c.names[r.Path] = max(c.names[r.Path], r.Upto)
		}
	}
	var order []string // for the same choices from the same journal
	for i, r := range records {
		if d, ok := directory(r); ok && i >= c.names[d] {
			if pending[d] == nil {
				order = append(order, d)
			}
			pending[d] = append(pending[d], i)
		}
	}
	for _, d := range order {
		all := pending[d]
		switch survive := c.random.IntN(3); survive {
		case 0: // none
			c.stays[d] = all[0]
		case 1:
			c.stays[d] = all[c.random.IntN(len(all))]
		default:
			c.stays[d] = all[len(all)-1] + 1
		}
	}
}

// directory is the one whose names a record is about.
func directory(r Record) (string, bool) {
	switch r.Op {
	case Rename:
		return filepath.Dir(r.To), true
	case Create, Mkdir, Remove:
		return filepath.Dir(r.Path), true
	case Write, Extend, Synced, Named:
	}
	return "", false
}

func (c *cut) undo(i int, r *Record) error {
	if d, ok := directory(*r); ok {
		if i < c.names[d] || i < c.stays[d] {
			return c.survived(i, r)
		}
		c.loss.Names++
		return c.undoName(r)
	}
	if i < c.bytes[r.Path] {
		return nil
	}
	switch r.Op { //nolint:exhaustive // syncs leave nothing to undo
	case Write:
		return c.undoWrite(r)
	case Extend:
		if !c.longer[r.Path] {
			return c.shorten(r)
		}
	}
	return nil
}

// survived notes a rename for what came before it, and tears a new file that
// nobody has synced.
func (c *cut) survived(i int, r *Record) error {
	if r.Op == Rename {
		c.moved = append(c.moved, *r)
	}
	if r.Op != Create || c.bytes[r.Path] > i || c.random.IntN(2) == 0 {
		return nil
	}
	path := c.now(r.Path)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() == 0) {
		return nil
	}
	if err != nil {
		return err
	}
	c.loss.Torn++
	return os.Truncate(path, c.random.Int64N(info.Size()))
}

// now is where a file is now that had the path.
func (c *cut) now(path string) string {
	for _, m := range slices.Backward(c.moved) {
		if rest, under := strings.CutPrefix(path, m.Path); under && (rest == "" || rest[0] == filepath.Separator) {
			path = m.To + rest
		}
	}
	return path
}

func (c *cut) undoName(r *Record) error {
	path := c.now(r.Path)
	switch r.Op { //nolint:exhaustive // these are about names
	case Create:
		return ignoreMissing(os.Remove(path))
	case Mkdir:
		return os.RemoveAll(path)
	case Remove:
		if r.Kept != "" {
			return ignoreMissing(os.Rename(filepath.Join(c.dir, r.Kept), path))
		}
		return nil // an empty directory: nothing is lost with it
	case Rename:
		if err := os.Rename(c.now(r.To), path); err != nil {
			return ignoreMissing(err) // it died before the rename
		}
		if r.Kept != "" {
			return os.Rename(filepath.Join(c.dir, r.Kept), c.now(r.To))
		}
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// undoWrite lets each sector of a write survive, or not.
func (c *cut) undoWrite(r *Record) error {
	path := c.now(r.Path)
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // G304: the journal names it
	if err != nil {
		return ignoreMissing(err)
	}
	if c.kept[r.Path] == nil {
		c.kept[r.Path] = map[int64]bool{}
	}
	all, none := c.random.IntN(8) == 0, c.random.IntN(3) == 0
	for at := int64(0); at < r.Len; at += sector {
		n := (r.Off + at) / sector
		switch {
		case c.kept[r.Path][n]:
		case all || !none && c.random.IntN(2) == 0:
			c.kept[r.Path][n] = true
		default:
			old := make([]byte, min(sector, r.Len-at))
			if at < int64(len(r.old)) {
				copy(old, r.old[at:])
			}
			if _, err = f.WriteAt(old, r.Off+at); err != nil {
				return errors.Join(err, f.Close())
			}
			c.loss.Sectors++
		}
	}
	if err = f.Close(); err != nil {
		return err
	}
	if r.Off+r.Len > r.Size && !c.longer[r.Path] {
		return c.shorten(r)
	}
	return nil
}

// shorten lets a file's length be what it was, or not.
func (c *cut) shorten(r *Record) error {
	if c.random.IntN(2) == 0 {
		c.longer[r.Path] = true
		return nil
	}
	c.loss.Shorter++
	return ignoreMissing(os.Truncate(c.now(r.Path), r.Size))
}
