package main

import (
	"encoding/json"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// journalFacts is what a journal says about how far a call had come.
type journalFacts struct {
	memory  recorder.Memory
	session *recorder.Session
	opened  []string  // recordings
	sealed  bool      // one was sealed
	ended   time.Time // when the platform said that the call was over; zero: it did not
	seen    time.Time // the last entry's
}

// hasOthers reports whether the call may have other recordings than those that the
// spool holds without a seal: one was sealed, or was opened and is not among them.
func (f *journalFacts) hasOthers(unsealed []spool.Info) bool {
	return f.sealed || len(f.memory.Sealed) > 0 || len(f.opened) > len(unsealed) || lost(f.opened, unsealed, nil) != ""
}

// factsOf reads a journal. The last step of the machine says how the call stood;
// what was announced is in the journal before it was said, so a journal without
// steps, as an older version wrote it, tells as much as is needed.
func factsOf(journal []catalogue.JournalEntry) journalFacts {
	var f journalFacts
	announces, answered := 0, false
	last := ""
	var sealed []recorder.SealReport
	for _, e := range journal {
		f.seen = e.At
		var d struct {
			State, Status, ClientContext, Recording, Change string
			Memory                                          *recorder.Memory
		}
		if json.Unmarshal(e.Data, &d) != nil {
			continue // of another shape; its kind is not one of those below
		}
		switch recorder.EntryKind(e.Kind) { //nolint:exhaustive // the others say nothing of how it stood
		case recorder.EntryState:
			if d.Memory != nil {
				f.memory = *d.Memory
			}
		case recorder.EntrySession:
			var s recorder.Session
			if json.Unmarshal(e.Data, &s) == nil && s.ID != "" {
				f.session = &s
			}
		case recorder.EntryAnswer:
			answered = true
		case recorder.EntryAnnounce:
			announces, last = announces+1, d.Status
		case recorder.EntrySealed:
			f.sealed = true
			var r recorder.SealReport
			if json.Unmarshal(e.Data, &r) == nil && r.Recording != "" {
				sealed = append(sealed, r)
			}
		case recorder.EntryOpened:
			f.opened = append(f.opened, d.Recording)
		case recorder.EntryNotification:
			if d.Change == "deleted" && f.ended.IsZero() {
				f.ended = e.At
			}
		}
	}
	f.memory.Asked = max(f.memory.Asked, announces)
	if f.memory.State == "" {
		f.memory.Sealed = sealed
		f.guess(last, answered)
	}
	return f
}

// guess says how a call stood whose journal has no steps.
func (f *journalFacts) guess(last string, answered bool) {
	switch last {
	case recorder.StatusRecording.String():
		f.memory.State = "recording"
	case recorder.StatusNotRecording.String():
		f.memory.State = "retracting"
		f.memory.Ending = &recorder.Ending{Status: recorder.StatusNotRecording, Cause: recorder.CauseProcessDied}
	case recorder.StatusFailed.String():
		f.memory.State = "retracting"
		f.memory.Ending = &recorder.Ending{Status: recorder.StatusFailed, Cause: recorder.CauseProcessDied}
	default:
		if answered {
			f.memory.State = "answering"
		}
	}
}
