package catalogue

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Calls returns the IDs of all calls, oldest first.
func (c *Catalogue) Calls(ctx context.Context) ([]recorder.CallID, error) {
	all, err := rows(ctx, c.read, func(r *sql.Rows) (id recorder.CallID, err error) { return id, r.Scan(&id) },
		`SELECT id FROM calls ORDER BY invited_at, id`)
	if err != nil {
		return nil, fmt.Errorf("catalogue: calls: %w", err)
	}
	return all, nil
}
