package catalogue

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// Flags are the words by which a recording's flags can be asked for: what the archive
// found in it that a person may want to look at.
func Flags() []string {
	return []string{"clipping", "gapShare", "missingSpeaker", "oneWay", "silentWhileUnmuted", "veryShort"}
}

// ParseFlag returns the flag of that name, whatever its case. The error says which
// there are.
func ParseFlag(name string) (string, error) {
	i := slices.IndexFunc(Flags(), func(f string) bool { return strings.EqualFold(f, name) })
	if i < 0 {
		return "", fmt.Errorf("flag %.60q is not known; it is one of %s", name, strings.Join(Flags(), ", "))
	}
	return Flags()[i], nil
}

// flags enters a recording's flags in place of those that it had. What Flags does not
// list is kept too: a newer archive may have found it.
func (s *session) flags(recording string, flags []string) error {
	if _, err := s.put(dropFlags, recording); err != nil {
		return err
	}
	for _, flag := range flags {
		if _, err := s.put(putFlag, recording, clean(flag)); err != nil {
			return err
		}
	}
	return nil
}

// flagsAtOnce bounds the values of one statement.
const flagsAtOnce = 500

// recordings runs a query for recordings and adds their flags.
func (c *Catalogue) recordings(ctx context.Context, text string, args ...any) ([]Recording, error) {
	all, err := rows(ctx, c.read, scanRecording, text, args...)
	if err != nil {
		return nil, fmt.Errorf("catalogue: recordings: %w", err)
	}
	place := map[string]int{}
	var archived []any
	for i, r := range all {
		if r.State == StateArchived { // no other has flags
			place[r.ID] = i
			archived = append(archived, r.ID)
		}
	}
	type flag struct{ recording, flag string }
	for some := range slices.Chunk(archived, flagsAtOnce) {
		flags, err := rows(ctx, c.read, func(r *sql.Rows) (f flag, err error) { return f, r.Scan(&f.recording, &f.flag) },
			`SELECT recording, flag FROM recording_flags WHERE recording IN (?`+strings.Repeat(", ?", len(some)-1)+`)`, some...)
		if err != nil {
			return nil, fmt.Errorf("catalogue: flags: %w", err)
		}
		for _, f := range flags {
			r := &all[place[f.recording]]
			r.Flags = append(r.Flags, f.flag)
		}
	}
	for _, i := range place {
		slices.Sort(all[i].Flags)
	}
	return all, nil
}
