package catalogue

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"strings"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// mostMet bounds the memory for participants that are entered already; beyond it all
// are entered again, which changes nothing.
const mostMet = 64 << 10

// met is who was entered of the calls that are written to, so that a big meeting's
// rosters cost no more than the first of them. Only the writer uses it.
type met struct {
	calls map[recorder.CallID]map[[16]byte]struct{}
	all   int
}

func (m *met) clear() { clear(m.calls); m.all = 0 }

// forget ends the memory of a call.
func (m *met) forget(call recorder.CallID) {
	m.all -= len(m.calls[call])
	delete(m.calls, call)
}

// first reports whether the party has not been seen before.
func (m *met) first(call recorder.CallID, p recorder.Party) bool {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(p.Role), p.Participant, p.Kind, p.ID, p.Name}, "\x00")))
	key := [16]byte(sum[:16])
	if _, seen := m.calls[call][key]; seen {
		return false
	}
	if m.all >= mostMet {
		m.clear()
	}
	if m.calls[call] == nil {
		m.calls[call] = make(map[[16]byte]struct{})
	}
	m.calls[call][key] = struct{}{}
	m.all++
	return true
}

// peopleOf are the participants that an entry names and that can be looked for.
func peopleOf(e recorder.Entry) (all []recorder.Party) {
	named, ok := e.Data.(recorder.Peopled)
	if !ok || e.Kind != recorder.EntryRoster {
		return nil
	}
	add := func(p recorder.Participant, i recorder.Identity) {
		if i.ID == "" && i.Name == "" {
			return // who left is named by the participant's ID alone
		}
		who := recorder.Party{
			Role: recorder.RoleParticipant, Participant: p.ID, Kind: i.Kind, ID: i.ID, Name: i.Name, Tenant: i.Tenant,
		}
		if i.Kind == "phone" || i.Kind == "assertedIdentity" && strings.HasPrefix(i.ID, "+") {
			who.Number, _ = recorder.ParseNumber(i.ID) // else none: withheld
		}
		all = append(all, who)
	}
	for _, p := range named.People() {
		add(p, recorder.Identity{Kind: p.Kind, ID: p.Identity, Name: p.Name, Tenant: p.Tenant})
		for _, i := range p.Also {
			add(p, i)
		}
	}
	return all
}

// people enters participants that are not entered yet.
func (s *session) people(call recorder.CallID, seq int64, all []recorder.Party) error {
	for _, p := range all {
		if !s.met.first(call, p) {
			continue
		}
		if err := s.party(call, seq, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) party(call recorder.CallID, place int64, p recorder.Party) error {
	name := clean(p.Name)
	_, err := s.put(putParty, string(call), string(p.Role), place, clean(p.Participant), clean(p.Kind), clean(p.ID), clean(p.Number), name,
		clean(p.Tenant), whoOf(p), strings.ToLower(name))
	return err
}

// whoOf is what a party is found by.
func whoOf(p recorder.Party) string {
	if p.Number != "" {
		return clean(p.Number)
	}
	return strings.ToLower(clean(p.ID))
}

// parties enters whom an invite names. The observed user is found in any case, also
// where only the call's row names him.
func (s *session) parties(inv recorder.Invite) error {
	observed := recorder.Party{Role: recorder.RoleObserved, Participant: inv.ObservedParticipant, Kind: "user", ID: inv.ObservedUser}
	told := observed.ID == ""
	for i, p := range inv.Parties {
		told = told || p.Role == recorder.RoleObserved && p.ID == observed.ID
		if err := s.party(inv.Call.ID, int64(i), p); err != nil {
			return err
		}
	}
	if told {
		return nil
	}
	return s.party(inv.Call.ID, -1, observed)
}

// factsText is how the table has facts: a line each, with a line's end before and
// after every one.
func factsText(all []recorder.Fact) string {
	if len(all) == 0 {
		return ""
	}
	var s strings.Builder
	line := strings.NewReplacer("\n", " ", "\r", " ")
	name := strings.NewReplacer("\n", " ", "\r", " ", "=", " ")
	for _, f := range all {
		s.WriteString("\n" + name.Replace(clean(f.Name)) + "=" + line.Replace(clean(f.Value)))
	}
	return s.String() + "\n"
}

// factsOf reads what factsText wrote.
func factsOf(text string) (all []recorder.Fact) {
	for line := range strings.Lines(strings.TrimPrefix(text, "\n")) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		all = append(all, recorder.Fact{Name: name, Value: value})
	}
	return all
}

const partyColumns = `SELECT role, kind, id, number, name, tenant, participant FROM parties `

func scanParty(r *sql.Rows) (p recorder.Party, err error) {
	return p, r.Scan(&p.Role, &p.Kind, &p.ID, &p.Number, &p.Name, &p.Tenant, &p.Participant)
}

// People returns the participants that the rosters of a call named, in the order in
// which they did, each by every identity and name that was told.
func (c *Catalogue) People(ctx context.Context, call recorder.CallID) ([]recorder.Party, error) {
	all, err := rows(ctx, c.read, scanParty,
		partyColumns+`WHERE call = ? AND role = 'participant' ORDER BY place, participant, kind, id, name`, string(call))
	if err != nil {
		return nil, fmt.Errorf("catalogue: participants of %s: %w", call, err)
	}
	return all, nil
}

// partiesOf returns whom the invite of a call named, in its order.
func (c *Catalogue) partiesOf(ctx context.Context, call recorder.CallID) ([]recorder.Party, error) {
	return rows(ctx, c.read, scanParty, partyColumns+`WHERE call = ? AND role <> 'participant' AND place >= 0 ORDER BY place`, string(call))
}
