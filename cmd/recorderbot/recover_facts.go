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
	mute    bool      // its last step says nothing of how the call stood
}

// hasOthers reports whether the call may have other recordings than those that the
// spool holds without a seal: one was sealed, or was opened and is not among them.
func (f journalFacts) hasOthers(unsealed []spool.Info) bool {
	return f.sealed || len(f.memory.Sealed) > 0 || len(f.opened) > len(unsealed) || lost(f.opened, unsealed, nil) != ""
}

// factsBrief is what factsOf reads of a journal.
func factsBrief() catalogue.Brief {
	return catalogue.Brief{
		Kinds: []recorder.EntryKind{
			recorder.EntrySession, recorder.EntryAnswer, recorder.EntryAnnounce, recorder.EntrySealed, recorder.EntryOpened,
			recorder.EntryNotification,
		},
		Latest: recorder.EntryState,
	}
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
		switch recorder.EntryKind(e.Kind) { //nolint:exhaustive // the others say nothing of how it stood
		case recorder.EntryState:
			if step, ok := dataOf[struct{ Memory *recorder.Memory }](e); ok && step.Memory != nil {
				f.memory, f.mute = *step.Memory, false
			} else {
				f.mute = true
			}
		case recorder.EntrySession:
			if s, ok := dataOf[recorder.Session](e); ok && s.ID != "" {
				f.session = &s
			}
		case recorder.EntryAnswer:
			answered = true
		case recorder.EntryAnnounce:
			if d, ok := dataOf[struct{ Status string }](e); ok {
				announces, last = announces+1, d.Status
			}
		case recorder.EntrySealed:
			f.sealed = true
			if r, ok := dataOf[recorder.SealReport](e); ok && r.Recording != "" {
				sealed = append(sealed, r)
			}
		case recorder.EntryOpened:
			if d, ok := dataOf[struct{ Recording string }](e); ok {
				f.opened = append(f.opened, d.Recording)
			}
		case recorder.EntryNotification:
			if d, ok := dataOf[struct{ Change string }](e); ok && d.Change == "deleted" && f.ended.IsZero() {
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

// dataOf reads what an entry says; false: it is of another shape.
func dataOf[T any](e catalogue.JournalEntry) (data T, ok bool) {
	return data, json.Unmarshal(e.Data, &data) == nil
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
