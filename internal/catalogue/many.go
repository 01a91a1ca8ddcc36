package catalogue

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// mostAsked is how many calls one statement asks for. Each is a parameter, and SQLite
// takes 32 766 of them, PostgreSQL 65 535.
const mostAsked = 500

// A Brief says what of the journals of many calls is asked for: the entries of Kinds,
// of the kind Latest the last one alone, and each journal's last entry of whatever kind,
// for its time.
type Brief struct {
	Kinds  []recorder.EntryKind
	Latest recorder.EntryKind
}

// Journals returns of each call's journal what the brief asks for, in order. A process
// that takes up thousands of calls asks once instead of once for each. A call without
// a journal is not in the map. Entries that are queued and not yet durable are not
// in it.
func (c *Catalogue) Journals(ctx context.Context, calls []recorder.CallID, b Brief) (map[recorder.CallID][]JournalEntry, error) {
	all := make(map[recorder.CallID][]JournalEntry, len(calls))
	kinds := make([]any, 0, len(b.Kinds)+2)
	for _, kind := range b.Kinds {
		kinds = append(kinds, string(kind))
	}
	kinds = append(kinds, string(b.Latest), string(b.Latest))
	for some := range slices.Chunk(calls, mostAsked) {
		_, err := rows(ctx, c.read, func(r *sql.Rows) (none struct{}, err error) {
			var call recorder.CallID
			var e JournalEntry
			var at int64
			var data []byte
			err = r.Scan(&call, &e.Seq, &at, &e.Kind, &data)
			e.At, e.Data = instant(at), data
			all[call] = append(all[call], e)
			return none, err
		}, `SELECT j.call, j.seq, j.at, j.kind, j.data FROM journal j WHERE j.call IN (`+places(len(some))+`) AND (
				j.kind IN (`+places(len(b.Kinds))+`)
				OR (j.kind = ? AND j.seq = (SELECT MAX(k.seq) FROM journal k WHERE k.call = j.call AND k.kind = ?))
				OR j.seq = (SELECT MAX(l.seq) FROM journal l WHERE l.call = j.call))
			ORDER BY j.call, j.seq`, append(params(some), kinds...)...)
		if err != nil {
			return nil, fmt.Errorf("catalogue: journals: %w", err)
		}
	}
	return all, nil
}

// RecordingsOf returns the recordings of each of the calls, by ID. A call without one
// is not in the map.
func (c *Catalogue) RecordingsOf(ctx context.Context, calls []recorder.CallID) (map[recorder.CallID][]Recording, error) {
	all := make(map[recorder.CallID][]Recording)
	for some := range slices.Chunk(calls, mostAsked) {
		found, err := rows(ctx, c.read, scanRecording, fromRecordings+recordingsOf(len(some)), params(some)...)
		if err != nil {
			return nil, fmt.Errorf("catalogue: recordings of calls: %w", err)
		}
		for _, r := range found {
			all[r.Call] = append(all[r.Call], r)
		}
	}
	return all, nil
}

func recordingsOf(calls int) string { return `WHERE r.call IN (` + places(calls) + `) ORDER BY r.id` }

// places are the places of n parameters.
func places(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

func params(calls []recorder.CallID) []any {
	all := make([]any, len(calls))
	for i, id := range calls {
		all[i] = string(id)
	}
	return all
}
