package catalogue

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A Link says why two calls belong to one conversation.
type Link string

// The links, the surest first.
const (
	// LinkParticipant: both observe the same participant: the bots of a pair, or one
	// that was invited again.
	LinkParticipant Link = "sameParticipant"
	// LinkPair: the platform named the bot of one as the paired recorder of the other
	// (botData.pairedRecorders).
	LinkPair Link = "pairedRecorder"
	// LinkChain: both have the call chain that is shared by "all the participant calls
	// in a conference" (Graph, call). A transfer may begin another (comms-samples #617).
	LinkChain Link = "callChain"
	// LinkTransferor: one began as a transfer by somebody who was in the other, which
	// was live then.
	LinkTransferor Link = "transferor"
	// LinkThread: both have the same chat thread and are of about the same time; all
	// meetings of a series have one thread.
	LinkThread Link = "thread"
)

// A Related is another call of the same conversation.
type Related struct {
	Call      recorder.CallID
	InvitedAt time.Time
	Outcome   string // empty while it has none
	Cause     recorder.Cause
	Links     []Link
}

// The bounds of the search for related calls.
const (
	// threadSpan is how far apart the invites of one meeting may be: "calls can be up to
	// 24 hours" (comms-samples, learnings of the sample for AKS).
	threadSpan = 24 * time.Hour
	// transferLag is how long before the invite of a transferred call the one before may
	// have ended.
	transferLag = 5 * time.Minute
	// mostRelated is how many calls one link yields at most, the nearest in time: of a
	// meeting with as many people under policy.
	mostRelated = 500
)

// Related returns the other calls of the tenant that belong to the same conversation,
// oldest first, each with all that links it. ErrUnknown: there is no such call.
func (c *Catalogue) Related(ctx context.Context, id recorder.CallID) ([]Related, error) {
	call, err := c.Call(ctx, id)
	if err != nil {
		return nil, err
	}
	found := map[recorder.CallID]*Related{}
	for _, s := range linksOf(&call) {
		all, err := rows(ctx, c.read, scanRelated, relatedColumns+`WHERE c.id <> ? AND c.tenant = ? AND (`+s.where+`) ORDER BY ABS(c.invited_at - ?), c.id LIMIT ?`,
			slices.Concat([]any{string(id), call.Invite.Call.Tenant}, s.args, []any{call.Invite.At.UnixNano(), mostRelated})...)
		if err != nil {
			return nil, fmt.Errorf("catalogue: calls related to %s: %w", id, err)
		}
		for _, r := range all {
			if s.link == LinkThread && apart(call.Invite.Facts, r.facts) {
				continue
			}
			if found[r.Call] == nil {
				found[r.Call] = &r.Related
			}
			if known := found[r.Call]; !slices.Contains(known.Links, s.link) {
				known.Links = append(known.Links, s.link)
			}
		}
	}
	related := make([]Related, 0, len(found))
	for _, r := range found {
		related = append(related, *r)
	}
	slices.SortFunc(related, func(a, b Related) int {
		return cmp.Or(a.InvitedAt.Compare(b.InvitedAt), cmp.Compare(a.Call, b.Call))
	})
	return related, nil
}

const relatedColumns = `SELECT c.id, c.invited_at, c.facts, COALESCE(o.outcome, ''), COALESCE(o.cause, '')
	FROM calls c LEFT JOIN outcomes o ON o.call = c.id `

type relative struct {
	Related

	facts []recorder.Fact
}

func scanRelated(rs *sql.Rows) (r relative, err error) {
	var invited int64
	var facts string
	err = rs.Scan(&r.Call, &invited, &facts, &r.Outcome, &r.Cause)
	r.InvitedAt, r.facts = instant(invited), factsOf(facts)
	return r, err
}

// A linkSearch is the condition that the calls meet which one link joins.
type linkSearch struct {
	link  Link
	where string
	args  []any
}

func linksOf(call *Call) (all []linkSearch) {
	inv := &call.Invite
	add := func(link Link, where string, args ...any) { all = append(all, linkSearch{link, where, args}) }
	if !nobody(inv.ObservedParticipant) {
		add(LinkParticipant, "c.observed_participant = ?", inv.ObservedParticipant)
	}
	add(LinkPair, "c.my_participant IN (SELECT p.participant FROM parties p WHERE p.call = ? AND p.role = 'pairedRecorder' AND p.participant NOT IN "+noone+")",
		string(inv.Call.ID))
	if !nobody(inv.MyParticipant) {
		add(LinkPair, "c.id IN (SELECT p.call FROM parties p WHERE p.role = 'pairedRecorder' AND p.participant = ?)", inv.MyParticipant)
	}
	for _, name := range []string{inv.CallChain, inv.Call.Scenario} {
		if !nobody(name) {
			add(LinkChain, "c.call_chain = ? OR c.scenario = ?", name, name)
		}
	}
	all = append(all, transfersOf(call)...)
	if inv.ThreadID != "" {
		add(LinkThread, "c.thread_id = ? AND c.invited_at BETWEEN ? AND ?", inv.ThreadID, inv.At.Add(-threadSpan).UnixNano(), inv.At.Add(threadSpan).UnixNano())
	}
	return all
}

// noone are the IDs that the platform may write where there is nobody, or nothing: all
// strangers would be one conversation.
const (
	noone  = "('', '" + zeroID + "')"
	zeroID = "00000000-0000-0000-0000-000000000000"
)

func nobody(id string) bool { return id == "" || id == zeroID }

// inIt are the roles in which somebody was in a call of two, who may have transferred it.
const inIt = "('observed', 'policyHolder', 'source', 'otherSide')"

// transfersOf finds the calls that this one was transferred from, and those that it was
// transferred to.
func transfersOf(call *Call) (all []linkSearch) {
	at, ended := call.Invite.At.UnixNano(), call.Outcome
	const same = "SELECT q.call FROM parties q WHERE q.who NOT IN " + noone + " AND (q.kind <> 'phone' OR q.number <> '') AND q.who IN (SELECT p.who FROM parties p WHERE p.call = ? AND p.role "
	all = append(all, linkSearch{
		LinkTransferor,
		"c.id IN (" + same + "= 'transferor') AND q.role IN " + inIt + ") AND c.invited_at <= ? AND (o.at IS NULL OR o.at >= ?)",
		[]any{string(call.Invite.Call.ID), at, at - int64(transferLag)},
	})
	to := linkSearch{
		LinkTransferor, "c.id IN (" + same + "IN " + inIt + ") AND q.role = 'transferor') AND c.invited_at >= ?",
		[]any{string(call.Invite.Call.ID), at},
	}
	if ended != nil {
		to.where, to.args = to.where+" AND c.invited_at <= ?", append(to.args, ended.At.Add(transferLag).UnixNano())
	}
	return append(all, to)
}

// apart reports whether two calls of one thread are of different messages in it: in a
// channel each meeting is one. "0" says that it is the thread as a whole.
func apart(a, b []recorder.Fact) bool {
	x, y := factOf(a, "chatInfo.messageId"), factOf(b, "chatInfo.messageId")
	return x != "" && y != "" && x != "0" && y != "0" && x != y
}

// factOf returns the first value of a field, or none.
func factOf(all []recorder.Fact, name string) string {
	for _, f := range all {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}
