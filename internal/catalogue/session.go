package catalogue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// mostCounted bounds the memory for sequence numbers; beyond it all are read
// again.
const mostCounted = 16 << 10

// A session is the writing connection with its prepared statements. Only the
// writer goroutine uses it, always inside a transaction.
type session struct {
	conn *sql.Conn
	stmt [statements]*sql.Stmt
	// next is the next sequence number of each call whose journal was written to
	// since the last fault. There is no other writer.
	next map[recorder.CallID]int64
	met  met
	// wrote is set where the transaction changed anything.
	wrote bool
}

// The prepared statements.
const (
	putInvite = iota
	putStub
	lastSeq
	putEntry
	putOutcome
	putOpened
	putSealed
	putExact
	putArchived
	putFailed
	putProbe
	dropProbe
	putAudit
	putParty
	putFlag
	dropFlags
	statements
)

// queries are the statements' texts, in SQL that SQLite and PostgreSQL share.
func queries() [statements]string {
	return [statements]string{
		putInvite: `INSERT INTO calls (id, invite_known, invited_at, platform_id, tenant, scenario, call_chain, observed_participant,
				my_participant, observed_user, application_instance, policy, region, thread_id, direction, facts)
			VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET invite_known = 1, invited_at = excluded.invited_at, platform_id = excluded.platform_id,
				tenant = excluded.tenant, scenario = excluded.scenario, call_chain = excluded.call_chain,
				observed_participant = excluded.observed_participant, my_participant = excluded.my_participant,
				observed_user = excluded.observed_user, application_instance = excluded.application_instance,
				policy = excluded.policy, region = excluded.region, thread_id = excluded.thread_id, direction = excluded.direction,
				facts = excluded.facts
			WHERE calls.invite_known = 0`,
		putStub: `INSERT INTO calls (id, invite_known, invited_at, platform_id, tenant, scenario, call_chain, observed_participant,
				my_participant, observed_user, application_instance, policy, region, thread_id, direction, facts)
			VALUES (?, 0, ?, '', '', '', '', '', '', '', '', '', '', '', '', '')
			ON CONFLICT (id) DO NOTHING`,
		lastSeq:    `SELECT COALESCE(MAX(seq), 0) FROM journal WHERE call = ?`,
		putEntry:   `INSERT INTO journal (call, seq, at, kind, data) VALUES (?, ?, ?, ?, ?)`,
		putOutcome: `INSERT INTO outcomes (call, outcome, cause, detail, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (call) DO NOTHING`,
		putOpened: `INSERT INTO recordings (id, call, state, opened_at, sealed_at, started_at, ended_at, frames, samples, gap_samples,
				discarded, last_seq, bytes, path, manifest_sha256, archive_number, detail)
			VALUES (?, ?, 'open', ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', 0, '')
			ON CONFLICT (id) DO NOTHING`,
		// A seal is not undone, and what is archived stays so.
		putSealed: `INSERT INTO recordings (id, call, state, opened_at, sealed_at, started_at, ended_at, frames, samples, gap_samples,
				discarded, last_seq, bytes, path, manifest_sha256, archive_number, detail)
			VALUES (?, ?, 'sealed', 0, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', '', 0, '')
			ON CONFLICT (id) DO UPDATE SET state = 'sealed', sealed_at = excluded.sealed_at, started_at = excluded.started_at,
				ended_at = excluded.ended_at, frames = excluded.frames, samples = excluded.samples,
				gap_samples = excluded.gap_samples, discarded = excluded.discarded, last_seq = excluded.last_seq
			WHERE recordings.state = 'open'`,
		putExact: `UPDATE recordings SET samples = ?, gap_samples = ? WHERE id = ? AND state = 'sealed'`,
		putArchived: `UPDATE recordings SET state = 'archived', path = ?, manifest_sha256 = ?, samples = ?, gap_samples = ?, bytes = ?,
				started_at = ?, ended_at = ?, detail = '',
				archive_number = CASE WHEN archive_number > 0 THEN archive_number
					ELSE (SELECT COALESCE(MAX(archive_number), 0) + 1 FROM recordings) END
			WHERE id = ?`,
		putFailed: `UPDATE recordings SET state = 'failed', detail = ? WHERE id = ? AND state <> 'archived'`,
		putProbe:  `INSERT INTO journal (call, seq, at, kind, data) VALUES ('', 1, 0, 'probe', ?)`,
		dropProbe: `DELETE FROM journal WHERE call = ''`,
		putAudit: `INSERT INTO audit (number, request, at, identity, role, action, call, result, remote, detail)
			VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM audit), ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		putParty: `INSERT INTO parties (call, role, place, participant, kind, id, number, name, tenant, who, called)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (call, role, participant, kind, id, name) DO NOTHING`,
		putFlag:   `INSERT INTO recording_flags (recording, flag) VALUES (?, ?) ON CONFLICT (recording, flag) DO NOTHING`,
		dropFlags: `DELETE FROM recording_flags WHERE recording = ?`,
	}
}

func newSession(ctx context.Context, db *sql.DB) (*session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("catalogue: connect the writer: %w", err)
	}
	s := &session{
		conn: conn, next: make(map[recorder.CallID]int64), met: met{calls: make(map[recorder.CallID]map[[16]byte]struct{})},
	}
	for i, q := range queries() {
		if s.stmt[i], err = conn.PrepareContext(ctx, q); err != nil {
			s.close()
			return nil, fmt.Errorf("catalogue: prepare statement %d: %w", i, err)
		}
	}
	return s, nil
}

func (s *session) close() {
	for _, st := range s.stmt {
		if st != nil {
			_ = st.Close()
		}
	}
	_ = s.conn.Close()
}

// put runs a statement and returns how many rows it changed.
func (s *session) put(stmt int, args ...any) (int64, error) {
	res, err := s.stmt[stmt].ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	s.wrote = s.wrote || n > 0
	return n, err
}

// entry adds a line to a call's journal. The first line of a call that this
// process writes also makes sure that the call has a row, so that Unfinished
// finds it even where its invite was lost.
func (s *session) entry(e line) error {
	seq, ok := s.next[e.call]
	if !ok {
		var last int64
		if err := s.stmt[lastSeq].QueryRowContext(context.Background(), string(e.call)).Scan(&last); err != nil {
			return err
		}
		if _, err := s.put(putStub, string(e.call), e.at); err != nil {
			return err
		}
		seq = last + 1
	}
	if _, err := s.put(putEntry, string(e.call), seq, e.at, e.kind, e.data); err != nil {
		return err
	}
	if len(s.next) > mostCounted {
		clear(s.next)
	}
	s.next[e.call] = seq + 1
	if err := s.people(e.call, seq, e.people); err != nil {
		return err
	}
	if e.opened != nil {
		if err := s.opened(e.opened.Recording, e.call, e.opened.At); err != nil {
			return err
		}
	}
	for _, r := range e.sealed {
		if err := s.sealed(e.call, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) opened(id string, call recorder.CallID, at time.Time) error {
	_, err := s.put(putOpened, id, string(call), nanos(at))
	return err
}

func (s *session) sealed(call recorder.CallID, r recorder.SealReport) error {
	_, err := s.put(putSealed, r.Recording, string(call), nanos(r.At), nanos(r.FirstAt), nanos(r.LastAt),
		clamp(r.Frames), clamp(r.Samples), clamp(r.GapSamples), clamp(r.Discarded), clamp(r.LastSeq))
	return err
}

// rows scans all rows of a query.
func rows[T any](ctx context.Context, db *sql.DB, scan func(*sql.Rows) (T, error), query string, args ...any) (all []T, err error) {
	r, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for r.Next() {
		v, err := scan(r)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, r.Err()
}

// nanos is a time as the tables have it; the zero time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// instant is nanos backwards, in UTC.
func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// clamp fits a count into the tables' signed numbers.
func clamp(n uint64) int64 { return int64(min(n, 1<<63-1)) }
