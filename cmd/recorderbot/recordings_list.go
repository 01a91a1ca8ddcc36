package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/graph"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

type recordingsList struct {
	Config       string        `default:"recorderbot.yaml" help:"Configuration file."`
	Call         string        `help:"Only of this call."`
	Conversation string        `help:"Only of the calls with this call chain or chat thread (ID)."`
	User         string        `help:"Only where this person was observed, called, was called, transferred, or took part (object ID)."`
	Number       string        `help:"Only where this telephone number took part, as +493012345678; spaces, dashes and 00 for + do not matter."`
	Name         string        `help:"Only where somebody took part who has this in the display name."`
	Tenant       string        `help:"Only of this tenant."`
	From         string        `help:"Only of invites from this time on: 2026-11-24 (midnight, UTC) or 2026-11-24T09:00:00+01:00."`
	To           string        `help:"Only of invites before this time, written the same way."`
	Since        time.Duration `help:"Only of invites of the last such time, as 24h."`
	Direction    string        `help:"Only where the observed user was: caller (or outgoing), callee (or incoming), dialin or dialout (of a meeting)."`
	Policy       string        `help:"Only under this policy: its name, or the whole identifier."`
	Field        []string      `sep:"none" placeholder:"NAME=VALUE" help:"Only where the invite has this field, as source.region=amer; NAME alone: with any value. Given more than once: all of them."`
	Outcome      string        `help:"Only with this outcome (recorded, recordedWithGaps, notRecorded, failed, rejected)."`
	Flag         []string      `help:"Only recordings with this flag (clipping, gapShare, missingSpeaker, oneWay, silentWhileUnmuted, veryShort). Given more than once: all of them."`
	Limit        int           `default:"100" help:"How many at most."`
	JSON         bool          `help:"Write JSON lines."`
}

// A filtering gathers what the flags ask for, and all that is wrong with them.
type filtering struct {
	catalogue.Filter

	faults []error
}

func (f *filtering) fault(format string, args ...any) {
	f.faults = append(f.faults, fmt.Errorf(format, args...))
}

// filter turns the flags into what they ask for, or says all that is wrong with them.
func (cmd recordingsList) filter(now time.Time) (catalogue.Filter, error) {
	f := filtering{Filter: catalogue.Filter{
		Call: recorder.CallID(cmd.Call), Conversation: cmd.Conversation, Name: cmd.Name, Tenant: cmd.Tenant, Policy: cmd.Policy,
		Outcome: cmd.Outcome, Limit: cmd.Limit,
	}}
	if _, known := recorder.ParseOutcome(cmd.Outcome); cmd.Outcome != "" && !known {
		f.fault("--outcome %q is not known; it is one of recorded, recordedWithGaps, notRecorded, failed, rejected", cmd.Outcome)
	}
	if cmd.Limit <= 0 {
		f.fault("--limit %d is not 1 or more", cmd.Limit)
	}
	f.user(cmd.User)
	f.number(cmd.Number)
	f.direction(cmd.Direction)
	f.times(cmd, now)
	for _, field := range cmd.Field {
		f.field(field)
	}
	for _, flag := range cmd.Flag {
		known, err := catalogue.ParseFlag(flag)
		if err != nil {
			f.fault("--flag: %w", err)
		}
		f.Flags = append(f.Flags, known)
	}
	return f.Filter, errors.Join(f.faults...)
}

// rawID is what an object ID has in front where the platform says of what kind it is.
var rawID = regexp.MustCompile(`^(?i:8:orgid|8:gcch|8:dod|8:teamsvisitor|28:orgid|28:gcch|28:dod):`)

// user takes an object ID, however a tool writes it.
func (f *filtering) user(id string) {
	if strings.HasPrefix(id, "4:") || strings.HasPrefix(id, "+") {
		f.fault("--user %q is a telephone number; ask for it with --number", id)
		return
	}
	id = strings.TrimSpace(rawID.ReplaceAllString(id, ""))
	switch {
	case strings.Contains(id, "@"):
		f.fault("--user %q is a user principal name, which the platform does not tell; write the user's object ID (Entra admin center, Users, Object ID), or ask for a --name", id)
	case strings.ContainsAny(id, " \t"):
		f.fault("--user %q is no object ID; ask for a display name with --name", id)
	}
	if u, err := uuid.Parse(id); err == nil {
		id = u.String()
	}
	f.User = id
}

func (f *filtering) number(number string) {
	if number == "" {
		return
	}
	var err error
	if f.Number, err = recorder.ParseNumber(strings.TrimPrefix(number, "4:")); err != nil {
		f.fault("--number %q is %w; write it as +493012345678 or 0049 30 1234-5678", number, err)
	}
}

// direction takes our words and the platform's (botData.user.participationMethod;
// caller and callee are documented, dialin and dialout were seen: msteams-docs #9159,
// comms-samples #664).
func (f *filtering) direction(word string) {
	f.Direction = strings.ToLower(word)
	switch f.Direction {
	case "", "caller", "callee", "dialin", "dialout":
	case "outgoing":
		f.Direction = "caller"
	case "incoming":
		f.Direction = "callee"
	default:
		f.fault("--direction %q is not known; it is one of caller (or outgoing), callee (or incoming), dialin, dialout; what else the platform writes finds --field botData.user.participationMethod=…", word)
	}
}

func (f *filtering) times(cmd recordingsList, now time.Time) {
	if cmd.Since < 0 {
		f.fault("--since %v is in the future; write how long ago, as 24h", cmd.Since)
	}
	if cmd.Since > 0 {
		f.Since = now.Add(-cmd.Since)
		if cmd.From != "" {
			f.fault("--since and --from both say when to begin; give one of them")
		}
	}
	from, fromOK := f.instant("--from", cmd.From)
	to, toOK := f.instant("--to", cmd.To)
	if !from.IsZero() {
		f.Since = from
	}
	f.Until = to
	if fromOK && toOK && !f.Since.IsZero() && !to.IsZero() && !f.Since.Before(to) {
		f.fault("--to %s is not after the beginning, %s; it is the first time that is left out", cmd.To, f.Since.UTC().Format(time.RFC3339))
	}
}

// instant reads a time of a flag.
func (f *filtering) instant(flag, text string) (t time.Time, ok bool) {
	if text == "" {
		return time.Time{}, true
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t, err = time.Parse(time.RFC3339, text)
	}
	switch {
	case err != nil:
		f.fault("%s %q is no time; write 2026-11-24 (midnight, UTC) or 2026-11-24T09:00:00+01:00", flag, text)
	case t.Year() < 1970 || t.Year() > 2261: // so far do Unix nanoseconds go
		f.fault("%s %s is not in the years from 1970 to 2261", flag, text)
	default:
		return t, true
	}
	return time.Time{}, false
}

func (f *filtering) field(text string) {
	name, value, _ := strings.Cut(text, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	root, _, _ := strings.Cut(name, ".")
	if !slices.ContainsFunc(graph.FieldRoots(), func(known string) bool { return strings.EqualFold(known, root) }) {
		f.fault("--field %q: the name of a field begins with one of %s; recordings show --fields lists those of a call", text, strings.Join(graph.FieldRoots(), ", "))
	}
	f.Fields = append(f.Fields, recorder.Fact{Name: name, Value: value})
}
