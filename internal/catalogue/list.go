package catalogue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A Filter selects recordings. Its zero value selects the newest thousand. IDs
// match in whatever case they are written: people copy them from other tools.
type Filter struct {
	Call         recorder.CallID
	Tenant       string
	ObservedUser string
	State        State
	Outcome      string
	Since, Until time.Time // of the invite; Until is exclusive
	Limit        int       // 0: 1000
}

const defaultLimit = 1000

// fromBoth has a call without recordings as a row without a recording.
const fromBoth = recordingColumns + `FROM recordings r FULL JOIN calls c ON c.id = r.call LEFT JOIN outcomes o ON o.call = COALESCE(r.call, c.id) `

// Recordings returns the recordings that the filter selects, newest call first.
func (c *Catalogue) Recordings(ctx context.Context, f Filter) ([]Recording, error) {
	return c.list(ctx, fromRecordings, f)
}

// Invites returns what came of each invite that the filter selects, newest call
// first: its recordings, or, where it has none, the call alone.
func (c *Catalogue) Invites(ctx context.Context, f Filter) ([]Recording, error) {
	return c.list(ctx, fromBoth, f)
}

func (c *Catalogue) list(ctx context.Context, from string, f Filter) ([]Recording, error) {
	q := query{text: from}
	q.equal("LOWER(COALESCE(r.call, c.id)) = LOWER(?)", string(f.Call))
	q.equal("LOWER(c.tenant) = LOWER(?)", f.Tenant)
	q.equal("LOWER(c.observed_user) = LOWER(?)", f.ObservedUser)
	q.equal("r.state = ?", string(f.State))
	q.equal("o.outcome = ?", f.Outcome)
	q.between("c.invited_at", f.Since, f.Until)
	text, args := q.done("ORDER BY c.invited_at DESC, r.id", f.Limit)
	all, err := rows(ctx, c.read, scanRecording, text, args...)
	if err != nil {
		return nil, fmt.Errorf("catalogue: recordings: %w", err)
	}
	return all, nil
}

// A query is a statement in the making: its conditions and their values.
type query struct {
	text  string
	where []string
	args  []any
}

func (q *query) add(condition string, arg any) {
	q.where, q.args = append(q.where, condition), append(q.args, arg)
}

// equal adds a condition, unless nothing is asked for.
func (q *query) equal(condition, value string) {
	if value != "" {
		q.add(condition, value)
	}
}

// between bounds a column of times; a zero time is no bound.
func (q *query) between(column string, since, until time.Time) {
	if !since.IsZero() {
		q.add(column+" >= ?", since.UnixNano())
	}
	if !until.IsZero() {
		q.add(column+" < ?", until.UnixNano())
	}
}

func (q *query) done(order string, limit int) (text string, args []any) {
	if len(q.where) > 0 {
		q.text += "WHERE " + strings.Join(q.where, " AND ") + " "
	}
	if limit <= 0 {
		limit = defaultLimit
	}
	return q.text + order + " LIMIT ?", append(q.args, limit)
}

// Find returns the recording with that ID, or, where it is a call's, what
// Invites has of the call. The case does not matter, where it leaves no doubt.
// ErrUnknown: there is neither.
func (c *Catalogue) Find(ctx context.Context, id string) ([]Recording, error) {
	all, err := rows(ctx, c.read, scanRecording, fromRecordings+`WHERE LOWER(r.id) = LOWER(?) ORDER BY r.id`, id)
	if err != nil {
		return nil, fmt.Errorf("catalogue: recording: %w", err)
	}
	for _, r := range all {
		if r.ID == id {
			return []Recording{r}, nil
		}
	}
	if len(all) == 0 && id != "" {
		all, err = c.Invites(ctx, Filter{Call: recorder.CallID(id), Limit: 1 << 30})
	}
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("catalogue: recording or call %.140q: %w", id, ErrUnknown)
	}
	return all, err
}
