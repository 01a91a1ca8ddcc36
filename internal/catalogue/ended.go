package catalogue

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// EndedSince returns the calls whose outcome was entered at that time or later:
// late notifications and repeated invites of theirs are still to be expected.
func (c *Catalogue) EndedSince(ctx context.Context, since time.Time) ([]recorder.CallID, error) {
	all, err := rows(ctx, c.read, func(r *sql.Rows) (id recorder.CallID, err error) { return id, r.Scan(&id) },
		`SELECT call FROM outcomes WHERE at >= ? ORDER BY at`, since.UnixNano())
	if err != nil {
		return nil, fmt.Errorf("catalogue: calls that ended lately: %w", err)
	}
	return all, nil
}
