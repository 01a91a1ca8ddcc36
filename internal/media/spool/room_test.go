package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// Who asks for the room that is left never waits for the filesystem. What it said
// counts for a while, and then there is none.
func TestRoomIsAskedInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		d.free = 36_000_000
		l := open(t, small(d))
		want := func(least, most float64) {
			t.Helper()
			start := time.Now()
			if left := l.SecondsLeft(); left < least || left > most || time.Since(start) > 0 {
				t.Errorf("%.1f seconds left after %v, want %v to %v", left, time.Since(start), least, most)
			}
		}
		want(990, 1010)
		goOn := make(chan struct{})
		d.mu.Lock()
		d.free, d.statfs = 72_000_000, func() error { <-goOn; return nil }
		d.mu.Unlock()
		<-time.After(roomStale / 2)
		want(990, 1010)
		<-time.After(roomStale)
		want(0, 0)
		close(goOn)
		<-time.After(2 * roomEvery)
		want(1990, 2010)
		d.mu.Lock()
		d.statfs = func() error { return unix.EIO }
		d.mu.Unlock()
		<-time.After(roomStale + roomEvery)
		want(0, 0)
		shut(t, l)
	})
}

// Where no index can be written, for the disk is full, space is given back all the
// same.
func TestTrimWithoutIndex(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		l := open(t, small(d))
		const n = 20
		for i := range n {
			r := begin(t, l, ps[0], fmt.Sprintf("r%d", i))
			for k := range uint64(6) {
				store(t, l, r, k*10+1, k*10+10)
			}
			seal(t, r)
		}
		d.mu.Lock()
		d.noFile = unix.ENOSPC
		d.mu.Unlock()
		most := d.segments()
		keep := begin(t, l, ps[0], "keep") // its full segments want an index
		store(t, l, keep, 1, 30)
		for i := range n {
			if err := l.Release(fmt.Sprintf("r%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		for k := range uint64(12) {
			store(t, l, keep, 31+k*10, 40+k*10)
		}
		<-time.After(time.Minute)
		l.known.Lock()
		pending := len(l.pending)
		l.known.Unlock()
		if after := d.segments(); pending == 0 || after > mostSpares+5 || most < 10 {
			t.Errorf("%d segments, %d after a minute, %d indexes not written", most, after, pending)
		}
		shut(t, l)
	})
}

// A segment's name is made durable also where its file is there already: whoever
// made it may have died before. Once is enough, until the file is another.
func TestSegmentNameIsDurable(t *testing.T) {
	t.Parallel()
	var synced []string
	fail := errors.New("no")
	d := disk{named: new(sync.Map), syncParent: func(path string) error {
		synced = append(synced, filepath.Base(path))
		if len(synced) == 1 {
			return fail
		}
		return nil
	}}
	path := filepath.Join(t.TempDir(), slotName(0))
	if _, err := d.Segment(path); !errors.Is(err, fail) {
		t.Fatal(err)
	}
	begin := func() {
		f, err := d.Segment(path)
		if err != nil {
			t.Fatal(err)
		}
		if err = f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	begin()
	if len(synced) != 2 {
		t.Errorf("synced %v", synced)
	}
	if err := d.Remove(path); err != nil {
		t.Fatal(err)
	}
	begin()
	if len(synced) != 3 {
		t.Errorf("synced %v, after another file was made", synced)
	}
}

// What a crash has left of an index is taken away by the next start; what is not
// ours stays.
func TestLeftoversAreSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	leftover, theirs := filepath.Join(dir, "."+indexName(3)+"-123.part"), filepath.Join(dir, "notes.txt")
	for _, path := range []string{leftover, theirs} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, Options{Dir: dir, SegmentSize: minSegmentSize})
	shut(t, l)
	if _, err := os.Stat(leftover); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leftover: %v", err)
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Error(err)
	}
}
