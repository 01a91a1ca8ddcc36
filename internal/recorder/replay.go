package recorder

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// A Line is one entry of a call's journal, as it was written.
type Line struct {
	Seq  int64
	Kind EntryKind
	Data json.RawMessage
}

// A Step is one event of a call, and what the machine made of it.
type Step struct {
	Seq      int64 // of the journal's entry
	Event    string
	State    string // after it
	Commands []string
	// Differs says in what this machine differs from the one that wrote the
	// journal; empty: in nothing.
	Differs string
}

// Replay feeds a call's journal to the machine and compares, step by step, the
// states and commands that come out with those that the journal has. The journal
// of a call that a later process took up holds several lives; each begins with
// what that process found.
//
// An error says that the journal can't be read as steps. A difference is none: the
// journal may be of another version of the machine.
func Replay(call CallID, lines []Line) ([]Step, error) {
	var steps []Step
	var s state
	for _, l := range lines {
		if l.Kind != EntryState {
			continue
		}
		var was struct {
			State    string
			Event    string
			Data     json.RawMessage
			Commands []string
			Memory   Memory
		}
		if err := json.Unmarshal(l.Data, &was); err != nil || was.Event == "" {
			return steps, fmt.Errorf("replay call %s: entry %d is no step of the machine (%w)", call, l.Seq, err)
		}
		next, cmds, err := replayOne(leg{call: call}, s, was.Event, was.Data)
		if err != nil {
			return steps, fmt.Errorf("replay call %s: entry %d: %w", call, l.Seq, err)
		}
		s = next
		is := stepOf(was.Event, nil, s, cmds)
		step := Step{Seq: l.Seq, Event: was.Event, State: is.State, Commands: is.Commands}
		switch {
		case is.State != was.State:
			step.Differs = fmt.Sprintf("state %s was %s", is.State, was.State)
		case !slices.Equal(is.Commands, was.Commands):
			step.Differs = fmt.Sprintf("commands %v were %v", is.Commands, was.Commands)
		case is.Memory.Asked != was.Memory.Asked || !slices.Equal(is.Memory.Open, was.Memory.Open):
			step.Differs = "what is remembered of the announcements"
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func replayOne(l leg, s state, event string, data json.RawMessage) (state, []Command, error) {
	switch event {
	case eventBegin:
		var d beginData
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, nil, fmt.Errorf("begin: %w", err)
		}
		l.onFailure = d.OnFailure
		next, cmds := begin(l, d.Refused)
		return next, cmds, nil
	case eventResume:
		var t Takeover
		if err := json.Unmarshal(data, &t); err != nil {
			return nil, nil, fmt.Errorf("resume: %w", err)
		}
		l.onFailure = t.OnFailure
		next, cmds := resume(l, t)
		return next, cmds, nil
	}
	if event == eventGiveUp {
		return nil, nil, errors.New("the machine had lost its state here, twice in a row; what followed can't be replayed")
	}
	ev, err := eventOf(event, data)
	switch {
	case err != nil:
		return nil, nil, err
	case s == nil:
		return nil, nil, fmt.Errorf("%s comes before the call has begun", event)
	}
	next, cmds := s.on(ev)
	return next, cmds, nil
}

// eventOf reads an event that was written beside its name.
func eventOf(event string, data json.RawMessage) (Event, error) {
	for _, ev := range events() {
		if eventName(ev) != event {
			continue
		}
		v := reflect.New(reflect.TypeOf(ev))
		if len(data) > 0 {
			if err := json.Unmarshal(data, v.Interface()); err != nil {
				return nil, fmt.Errorf("event %s: %w", event, err)
			}
		}
		if is, ok := reflect.TypeAssert[Event](v.Elem()); ok {
			return is, nil
		}
	}
	return nil, fmt.Errorf("this version knows no event %.40q", event)
}
