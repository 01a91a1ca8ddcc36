package recorder

import (
	"errors"
	"fmt"
	"testing"
)

// TestMonitorRefuses: the second pair of eyes refuses what the machine would
// never ask, whatever the machine thinks of it.
func TestMonitorRefuses(t *testing.T) {
	t.Parallel()
	a := announcement{"c", StatusRecording, "c/1/recording"}
	permit := func() Permit {
		p, err := mint(a, Receipt{HTTPStatus: 200}, testOperation(a.context, Completed))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	consented := func() *monitor {
		m := &monitor{}
		if err := m.check(Announce{a}); err != nil {
			t.Fatal(err)
		}
		m.saw(StatusReplied{testOperation(a.context, Completed)})
		return m
	}
	fresh := &monitor{}
	if err := fresh.check(OpenMedia{permit()}); !errors.Is(err, errNoConsent) {
		t.Error(err)
	}
	if err := consented().check(OpenMedia{Permit{}}); !errors.Is(err, errDeadPermit) {
		t.Error(err)
	}
	m := consented()
	if err := m.check(OpenMedia{permit()}); err != nil {
		t.Error(err)
	}
	if err := m.check(Announce{announcement{"c", StatusNotRecording, "x"}}); !errors.Is(err, errUnsealed) {
		t.Error(err)
	}
	if err := m.check(Announce{announcement{"c", StatusFailed, "x"}}); !errors.Is(err, errGateOpen) {
		t.Error(err)
	}
	m.saw(MediaSealed{})
	m.permit.withdraw()
	if err := m.check(Announce{announcement{"c", StatusNotRecording, "x"}}); err != nil {
		t.Error(err)
	}
	for _, p := range []Progress{Running, Failed} {
		m := &monitor{}
		_ = m.check(Announce{a})
		m.saw(StatusReplied{testOperation(a.context, p)})
		if err := m.check(OpenMedia{permit()}); !errors.Is(err, errNoConsent) {
			t.Error(fmt.Errorf("%v: %w", p, err))
		}
	}
}

// TestMonitorWantsTheWholeConsent: a 2xx and completion, of our latest request, to
// record.
func TestMonitorWantsTheWholeConsent(t *testing.T) {
	t.Parallel()
	first, second := announcement{"c", StatusRecording, "c/1/recording"}, announcement{"c", StatusRecording, "c/2/recording"}
	end := announcement{"c", StatusNotRecording, "c/2/notRecording"}
	for name, tt := range map[string]struct {
		asked []announcement
		seen  []Operation
		want  error
	}{
		"all of it":                  {[]announcement{first}, []Operation{testOperation(first.context, Completed)}, nil},
		"in two parts":               {[]announcement{first}, []Operation{testNotified(first.context, Completed), testOperation(first.context, Running)}, nil},
		"no 2xx":                     {[]announcement{first}, []Operation{testNotified(first.context, Completed)}, errNoConsent},
		"nothing asked":              {nil, []Operation{testOperation(first.context, Completed)}, errNoConsent},
		"of an older request":        {[]announcement{first, second}, []Operation{testOperation(first.context, Completed)}, errNoConsent},
		"of another kind of request": {[]announcement{end}, []Operation{testOperation(end.context, Completed)}, errNoConsent},
		"parts of two requests": {
			[]announcement{first, second}, []Operation{testOperation(first.context, Running), testNotified(second.context, Completed)}, errNoConsent,
		},
	} {
		m := &monitor{}
		for _, a := range tt.asked {
			if err := m.check(Announce{a}); err != nil {
				t.Fatal(err)
			}
		}
		for _, op := range tt.seen {
			m.saw(StatusReplied{op})
		}
		permit, err := mint(first, Receipt{HTTPStatus: 200}, testOperation(first.context, Completed))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.check(OpenMedia{permit}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// TestMonitorForgetsConsent: what was granted is used once, and gone with the next
// announcement.
func TestMonitorForgetsConsent(t *testing.T) {
	t.Parallel()
	a := announcement{"c", StatusRecording, "c/1/recording"}
	permit, err := mint(a, Receipt{HTTPStatus: 200}, testOperation(a.context, Completed))
	if err != nil {
		t.Fatal(err)
	}
	for name, between := range map[string]Command{
		"used":      OpenMedia{permit},
		"retracted": Announce{announcement{"c", StatusFailed, "c/2/failed"}},
	} {
		m := &monitor{}
		_ = m.check(Announce{a})
		m.saw(StatusReplied{testOperation(a.context, Completed)})
		if err := m.check(between); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := m.check(OpenMedia{permit}); !errors.Is(err, errNoConsent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
