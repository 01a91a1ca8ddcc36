package catalogue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A Filter selects recordings; all that is set must hold. Its zero value selects the
// newest thousand. IDs match in whatever case they are written: people copy them from
// other tools.
type Filter struct {
	Call         recorder.CallID
	Tenant       string
	ObservedUser string
	State        State
	Outcome      string
	Since, Until time.Time // of the invite; Until is exclusive
	// User is the object ID of anybody whom the invite or a roster names: the observed
	// user, who called or was called, the transferor, any participant.
	User string
	// Number is a telephone number of any of them (recorder.ParseNumber); what has no
	// "+" is compared with international numbers too, without theirs.
	Number string
	// Name is a part of the display name of any of them, in whatever case.
	Name      string
	Direction string // recorder.Invite's
	// Policy is a policy's identifier, or what stands behind the last colon in it:
	// the name that the administrator has given it.
	Policy string
	// Conversation is a call chain's or a thread's ID.
	Conversation string
	// Fields are of the invite, by the names of recorder.Fact; without a value any will do.
	Fields []recorder.Fact
	Flags  []string // see Flags
	Limit  int      // 0: 1000
}

const defaultLimit = 1000

// fromBoth has a call without recordings as a row without a recording. fromCalls
// leaves out the recordings whose call is unknown, and can be searched by index.
const (
	fromBoth  = recordingColumns + `FROM recordings r FULL JOIN calls c ON c.id = r.call LEFT JOIN outcomes o ON o.call = COALESCE(r.call, c.id) `
	fromCalls = recordingColumns + `FROM calls c LEFT JOIN recordings r ON r.call = c.id LEFT JOIN outcomes o ON o.call = c.id `
)

// Recordings returns the recordings that the filter selects, newest call first.
func (c *Catalogue) Recordings(ctx context.Context, f Filter) ([]Recording, error) {
	return c.list(ctx, fromRecordings, f)
}

// Invites returns what came of each invite that the filter selects, newest call
// first: its recordings, or, where it has none, the call alone.
func (c *Catalogue) Invites(ctx context.Context, f Filter) ([]Recording, error) {
	q := query{}
	f.ofCalls(&q)
	if len(q.where) > 0 {
		return c.list(ctx, fromCalls, f)
	}
	return c.list(ctx, fromBoth, f)
}

func (c *Catalogue) list(ctx context.Context, from string, f Filter) ([]Recording, error) {
	q := query{text: from}
	f.ofCalls(&q)
	q.equal("LOWER(COALESCE(r.call, c.id)) = LOWER(?)", string(f.Call))
	q.equal("r.state = ?", string(f.State))
	q.equal("o.outcome = ?", f.Outcome)
	for _, flag := range f.Flags {
		known, err := ParseFlag(flag)
		if err != nil {
			return nil, err
		}
		q.add("r.id IN (SELECT recording FROM recording_flags WHERE flag = ?)", known)
	}
	text, args := q.done("ORDER BY c.invited_at DESC, r.id", f.Limit)
	return c.recordings(ctx, text, args...)
}

// ofCalls adds the conditions that only a call can meet that is in the catalogue.
func (f *Filter) ofCalls(q *query) {
	q.equal("LOWER(c.tenant) = LOWER(?)", f.Tenant)
	q.equal("LOWER(c.observed_user) = LOWER(?)", f.ObservedUser)
	q.equal("LOWER(c.direction) = LOWER(?)", f.Direction)
	q.between("c.invited_at", f.Since, f.Until)
	const named = "c.id IN (SELECT p.call FROM parties p WHERE p."
	q.equal(named+"who = ?)", strings.ToLower(f.User))
	if f.Number != "" {
		digits := strings.TrimPrefix(f.Number, "+")
		if digits != f.Number {
			q.add(named+"who = ? AND p.number <> '')", f.Number)
		} else {
			q.add(named+"who IN (?, ?) AND p.number <> '')", digits, "+"+digits)
		}
	}
	if f.Name != "" {
		q.add(named+"called LIKE ? ESCAPE '!')", "%"+literal(strings.ToLower(f.Name))+"%")
	}
	if f.Policy != "" {
		q.add("(LOWER(c.policy) = LOWER(?) OR LOWER(c.policy) LIKE LOWER(?) ESCAPE '!')", f.Policy, "%:"+literal(f.Policy))
	}
	if id := f.Conversation; id != "" {
		q.add("(c.call_chain IN (?, ?) OR c.scenario IN (?, ?) OR c.thread_id = ?)", id, strings.ToLower(id), id, strings.ToLower(id), id)
	}
	for _, field := range f.Fields {
		pattern := "%\n" + literal(field.Name) + "="
		if field.Value != "" {
			pattern += literal(field.Value) + "\n"
		}
		q.add("LOWER(c.facts) LIKE LOWER(?) ESCAPE '!'", pattern+"%")
	}
}

// literal makes of a text a pattern of LIKE that matches it alone.
func literal(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}

// A query is a statement in the making: its conditions and their values.
type query struct {
	text  string
	where []string
	args  []any
}

func (q *query) add(condition string, args ...any) {
	q.where, q.args = append(q.where, condition), append(q.args, args...)
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
	all, err := c.recordings(ctx, fromRecordings+`WHERE LOWER(r.id) = LOWER(?) ORDER BY r.id`, id)
	if err != nil {
		return nil, err
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
