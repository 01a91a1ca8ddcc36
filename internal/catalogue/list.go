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
	var where []string
	var args []any
	add := func(cond string, arg any) { where, args = append(where, cond), append(args, arg) }
	for _, eq := range []struct{ cond, value string }{
		{"LOWER(COALESCE(r.call, c.id)) = LOWER(?)", string(f.Call)},
		{"LOWER(c.tenant) = LOWER(?)", f.Tenant},
		{"LOWER(c.observed_user) = LOWER(?)", f.ObservedUser},
		{"r.state = ?", string(f.State)},
		{"o.outcome = ?", f.Outcome},
	} {
		if eq.value != "" {
			add(eq.cond, eq.value)
		}
	}
	if !f.Since.IsZero() {
		add("c.invited_at >= ?", f.Since.UnixNano())
	}
	if !f.Until.IsZero() {
		add("c.invited_at < ?", f.Until.UnixNano())
	}
	query := from
	if len(where) > 0 {
		query += "WHERE " + strings.Join(where, " AND ") + " "
	}
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	all, err := rows(ctx, c.read, scanRecording, query+"ORDER BY c.invited_at DESC, r.id LIMIT ?", append(args, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("catalogue: recordings: %w", err)
	}
	return all, nil
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
