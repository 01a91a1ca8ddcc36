package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// mostShown bounds the participants and the related calls that are shown.
const mostShown = 50

// showConversation shows who was in a call, what happened to it, and the other calls
// of its conversation.
func (cmd recordingsShow) showConversation(ctx context.Context, w io.Writer, cat *catalogue.Catalogue, call catalogue.Call, journal []catalogue.JournalEntry) error {
	people, err := cat.People(ctx, call.Invite.Call.ID)
	if err != nil {
		return err
	}
	showRows(w, [][2]string{{"thread", call.Invite.ThreadID}})
	for _, p := range call.Invite.Parties {
		showRows(w, [][2]string{{string(p.Role), partyWords(p)}})
	}
	for _, p := range people[:min(len(people), mostShown)] {
		showRows(w, [][2]string{{"participant", partyWords(p)}})
	}
	if more := len(people) - mostShown; more > 0 {
		showRows(w, [][2]string{{"participant", fmt.Sprintf("and %d more", more)}})
	}
	if cmd.Fields {
		for _, f := range call.Invite.Facts {
			showRows(w, [][2]string{{f.Name, f.Value}})
		}
	}
	for _, t := range archive.TurnsOf(archive.FactsOf(call.Invite), eventsOf(journal)) {
		showRows(w, [][2]string{{string(t.Turn), turnWords(t)}})
	}
	return showRelated(ctx, w, cat, call.Invite.Call.ID)
}

func showRelated(ctx context.Context, w io.Writer, cat *catalogue.Catalogue, call recorder.CallID) error {
	related, err := cat.Related(ctx, call)
	if err != nil && !errors.Is(err, catalogue.ErrUnknown) { // its row may be lost; check says so
		return err
	}
	for _, r := range related[:min(len(related), mostShown)] {
		var links []string
		for _, l := range r.Links {
			links = append(links, string(l))
		}
		showRows(w, [][2]string{{"related call", fmt.Sprintf("%s  %s  %s  (%s)", r.Call, clockTime(r.InvitedAt), cmp.Or(r.Outcome, "none yet"), strings.Join(links, ", "))}})
	}
	if more := len(related) - mostShown; more > 0 {
		showRows(w, [][2]string{{"related call", fmt.Sprintf("and %d more", more)}})
	}
	return nil
}

// partyWords is who somebody is, on one line.
func partyWords(p recorder.Party) string {
	words := []string{p.Kind, cmp.Or(p.Number, p.ID), p.Name}
	if p.Participant != "" {
		words = append(words, "(participant "+p.Participant+")")
	}
	if p.Tenant != "" {
		words = append(words, "(tenant "+p.Tenant+")")
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

func turnWords(t archive.Turn) string {
	words := "from " + clockTime(t.From)
	if !t.To.IsZero() {
		words += " to " + clockTime(t.To)
	}
	if t.Participant != "" {
		words += " by participant " + t.Participant
	}
	return words + ", as told by the " + t.By
}

// eventsOf is a journal as the archive reads it.
func eventsOf(journal []catalogue.JournalEntry) []archive.Event {
	events := make([]archive.Event, len(journal))
	for i, e := range journal {
		events[i] = archive.Event{Seq: e.Seq, At: e.At, Kind: e.Kind, Data: e.Data}
	}
	return events
}
