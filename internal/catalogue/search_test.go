package catalogue

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// plan is what SQLite makes of a query.
func plan(t *testing.T, c *Catalogue, text string, args ...any) string {
	t.Helper()
	r, err := c.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // it was only read
	var s strings.Builder
	for r.Next() {
		var id, parent, unused int
		var detail string
		if err := r.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		s.WriteString(detail + "\n")
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return s.String()
}

// TestSearchGoesByIndex: looking for a person or a conversation costs what is found,
// not what is there.
func TestSearchGoesByIndex(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	scan := regexp.MustCompile(`(?m)^SCAN (?:calls|parties|recordings|outcomes|recording_flags|[cprqo])\b(?: USING .*)?$`)
	now := time.Now()
	for name, test := range map[string]struct {
		f    Filter
		want string
	}{
		"user":         {Filter{User: "u"}, "parties_by_who"},
		"number":       {Filter{Number: "+49"}, "parties_by_who"},
		"short number": {Filter{Number: "49"}, "parties_by_who"},
		"times":        {Filter{Since: now.Add(-time.Hour), Until: now}, "calls_by_time"},
		"conversation": {Filter{Conversation: "x"}, "calls_by_chain"},
		"and a thread": {Filter{Conversation: "x"}, "calls_by_thread"},
		"a bit of all": {Filter{User: "u", Since: now, Outcome: "recorded", Flags: []string{"oneWay"}}, "parties_by_who"},
	} {
		q := query{text: fromCalls}
		test.f.ofCalls(&q)
		text, args := q.done("ORDER BY c.invited_at DESC, r.id", 0)
		if got := plan(t, c, text, args...); !strings.Contains(got, test.want) || scan.MatchString(got) {
			t.Errorf("%s: no %s, or a scan, in\n%s", name, test.want, got)
		}
	}
	q := query{text: fromCalls}
	(&Filter{Name: "a"}).ofCalls(&q)
	if text, args := q.done("", 0); !scan.MatchString(plan(t, c, text, args...)) {
		t.Errorf("a scan is not seen where there must be one:\n%s", plan(t, c, text, args...))
	}
	if got := plan(t, c, fromRecordings+recordingsOf(2), "a", "b"); !strings.Contains(got, "recordings_by_call") || scan.MatchString(got) {
		t.Errorf("recordings of calls: a scan in\n%s", got)
	}
	call := Call{Invite: recorder.Invite{
		Call: recorder.CallRef{ID: "a", Tenant: "t", Scenario: "s"}, CallChain: "c", ThreadID: "t", ObservedParticipant: "o", MyParticipant: "m", At: now,
	}, Outcome: &Outcome{At: now}}
	for _, s := range linksOf(&call) {
		text, args := relatedColumns+`WHERE c.id <> ? AND c.tenant = ? AND (`+s.where+`) ORDER BY ABS(c.invited_at - ?), c.id LIMIT ?`, append([]any{"a", "t"}, s.args...)
		if got := plan(t, c, text, append(args, 0, mostRelated)...); scan.MatchString(got) {
			t.Errorf("%s: a scan in\n%s", s.link, got)
		}
	}
}

// TestNearestRelated: where more calls have a thread than are told, those next to the
// call are, and not the first of the day.
func TestNearestRelated(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for i := range 2*mostRelated + 1 {
		c.Invited(recorder.Invite{Call: recorder.CallRef{ID: recorder.CallID(fmt.Sprintf("c%04d", i)), Tenant: "t"}, ThreadID: "19:t", At: at.Add(time.Duration(i) * time.Minute)})
	}
	if err := c.Durable(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := c.Related(t.Context(), "c0600")
	if err != nil || len(all) != mostRelated || all[0].Call != "c0350" || all[mostRelated-1].Call != "c0850" {
		t.Errorf("%v, %d related", err, len(all))
	}
}

// older makes a catalogue as the version before the parties left it.
func older(t *testing.T, dir string) {
	t.Helper()
	path, err := sqlitePath("sqlite:catalogue.db", dir)
	if err != nil {
		t.Fatal(err)
	}
	db, err := openWriter(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if cerr := db.Close(); cerr != nil {
			t.Error(cerr)
		}
	}()
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, sub, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.UpTo(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`INSERT INTO calls VALUES ('a', 1, 1000000000, 'A', 'tenant', 's', 'chain', 'op', 'mp', 'USER-1', 'ai', 'policy', 'EUNO', '19:t', 'callee')`,
		`INSERT INTO calls VALUES ('b', 0, 2000000000, '', '', '', '', '', '', '', '', '', '', '', '')`,
		`INSERT INTO journal VALUES ('a', 1, 1000000000, 'invite', '{"platform":"A","callChain":"chain","observedParticipant":"op","raw":{}}')`,
		`INSERT INTO journal VALUES ('a', 2, 1000000001, 'roster', '{"sequence":0,"delta":false,"participants":[{"id":"p1"}]}')`,
	} {
		if _, err = db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOlderCatalogue: what a version without parties wrote is kept, found by whom it
// observed, and goes on.
func TestOlderCatalogue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	older(t, dir)
	if c, err := Open(t.Context(), "sqlite:catalogue.db", dir, Options{ReadOnly: true}); err == nil || !strings.Contains(err.Error(), `version 2, this program reads 3; start "recorderbot serve"`) {
		t.Errorf("read beside the older version: %v, %v", c, err)
	}
	c := open(t, dir)
	for name, f := range map[string]Filter{"user": {User: "user-1"}, "observed": {ObservedUser: "USER-1"}, "policy": {Policy: "policy"}, "thread": {Conversation: "19:t"}} {
		if all, err := c.Invites(t.Context(), f); err != nil || len(all) != 1 || all[0].Call != "a" {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
	call, err := c.Call(t.Context(), "a")
	if err != nil || len(call.Invite.Parties) != 0 || call.Invite.Facts != nil || call.Invite.CallChain != "chain" {
		t.Errorf("%+v, %v", call, err)
	}
	if err = c.Append(t.Context(), note("a", 3)); err != nil {
		t.Fatal(err)
	}
	c.Invited(recorder.Invite{Call: recorder.CallRef{ID: "b", Tenant: "tenant"}, CallChain: "chain", ObservedUser: "user-2", Parties: []recorder.Party{{Role: recorder.RoleSource, ID: "x"}}})
	if err = c.Durable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all, rerr := c.Related(t.Context(), "b"); rerr != nil || len(all) != 1 || all[0].Call != "a" {
		t.Errorf("related: %v, %v", all, rerr)
	}
	if journal, jerr := c.Journal(t.Context(), "a"); jerr != nil || len(journal) != 3 {
		t.Errorf("journal: %v, %v", journal, jerr)
	}
	if err = c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), "sqlite:catalogue.db", dir, Options{ReadOnly: true, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	if err = r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// crowd is a roster of n people.
type crowd int

func (n crowd) People() (all []recorder.Participant) {
	for i := range int(n) {
		all = append(all, recorder.Participant{ID: fmt.Sprint("p", i), Kind: "user", Identity: fmt.Sprint("u", i)})
	}
	return all
}

// TestMetIsBounded: the memory for participants is, and forgetting loses nobody.
func TestMetIsBounded(t *testing.T) {
	t.Parallel()
	m := met{calls: map[recorder.CallID]map[[16]byte]struct{}{}}
	for i := range 3 * mostMet {
		m.first(recorder.CallID(fmt.Sprint("c", i%7)), recorder.Party{ID: fmt.Sprint(i)})
		if m.all > mostMet || m.first(recorder.CallID(fmt.Sprint("c", i%7)), recorder.Party{ID: fmt.Sprint(i)}) {
			t.Fatalf("%d are remembered after %d", m.all, i)
		}
	}
	counted := 0
	for _, who := range m.calls {
		counted += len(who)
	}
	if counted != m.all {
		t.Errorf("%d are there, %d are counted", counted, m.all)
	}
	for i := range 7 {
		m.forget(recorder.CallID(fmt.Sprint("c", i)))
	}
	if m.all != 0 || len(m.calls) != 0 {
		t.Errorf("%d are left of %v", m.all, m.calls)
	}
}

// TestPeopleSurviveAFailedCommit: who was entered in a transaction that was rolled back
// is entered by the next roster.
func TestPeopleSurviveAFailedCommit(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	roster := recorder.Entry{Call: "a", At: time.Now(), Kind: recorder.EntryRoster, Data: crowd(3)}
	bad := &item{write: func(s *session) error { return s.exec("no SQL at all") }}
	release := hold(t, c) // both in one batch
	if !c.Note(roster) || c.queue.push(bad, mostItems, mostBytes) != nil {
		t.Fatal("no room")
	}
	release()
	if err := c.Append(t.Context(), roster); err != nil {
		t.Fatal(err)
	}
	if people, err := c.People(t.Context(), "a"); err != nil || len(people) != 3 {
		t.Errorf("%v, %v", people, err)
	}
}

// BenchmarkInvited enters invites that say a lot, and rosters of a big meeting that
// say nothing new.
func BenchmarkInvited(b *testing.B) {
	inv := recorder.Invite{Call: recorder.CallRef{Tenant: "tenant"}, CallChain: "chain", ObservedUser: "user", Raw: []byte(`{"a":"` + strings.Repeat("x", 5000) + `"}`)}
	for i := range 12 {
		inv.Parties = append(inv.Parties, recorder.Party{Role: recorder.RoleTarget, Kind: "user", ID: fmt.Sprint("8a34a46b-3d17-4adc-8dce-", i), Name: "Somebody"})
	}
	for i := range 45 {
		inv.Facts = append(inv.Facts, recorder.Fact{Name: fmt.Sprint("source.identity.user.", i), Value: "8a34a46b-3d17-4adc-8dce-dc4e7d572698"})
	}
	run := func(name string, work func(c *Catalogue, i int) error) {
		b.Run(name, func(b *testing.B) {
			c := open(b, b.TempDir())
			for i := range b.N {
				if err := work(c, i); err != nil {
					b.Fatal(err)
				}
			}
			if err := c.Durable(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
	invited := func(c *Catalogue, i int, inv recorder.Invite) error {
		inv.Call.ID = recorder.CallID(fmt.Sprintf("%08d-3d17-4adc-8dce-dc4e7d572698", i))
		c.Invited(inv)
		if i%256 == 0 {
			return c.Durable(context.Background())
		}
		return nil
	}
	run("all", func(c *Catalogue, i int) error { return invited(c, i, inv) })
	run("bare", func(c *Catalogue, i int) error {
		bare := inv
		bare.Parties, bare.Facts = nil, nil
		return invited(c, i, bare)
	})
	run("roster", func(c *Catalogue, _ int) error {
		return c.Append(context.Background(), recorder.Entry{Call: "a", Kind: recorder.EntryRoster, Data: crowd(300)})
	})
}
