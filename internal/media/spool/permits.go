package spool

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
)

// permitsAtOnce is how many permit records are read from one opened file, and
// readAtOnce by how many at once: each is a wait for the disk.
const (
	permitsAtOnce = 64
	readAtOnce    = 8
)

// readPermits reads the permit record of each recording.
func (l *Log) readPermits(ctx context.Context) error {
	tracks := slices.SortedFunc(maps.Values(l.state.tracks), func(a, b *track) int { return cmp.Compare(a.serial, b.serial) })
	read := make([]PermitRecord, len(tracks))
	bad := make([]error, len(tracks))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readAtOnce)
	for from := 0; from < len(tracks); {
		end := from + 1
		for end < len(tracks) && end-from < permitsAtOnce && tracks[end].permit.gen == tracks[from].permit.gen {
			end++
		}
		some, into, fails := tracks[from:end], read[from:end], bad[from:end]
		from = end
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			l.readPermitsOf(some, into, fails)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, t := range tracks {
		var info Info
		if err := bad[i]; err != nil {
			l.damage = append(l.damage, Finding{
				Kind: BadPermit, Generation: t.permit.gen, Offset: int64(t.permit.off), Serial: t.serial, Recording: t.id,
				Detail: err.Error(),
			})
		} else {
			info = Info{Call: read[i].Evidence.Call, Evidence: read[i].Evidence, Meta: read[i].Meta}
		}
		l.infos[t.id] = info
	}
	return nil
}

// readPermitsOf reads the permit records of recordings that have it in the same
// segment; where one can't be read, fails says why.
func (l *Log) readPermitsOf(tracks []*track, into []PermitRecord, fails []error) {
	s := l.segs[tracks[0].permit.gen]
	if s == nil {
		for i := range fails {
			fails[i] = errors.New("its segment is missing")
		}
		return
	}
	err := reading(l.opt.files, l.path(slotName(s.slot)), func(r readFile) error {
		for i, t := range tracks {
			into[i], fails[i] = t.readPermit(r)
		}
		return nil
	})
	for i := range fails {
		if fails[i] == nil {
			fails[i] = err
		}
	}
}

// readPermit reads the permit record of one recording.
func (l *Log) readPermit(t *track) (PermitRecord, error) {
	into, fails := make([]PermitRecord, 1), make([]error, 1)
	l.readPermitsOf([]*track{t}, into, fails)
	return into[0], fails[0]
}

func (t *track) readPermit(r io.ReaderAt) (PermitRecord, error) {
	var p PermitRecord
	b := make([]byte, t.permit.size)
	if _, err := r.ReadAt(b, int64(t.permit.off)); err != nil {
		return p, fmt.Errorf("reading the permit record: %w", err)
	}
	rec, err := parseRecord(b)
	if err != nil {
		return p, err
	}
	if rec.typ != diskPermit || rec.serial != t.serial {
		return p, fmt.Errorf("%w: not the permit record", errBadRecord)
	}
	return p, json.Unmarshal(rec.body, &p)
}
