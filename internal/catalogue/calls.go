package catalogue

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Calls returns the IDs of all calls, oldest first: also of those that only a
// journal or an outcome knows, which nobody could have made but a person.
func (c *Catalogue) Calls(ctx context.Context) ([]recorder.CallID, error) {
	all, err := rows(ctx, c.read, func(r *sql.Rows) (id recorder.CallID, err error) { return id, r.Scan(&id) },
		`SELECT id FROM (
			SELECT id, invited_at FROM calls
			UNION ALL SELECT call, MIN(at) FROM journal WHERE call NOT IN (SELECT id FROM calls) GROUP BY call
			UNION ALL SELECT call, at FROM outcomes WHERE call NOT IN (SELECT id FROM calls) AND call NOT IN (SELECT call FROM journal)
		) AS known ORDER BY invited_at, id`)
	if err != nil {
		return nil, fmt.Errorf("catalogue: calls: %w", err)
	}
	return all, nil
}
