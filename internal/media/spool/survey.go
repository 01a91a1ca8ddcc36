package spool

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func lockPath(dir string) string { return filepath.Join(dir, "lock") }

// found is a segment file as recovery and Check find it.
type found struct {
	slot  int
	size  int64
	first header // of the first commit, or of the first that is whole; gen 0: there is none
}

// short reports whether the file was cut. A crash does not do that: a segment has
// its bytes before its first header is written.
func (f found) short() bool { return f.first.gen > 0 && f.size < int64(f.first.reserved) }

func (f found) path(dir string) string { return filepath.Join(dir, slotName(f.slot)) }

// survey lists the segments of a log, the newest generation last, those without
// a readable first commit before all others.
func survey(disk files, dir string) ([]found, error) {
	names, err := disk.List(dir)
	if err != nil {
		return nil, err
	}
	var all []found
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, ".seg")
		slot, err := strconv.Atoi(digits)
		if !ok || err != nil || name != slotName(slot) {
			continue
		}
		f, err := look(disk, filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		f.slot = slot
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.first.gen, b.first.gen), cmp.Compare(a.slot, b.slot))
	})
	var log uint64
	for i := len(all) - 1; i >= 0 && all[i].first.gen > 0; i-- {
		if log != 0 && all[i].first.log != log {
			return nil, fmt.Errorf("%s belongs to another log; take it out of %s", slotName(all[i].slot), dir)
		}
		log = all[i].first.log
	}
	return all, nil
}

// look reads the first header of a segment.
func look(disk files, path string) (found, error) {
	var f found
	err := reading(disk, path, func(r readFile) error {
		size, err := r.Size()
		if err != nil {
			return err
		}
		f.size = size &^ (blockBytes - 1)
		if f.size < blockBytes {
			return nil
		}
		sc := scanner{r: r, size: f.size}
		if err = sc.read(0, blockBytes); err != nil {
			return err
		}
		f.first, err = sc.headerIn(sc.buf)
		if errors.Is(err, errNoCommit) {
			// It may never have been used, or be torn; or what was acknowledged behind
			// it is all that is left of it.
			f.first, err = sc.orphan(tableWindow)
		}
		return err
	})
	return f, err
}

// tableWindow holds the largest table that is to be expected, in bytes.
const tableWindow = 4 << 20

// orphan looks for a commit behind a first one that is not whole, up to an
// offset; gen 0: there is none.
func (s *scanner) orphan(to int64) (header, error) {
	off, err := s.search(blockBytes, min(s.size, to), 0)
	if err != nil || off < 0 {
		return header{}, err
	}
	h, _, err := s.commitAt(off)
	return h, err
}

// table reads what the first commit of a segment says; nil: it is not whole.
func (f found) table(disk files, dir string) (*state, error) {
	var t *state
	err := reading(disk, f.path(dir), func(r readFile) error {
		sc := scanner{r: r, size: f.size, log: f.first.log, gen: f.first.gen}
		_, body, err := sc.commitAt(0)
		if err == nil {
			t, err = readTable(body)
		}
		if err == nil && !t.fits(f.first.gen) {
			err = errBadTable
		}
		if errors.Is(err, errNoCommit) || errors.Is(err, errBadTable) {
			return nil
		}
		return err
	})
	return t, err
}

// walk calls fn for each whole commit of a segment.
func (f found) walk(disk files, dir string, fn func(h header, off int64, body []byte)) (w scanned, err error) {
	err = reading(disk, f.path(dir), func(r readFile) error {
		sc := scanner{r: r, size: f.size, log: f.first.log, gen: f.first.gen}
		w, err = sc.all(fn)
		return err
	})
	return w, err
}

// latest returns the segments from the last one that has a whole table on, that
// table, and those that a crash left torn behind them. One that was cut within its
// table is not torn: it may have held more.
func latest(disk files, dir string, all []found) (from []found, t *state, torn []found, err error) {
	for _, f := range slices.Backward(all) {
		if t, err = f.table(disk, dir); err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", slotName(f.slot), err)
		}
		if t != nil {
			return append([]found{f}, from...), t, torn, nil
		}
		var empty bool
		if empty, err = f.torn(disk, dir); err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", slotName(f.slot), err)
		}
		if empty && !f.short() {
			torn = append(torn, f)
		} else {
			from = append([]found{f}, from...)
		}
	}
	return from, newState(), torn, nil
}

// reading opens a file for reading around fn.
func reading(disk files, path string, fn func(readFile) error) error {
	r, err := disk.Open(path)
	if err != nil {
		return err
	}
	err = fn(r)
	if cerr := r.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("closing %s: %w", path, cerr)
	}
	return err
}
