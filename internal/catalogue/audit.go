package catalogue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// An AuditEntry says what somebody asked of us, or what came of it: then it has
// the same Request. Entries are never changed.
type AuditEntry struct {
	Request  string // names the request; the same in all that is said of it
	At       time.Time
	Identity string // who, as the configuration names them
	Role     string
	Action   string
	Call     recorder.CallID // empty: not about one call
	Result   string          // granted, forbidden, or what came of it
	Remote   string          // the address that it came from
	Detail   string          // the reason that was given, or what went wrong
}

// An AuditFilter selects audit entries. Its zero value selects the newest
// thousand.
type AuditFilter struct {
	Call         recorder.CallID
	Identity     string
	Action       string
	Since, Until time.Time // Until is exclusive
	Limit        int       // 0: 1000
}

// mostDetail bounds what a stranger to this package may put into a row.
const mostDetail = 4 << 10

// Audit makes an entry durable, after everything queued before, and then
// returns. An error of ctx says that nobody knows: it may still get in.
//
// It comes before the act (law 7). If we crash after it, the audit says more than
// was done, never less.
func (c *Catalogue) Audit(ctx context.Context, e AuditEntry) error {
	if e.Request == "" || e.Identity == "" || e.Action == "" || e.Result == "" {
		return errors.New("catalogue: an audit entry needs a request, an identity, an action and a result")
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.Identity, e.Remote, e.Call = clean(e.Identity), clean(e.Remote), recorder.CallID(clean(string(e.Call)))
	e.Detail = clean(e.Detail[:min(len(e.Detail), mostDetail)])
	return c.await(ctx, "audit", len(e.Detail)+len(e.Call), func(s *session) error {
		_, err := s.put(putAudit, e.Request, nanos(e.At), e.Identity, e.Role, e.Action, string(e.Call), e.Result, e.Remote, e.Detail)
		return err
	})
}

// Audited returns the audit entries that the filter selects, newest first.
func (c *Catalogue) Audited(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	q := query{text: `SELECT request, at, identity, role, action, call, result, remote, detail FROM audit `}
	q.equal("LOWER(call) = LOWER(?)", string(f.Call))
	q.equal("identity = ?", f.Identity)
	q.equal("action = ?", f.Action)
	q.between("at", f.Since, f.Until)
	text, args := q.done("ORDER BY number DESC", f.Limit)
	all, err := rows(ctx, c.read, func(r *sql.Rows) (AuditEntry, error) {
		var e AuditEntry
		var at int64
		err := r.Scan(&e.Request, &at, &e.Identity, &e.Role, &e.Action, &e.Call, &e.Result, &e.Remote, &e.Detail)
		e.At = instant(at)
		return e, err
	}, text, args...)
	if err != nil {
		return nil, fmt.Errorf("catalogue: audit: %w", err)
	}
	return all, nil
}
