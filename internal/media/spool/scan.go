package spool

import (
	"errors"
	"fmt"
	"io"
)

// scanner reads a segment commit by commit.
type scanner struct {
	r    io.ReaderAt
	size int64  // of the segment, bytes
	log  uint64 // 0: any
	gen  uint64 // 0: any
	buf  []byte
}

// damage is a part of a segment that holds no whole commit though one follows.
type damage struct{ from, to int64 }

// commitAt reads the commit at off. errNoCommit: there is none that is whole.
// The records are valid until the next call.
func (s *scanner) commitAt(off int64) (header, []byte, error) {
	if off+blockBytes > s.size {
		return header{}, nil, errNoCommit
	}
	if err := s.read(off, blockBytes); err != nil {
		return header{}, nil, err
	}
	h, err := s.headerIn(s.buf)
	if err != nil {
		return header{}, nil, err
	}
	return s.bodyOf(h, off)
}

// headerIn reads the header of a commit of this log and generation.
func (s *scanner) headerIn(b []byte) (header, error) {
	h, err := parseHeader(b)
	if errors.Is(err, errNoCommit) || s.log != 0 && h.log != s.log || s.gen != 0 && h.gen != s.gen {
		return header{}, errNoCommit
	}
	return h, err
}

func (s *scanner) bodyOf(h header, off int64) (header, []byte, error) {
	if h.size() > s.size-off {
		return h, nil, errNoCommit
	}
	if err := s.read(off, int(h.size())); err != nil {
		return h, nil, err
	}
	if checksum(s.buf[headerBytes:]) != h.body {
		return h, nil, errNoCommit
	}
	return h, s.buf[headerBytes : headerBytes+int(h.length)], nil
}

func (s *scanner) read(off int64, n int) error {
	if cap(s.buf) < n {
		s.buf = make([]byte, n+n/4)
	}
	s.buf = s.buf[:n]
	if got, err := s.r.ReadAt(s.buf, off); err != nil && (!errors.Is(err, io.EOF) || got < n) {
		if errors.Is(err, io.EOF) {
			return errNoCommit // shorter than its size said: truncated under us
		}
		return fmt.Errorf("reading the log at byte %d: %w", off, err)
	}
	return nil
}

// scanned is what a walk over a segment has found.
type scanned struct {
	end  int64    // where the last whole commit ends
	last uint64   // its number; 0: there was none
	from int64    // where it begins
	bad  []damage // what is damaged before the end
}

// all calls fn for each whole commit of the segment.
func (s *scanner) all(fn func(h header, off int64, body []byte)) (scanned, error) {
	var w scanned
	for {
		h, body, err := s.commitAt(w.end)
		if err == nil && h.number > w.last {
			if w.last != 0 && h.number != w.last+1 {
				w.bad = append(w.bad, damage{w.end, w.end})
			}
			fn(h, w.end, body)
			w.from, w.end, w.last = w.end, w.end+h.size(), h.number
			continue
		}
		if err != nil && !errors.Is(err, errNoCommit) {
			return w, err
		}
		next, err := s.search(w.end+blockBytes, s.size, w.last)
		if err != nil || next < 0 {
			return w, err
		}
		// A whole commit behind one that is not: no crash does that, because only
		// one commit is ever under way.
		w.bad = append(w.bad, damage{w.end, next})
		h, body, err = s.commitAt(next)
		if err != nil {
			return w, err
		}
		fn(h, next, body)
		w.from, w.end, w.last = next, next+h.size(), h.number
	}
}

// search returns the offset of the first whole commit in [from, to) whose number
// is above prev, -1 where there is none.
func (s *scanner) search(from, to int64, prev uint64) (int64, error) {
	window := min(1<<20, max(to-from, 0))
	b := make([]byte, window)
	for off := from; off < to; off += window {
		n, rerr := s.r.ReadAt(b[:min(window, to-off)], off)
		if rerr != nil && !errors.Is(rerr, io.EOF) {
			return -1, fmt.Errorf("reading the log at byte %d: %w", off, rerr)
		}
		for p := 0; p+headerBytes <= n; p += blockBytes {
			h, err := s.headerIn(b[p:])
			if errors.Is(err, ErrVersion) && s.log != 0 {
				return -1, err
			}
			if err != nil || h.number <= prev {
				continue
			}
			_, _, err = s.bodyOf(h, off+int64(p))
			if err == nil {
				return off + int64(p), nil
			}
			if !errors.Is(err, errNoCommit) {
				return -1, err
			}
		}
	}
	return -1, nil
}
