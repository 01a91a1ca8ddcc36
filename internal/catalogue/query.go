package catalogue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A Call is what the catalogue knows of one invite.
type Call struct {
	// Invite is the invite without Raw, which is in the journal's entry of kind
	// invite: its first, unless something else was journaled before it came. Where
	// the invite was lost there is no such entry, and only Call.ID and At (of the
	// first entry) are set.
	Invite recorder.Invite
	// InviteKnown is false where the invite itself was lost.
	InviteKnown bool
	// Outcome is nil while the call has none.
	Outcome *Outcome
}

// An Outcome is how a call ended.
type Outcome struct {
	Call    recorder.CallID
	Outcome string // recorder.Outcome's word
	Cause   recorder.Cause
	Detail  string
	At      time.Time
}

// A JournalEntry is one line of a call's journal. Seq counts from 1, without
// holes.
type JournalEntry struct {
	Seq  int64
	At   time.Time
	Kind string
	Data json.RawMessage
}

const callColumns = `SELECT c.id, c.invite_known, c.invited_at, c.platform_id, c.tenant, c.scenario, c.call_chain,
		c.observed_participant, c.my_participant, c.observed_user, c.application_instance, c.policy, c.region, c.thread_id,
		c.direction, c.facts, COALESCE(o.outcome, ''), COALESCE(o.cause, ''), COALESCE(o.detail, ''), COALESCE(o.at, 0)
	FROM calls c LEFT JOIN outcomes o ON o.call = c.id `

func scanCall(r *sql.Rows) (Call, error) {
	var c Call
	var o Outcome
	var known int
	var at, ended int64
	var facts string
	i := &c.Invite
	err := r.Scan(&i.Call.ID, &known, &at, &i.Call.Platform, &i.Call.Tenant, &i.Call.Scenario, &i.CallChain,
		&i.ObservedParticipant, &i.MyParticipant, &i.ObservedUser, &i.ApplicationInstance, &i.Policy, &i.Region, &i.ThreadID,
		&i.Direction, &facts, &o.Outcome, &o.Cause, &o.Detail, &ended)
	i.At, i.Facts, c.InviteKnown = instant(at), factsOf(facts), known != 0
	if o.Outcome != "" {
		o.Call, o.At = i.Call.ID, instant(ended)
		c.Outcome = &o
	}
	return c, err
}

// calls runs a query for calls and adds whom their invites name.
func (c *Catalogue) calls(ctx context.Context, where string, args ...any) ([]Call, error) {
	all, err := rows(ctx, c.read, scanCall, callColumns+where, args...)
	for i := range all {
		if err == nil {
			all[i].Invite.Parties, err = c.partiesOf(ctx, all[i].Invite.Call.ID)
		}
	}
	return all, err
}

// Call returns one call, or ErrUnknown.
func (c *Catalogue) Call(ctx context.Context, id recorder.CallID) (Call, error) {
	all, err := c.calls(ctx, `WHERE c.id = ?`, string(id))
	switch {
	case err != nil:
		return Call{}, fmt.Errorf("catalogue: call: %w", err)
	case len(all) == 0:
		return Call{}, fmt.Errorf("catalogue: call %s: %w", id, ErrUnknown)
	}
	return all[0], nil
}

// Unfinished returns the calls without an outcome, oldest first: at start,
// those that a dead process has left.
func (c *Catalogue) Unfinished(ctx context.Context) ([]Call, error) {
	all, err := c.calls(ctx, `WHERE o.call IS NULL ORDER BY c.invited_at, c.id`)
	if err != nil {
		return nil, fmt.Errorf("catalogue: unfinished calls: %w", err)
	}
	return all, nil
}

// Journal returns a call's journal, in order. A call without one has none; that
// is not an error. Entries that are queued and not yet durable are not in it.
func (c *Catalogue) Journal(ctx context.Context, id recorder.CallID) ([]JournalEntry, error) {
	all, err := rows(ctx, c.read, func(r *sql.Rows) (JournalEntry, error) {
		var e JournalEntry
		var at int64
		var data []byte
		err := r.Scan(&e.Seq, &at, &e.Kind, &data)
		e.At, e.Data = instant(at), data
		return e, err
	}, `SELECT seq, at, kind, data FROM journal WHERE call = ? ORDER BY seq`, string(id))
	if err != nil {
		return nil, fmt.Errorf("catalogue: journal of %s: %w", id, err)
	}
	return all, nil
}

// OutcomeOf returns a call's outcome, or ErrUnknown while it has none.
func (c *Catalogue) OutcomeOf(ctx context.Context, id recorder.CallID) (Outcome, error) {
	o := Outcome{Call: id}
	var at int64
	err := c.read.QueryRowContext(ctx, `SELECT outcome, cause, detail, at FROM outcomes WHERE call = ?`, string(id)).
		Scan(&o.Outcome, &o.Cause, &o.Detail, &at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Outcome{}, fmt.Errorf("catalogue: outcome of %s: %w", id, ErrUnknown)
	case err != nil:
		return Outcome{}, fmt.Errorf("catalogue: outcome of %s: %w", id, err)
	}
	o.At = instant(at)
	return o, nil
}

// CountOutcomes returns how many calls ended in each outcome, by its word;
// under "" those that have none.
func (c *Catalogue) CountOutcomes(ctx context.Context) (map[string]int, error) {
	type count struct {
		outcome string
		calls   int
	}
	all, err := rows(ctx, c.read, func(r *sql.Rows) (n count, err error) { return n, r.Scan(&n.outcome, &n.calls) },
		`SELECT COALESCE(o.outcome, '') AS outcome, COUNT(*) FROM calls c LEFT JOIN outcomes o ON o.call = c.id GROUP BY COALESCE(o.outcome, '')`)
	if err != nil {
		return nil, fmt.Errorf("catalogue: count outcomes: %w", err)
	}
	counts := make(map[string]int, len(all))
	for _, n := range all {
		counts[n.outcome] = n.calls
	}
	return counts, nil
}
