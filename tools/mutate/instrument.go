package main

import (
	"cmp"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// An edit puts text in the place of what lies between two offsets.
type edit struct {
	from, to int
	text     string
	// Where several insert at one place, those that close come first, the innermost
	// of them before the others, and then those that open, outermost first.
	closes bool
	width  int // of what is wrapped
	order  int
}

func (s *source) wrap(n ast.Node, before, after string) {
	from, to := s.offset(n.Pos()), s.offset(n.End())
	k := len(s.edits)
	s.edits = append(s.edits,
		edit{from: from, to: from, text: before, width: to - from, order: k},
		edit{from: to, to: to, text: after, closes: true, width: to - from, order: k})
}

func (s *source) replace(from, to token.Pos, text string) {
	s.edits = append(s.edits, edit{from: s.offset(from), to: s.offset(to), text: text, order: len(s.edits)})
}

func (s *source) insert(at token.Pos, text string) { s.replace(at, at, text) }

func byPlace(a, b edit) int {
	if c := cmp.Compare(a.from, b.from); c != 0 {
		return c
	}
	if a.closes != b.closes {
		if a.closes {
			return -1
		}
		return 1
	}
	if a.closes {
		return cmp.Or(cmp.Compare(a.width, b.width), cmp.Compare(b.order, a.order))
	}
	return cmp.Or(cmp.Compare(b.width, a.width), cmp.Compare(a.order, b.order))
}

// instrumented is the file with all its mutants in it. Lines stay where they are.
func (s *source) instrumented() []byte {
	slices.SortStableFunc(s.edits, byPlace)
	var b strings.Builder
	at := 0
	for _, e := range s.edits {
		b.Write(s.text[at:e.from])
		b.WriteString(e.text)
		at = e.to
	}
	b.Write(s.text[at:])
	return []byte(b.String())
}

// helper is the file that wakes one mutant, and tells which guards a run reached.
const helper = `package PACKAGE

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
)

var (
	mutantAwake, _ = strconv.Atoi(os.Getenv("MUTANT"))
	mutantReached  = os.Getenv("MUTANT_REACHED")
	mutantSeen     [COUNT]atomic.Bool
)

func mutantIs(id int) bool {
	if mutantReached != "" {
		mutantNote(id)
	}
	return id != 0 && id == mutantAwake
}

// mutantNote writes at once: a test may end the process.
func mutantNote(id int) {
	if id == 0 || mutantSeen[id].Load() || mutantSeen[id].Swap(true) {
		return
	}
	f, err := os.OpenFile(mutantReached, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	if _, err := f.WriteString(strconv.Itoa(id) + "\n"); err != nil {
		panic(err)
	}
	if err := f.Close(); err != nil {
		panic(err)
	}
}

func mutantBool(t, f int, b bool) bool {
	if mutantIs(t) {
		return true
	}
	return !mutantIs(f) && b
}

func mutantLess[T cmp.Ordered](id int, a, b T) bool {
	if mutantIs(id) {
		return a <= b
	}
	return a < b
}

func mutantAtMost[T cmp.Ordered](id int, a, b T) bool {
	if mutantIs(id) {
		return a < b
	}
	return a <= b
}

func mutantMore[T cmp.Ordered](id int, a, b T) bool {
	if mutantIs(id) {
		return a >= b
	}
	return a > b
}

func mutantAtLeast[T cmp.Ordered](id int, a, b T) bool {
	if mutantIs(id) {
		return a > b
	}
	return a >= b
}

func mutantMin[T cmp.Ordered](first, second int, a, b T) T {
	switch {
	case mutantIs(first):
		return a
	case mutantIs(second):
		return b
	}
	return min(a, b)
}

func mutantMax[T cmp.Ordered](first, second int, a, b T) T {
	switch {
	case mutantIs(first):
		return a
	case mutantIs(second):
		return b
	}
	return max(a, b)
}

func mutantList[T any](first int, all []T) []T {
	for i := range all {
		if mutantIs(first + i) {
			return slices.Delete(all, i, i+1)
		}
	}
	return all
}
`
