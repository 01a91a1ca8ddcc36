package graph

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
)

// The bounds of any JSON that comes from outside. A roster of 1000 people has
// some 40 000 values.
const (
	maxMembers = 1000 // of one object
	maxValues  = 100_000
	maxNumber  = 40 // characters
)

// scan walks through JSON that is known to be valid and refuses what is a bomb
// or says two things at once. encoding/json takes the last of two members of
// one name, and "Status" for "status": a reply with both would be read as
// whichever came last, and "completed" is a word that permits recording.
func scan(body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	s := scanner{d: d}
	return s.value()
}

type scanner struct {
	d      *json.Decoder
	values int
}

func (s *scanner) value() error {
	t, err := s.d.Token()
	if err != nil {
		return refuse(ReasonNotJSON, "the body is not JSON")
	}
	if s.values++; s.values > maxValues {
		return refuse(ReasonTooMany, "the body has more than %d values", maxValues)
	}
	switch t := t.(type) {
	case json.Number:
		if len(t) > maxNumber {
			return refuse(ReasonBadNumber, "a number of %d characters; at most %d are taken", len(t), maxNumber)
		}
	case json.Delim:
		return s.inside(t == '{')
	}
	return nil
}

// inside walks through a list or an object to its end. The nesting was bounded
// before.
func (s *scanner) inside(object bool) error {
	var seen map[string]struct{}
	if object {
		seen = make(map[string]struct{})
	}
	for s.d.More() {
		if object {
			if err := s.name(seen); err != nil {
				return err
			}
		}
		if err := s.value(); err != nil {
			return err
		}
	}
	if _, err := s.d.Token(); err != nil {
		return refuse(ReasonNotJSON, "the body is not JSON")
	}
	return nil
}

func (s *scanner) name(seen map[string]struct{}) error {
	t, err := s.d.Token()
	name, ok := t.(string)
	if err != nil || !ok {
		return refuse(ReasonNotJSON, "the body is not JSON")
	}
	key := fold(name)
	if _, twice := seen[key]; twice {
		return refuse(ReasonAmbiguous, "one object has the member %.40q twice, letters' case aside", name)
	}
	if seen[key] = struct{}{}; len(seen) > maxMembers {
		return refuse(ReasonTooMany, "an object has more than %d members", maxMembers)
	}
	return nil
}

// fold maps names that strings.EqualFold takes for equal to one.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
