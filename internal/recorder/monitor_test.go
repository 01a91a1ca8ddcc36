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
