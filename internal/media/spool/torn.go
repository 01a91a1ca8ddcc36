package spool

import (
	"errors"
	"fmt"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// torn reports whether the segment holds a first header and nothing else that is
// whole: a crash came while it was begun. What is torn is wiped, so all of it is
// searched.
func (f found) torn(disk files, dir string) (bool, error) {
	var h header
	err := reading(disk, f.path(dir), func(r readFile) error {
		sc := scanner{r: r, size: f.size, log: f.first.log, gen: f.first.gen}
		var err error
		h, err = sc.orphan(f.size)
		return err
	})
	return h.gen == 0, err
}

// twins takes out of all the segments that claim a generation which another one
// has: a log that was written before torn tables were wiped may have left one. The
// one with a whole table wins, else the one that holds whole commits, else the one
// in the lower slot. Of the others, those that hold nothing whole are torn, and
// can be wiped; extra may hold what somebody needs: they are neither read nor used
// again.
func twins(disk files, dir string, all []found) (kept, torn, extra []found, err error) {
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && all[end].first.gen == all[i].first.gen {
			end++
		}
		group := all[i:end]
		i = end
		if len(group) == 1 {
			kept = append(kept, group[0])
			continue
		}
		best, empty, err := winner(disk, dir, group)
		if err != nil {
			return nil, nil, nil, err
		}
		for n, f := range group {
			switch {
			case n == best:
				kept = append(kept, f)
			case empty[n]:
				torn = append(torn, f)
			default:
				extra = append(extra, f)
			}
		}
	}
	return kept, torn, extra, nil
}

// winner says which of several segments of one generation is the log's, and which
// hold nothing whole.
func winner(disk files, dir string, group []found) (best int, empty []bool, err error) {
	most := -1
	empty = make([]bool, len(group))
	for n, f := range group {
		worth := 1
		t, err := f.table(disk, dir)
		if err == nil && t == nil {
			if empty[n], err = f.torn(disk, dir); empty[n] {
				worth = 0
			}
		}
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", slotName(f.slot), err)
		}
		if t != nil {
			worth = 2
		}
		if worth > most {
			best, most = n, worth
		}
	}
	return best, empty, nil
}

// twinFindings says which segments claim a generation that another one has.
func twinFindings(kept []found, others ...found) []Finding {
	var all []Finding
	for _, f := range others {
		at := slices.IndexFunc(kept, func(k found) bool { return k.first.gen == f.first.gen })
		all = append(all, Finding{
			Kind: BadTable, Segment: slotName(f.slot), Generation: f.first.gen, Commit: f.first.number,
			Detail: "a second segment of this generation; the log's is " + slotName(kept[at].slot),
		})
	}
	return all
}

// blank wipes the first block of a segment that a crash has left torn. Its
// generation is given to another segment, and no later recovery may take it for
// that one; so this is durable before the segment is spare. If we crash before, it
// is found torn again.
func (l *Log) blank(slot int) error {
	f, err := l.opt.files.Segment(l.path(slotName(slot)))
	if err != nil {
		return fmt.Errorf("wiping a torn segment: %w", err)
	}
	mem, err := durable.Buffer(blockBytes)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	defer durable.FreeBuffer(mem)
	if _, err = f.WriteAt(mem, 0); err == nil {
		err = f.Datasync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("wiping torn segment %s: %w", slotName(slot), err)
	}
	return nil
}
