package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A line is an entry as the journal has it.
type line struct {
	call recorder.CallID
	at   int64
	kind string
	data string
	// What the entry says of a recording, entered with it in one transaction.
	opened *recorder.Opened
	sealed []recorder.SealReport
	people []recorder.Party // whom it names, likewise
}

// encode makes a line of an entry, in its author's goroutine.
func encode(e recorder.Entry) (line, error) {
	if e.Call == "" {
		return line{}, fmt.Errorf("catalogue: an entry of kind %q names no call", e.Kind)
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	data, err := json.Marshal(e.Data)
	if err != nil {
		return line{}, fmt.Errorf("catalogue: entry of kind %q: %w", e.Kind, err)
	}
	l := line{call: e.Call, at: nanos(e.At), kind: string(e.Kind), data: string(data), people: peopleOf(e)}
	switch d := e.Data.(type) {
	case recorder.Opened:
		if e.Kind == recorder.EntryOpened && d.Recording != "" {
			l.opened, l.sealed = &d, chain(d.Previous)
		}
	case recorder.SealReport:
		if e.Kind == recorder.EntrySealed {
			l.sealed = chain(&d)
		}
	}
	return l, nil
}

// chain is a report and those before it that came with it, oldest first.
func chain(r *recorder.SealReport) (all []recorder.SealReport) {
	for ; r != nil; r = r.Previous {
		if r.Recording != "" {
			all = append(all, *r)
		}
	}
	slices.Reverse(all)
	return all
}

// Append makes the entries durable, in order and after everything queued
// before, and then returns. They are written together or not at all. An error
// of ctx says that nobody knows: the entries may still get in. Without entries
// it only waits for what is queued.
func (c *Catalogue) Append(ctx context.Context, entries ...recorder.Entry) error {
	lines := make([]line, len(entries))
	size := 0
	for i, e := range entries {
		l, err := encode(e)
		if err != nil {
			c.metrics.failures.Inc()
			return err
		}
		lines[i], size = l, size+len(l.data)
	}
	return c.await(ctx, "append to the journal", size, func(s *session) error {
		for _, l := range lines {
			if err := s.entry(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// Note queues an entry and never blocks. False: there was no room, or the
// entry can't be written as JSON; it is counted and lost.
func (c *Catalogue) Note(e recorder.Entry) bool {
	l, err := encode(e)
	if err == nil {
		err = c.queue.push(&item{size: len(l.data), write: func(s *session) error { return s.entry(l) }}, noteItems, noteBytes)
	}
	if err != nil {
		c.metrics.failures.Inc()
		c.log.Warn("journal entry refused", zap.String("call", string(e.Call)), zap.String("kind", string(e.Kind)), zap.Error(err))
		return false
	}
	return true
}

// inviteData is the journal's entry about an invite.
type inviteData struct {
	Platform            string `json:"platform"`
	Tenant              string `json:"tenant,omitempty"`
	Scenario            string `json:"scenario,omitempty"`
	CallChain           string `json:"callChain,omitempty"`
	ObservedParticipant string `json:"observedParticipant,omitempty"`
	MyParticipant       string `json:"myParticipant,omitempty"`
	ObservedUser        string `json:"observedUser,omitempty"`
	ApplicationInstance string `json:"applicationInstance,omitempty"`
	Policy              string `json:"policy,omitempty"`
	Region              string `json:"region,omitempty"`
	ThreadID            string `json:"threadId,omitempty"`
	Direction           string `json:"direction,omitempty"`
	// Parties are what was read of Raw; the facts are Raw itself.
	Parties []recorder.Party `json:"parties,omitempty"`
	Raw     json.RawMessage  `json:"raw,omitempty"`
}

// Invited queues the call's row and the first line of its journal, the invite
// with its raw notification. It never blocks. A repeated invite changes
// nothing. Where the queue has no room the call is counted, and its row is made
// without the invite by the first entry that does get in.
func (c *Catalogue) Invited(inv recorder.Invite) {
	if inv.At.IsZero() {
		inv.At = time.Now()
	}
	l, err := encode(recorder.Entry{Call: inv.Call.ID, At: inv.At, Kind: recorder.EntryInvite, Data: inviteData{
		Platform: inv.Call.Platform, Tenant: inv.Call.Tenant, Scenario: inv.Call.Scenario, CallChain: inv.CallChain,
		ObservedParticipant: inv.ObservedParticipant, MyParticipant: inv.MyParticipant, ObservedUser: inv.ObservedUser,
		ApplicationInstance: inv.ApplicationInstance, Policy: inv.Policy, Region: inv.Region, ThreadID: inv.ThreadID,
		Direction: inv.Direction, Parties: inv.Parties, Raw: rawJSON(inv.Raw),
	}})
	if err == nil {
		err = c.queue.push(&item{size: len(l.data), write: func(s *session) error { return s.invited(inv, l) }}, mostItems, mostBytes)
	}
	if err != nil {
		c.metrics.failures.Inc()
		c.log.Error("an invite is not catalogued", zap.String("call", string(inv.Call.ID)), zap.Error(err))
	}
}

func (s *session) invited(inv recorder.Invite, l line) error {
	n, err := s.put(putInvite, string(inv.Call.ID), nanos(inv.At), clean(inv.Call.Platform), clean(inv.Call.Tenant),
		clean(inv.Call.Scenario), clean(inv.CallChain), clean(inv.ObservedParticipant), clean(inv.MyParticipant),
		clean(inv.ObservedUser), clean(inv.ApplicationInstance), clean(inv.Policy), clean(inv.Region), clean(inv.ThreadID), clean(inv.Direction),
		factsText(inv.Facts))
	if err != nil || n == 0 {
		return err
	}
	if err := s.parties(inv); err != nil {
		return err
	}
	return s.entry(l)
}

// outcomeData is the journal's last line about a call's fate.
type outcomeData struct {
	Outcome    string                `json:"outcome"`
	Cause      string                `json:"cause"`
	Detail     string                `json:"detail,omitempty"`
	Recordings []recorder.SealReport `json:"recordings,omitempty"`
}

// Conclude writes the call's outcome, its journal entry and what is said of
// its recordings, in one transaction, durable on return. The first outcome of a
// call wins; later ones are refused with recorder.ErrConcluded and leave no
// trace.
func (c *Catalogue) Conclude(ctx context.Context, end recorder.Conclusion) error {
	if end.Outcome < recorder.OutcomeRecorded || end.Outcome > recorder.OutcomeRejected {
		return fmt.Errorf("catalogue: conclude: %d is no outcome", end.Outcome)
	}
	if end.At.IsZero() {
		end.At = time.Now()
	}
	end.Detail = clean(end.Detail)
	l, err := encode(recorder.Entry{Call: end.Call, At: end.At, Kind: recorder.EntryOutcome, Data: outcomeData{
		Outcome: end.Outcome.String(), Cause: string(end.Cause), Detail: end.Detail, Recordings: end.Recordings,
	}})
	if err != nil {
		c.metrics.failures.Inc()
		return err
	}
	return c.await(ctx, "conclude", len(l.data), func(s *session) error { return s.conclude(end, l) })
}

func (s *session) conclude(end recorder.Conclusion, l line) error {
	n, err := s.put(putOutcome, string(end.Call), end.Outcome.String(), string(end.Cause), end.Detail, nanos(end.At))
	switch {
	case err != nil:
		return err
	case n == 0:
		return recorder.ErrConcluded
	}
	if err := s.entry(l); err != nil {
		return err
	}
	for _, r := range end.Recordings {
		if r.Recording == "" {
			continue
		}
		if err := s.sealed(end.Call, r); err != nil {
			return err
		}
		// What was told at the seal may have been what the numbers show.
		if _, err := s.put(putExact, clamp(r.Samples), clamp(r.GapSamples), r.Recording); err != nil {
			return err
		}
	}
	delete(s.next, end.Call) // little is said of a call after its end
	s.met.forget(end.Call)
	return nil
}

// Durable returns when all that was queued before it is on stable storage: what
// Invited and Note have taken, too.
func (c *Catalogue) Durable(ctx context.Context) error {
	return c.await(ctx, "wait for the disk", 0, func(*session) error { return nil })
}

// await queues work and waits until it is durable.
func (c *Catalogue) await(ctx context.Context, what string, size int, write func(*session) error) error {
	it := &item{size: size, write: write, done: make(chan error, 1)}
	if err := c.queue.push(it, mostItems, mostBytes); err != nil {
		if !errors.Is(err, ErrClosed) {
			c.metrics.failures.Inc()
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	select {
	case err := <-it.done:
		if err != nil {
			return fmt.Errorf("catalogue: %s: %w", what, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("catalogue: %s: not known to be durable: %w", what, ctx.Err())
	}
}

// clean makes a text storable everywhere: PostgreSQL knows no NUL and no
// broken UTF-8.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?")
}

// rawJSON is evidence as it was; what is not JSON becomes a JSON string.
func rawJSON(raw []byte) json.RawMessage {
	raw = bytes.ToValidUTF8(bytes.TrimSpace(raw), []byte("?"))
	if len(raw) == 0 {
		return nil
	}
	if json.Valid(raw) {
		return raw
	}
	text, err := json.Marshal(clean(string(raw)))
	if err != nil {
		return nil
	}
	return text
}
