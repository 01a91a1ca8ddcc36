package catalogtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func audited(request string, second int, action, result string) catalogue.AuditEntry {
	return catalogue.AuditEntry{
		Request: request, At: at(second), Identity: "desk-" + request, Role: "operator", Action: action,
		Call: recorder.CallID("call-" + request), Result: result, Remote: "192.0.2.1:4711", Detail: "asked by the user",
	}
}

// auditIsKept: what was acknowledged is there after a crash, in order, and what
// came of a request does not replace that it was made.
func auditIsKept(s *suite) {
	t := s.t
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := s.c.Audit(t.Context(), audited(fmt.Sprint("many-", i), 9, "list", "granted")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	want := []catalogue.AuditEntry{
		audited("a", 3, "pause", "granted"), audited("a", 4, "pause", "done"), audited("b", 2, "stop", "granted"),
	}
	for _, e := range want {
		must(t, s.c.Audit(t.Context(), e))
	}
	s.reopen(t)
	want[0], want[2] = want[2], want[0] // the newest entry first, whatever its clock said
	got, err := s.c.Audited(t.Context(), catalogue.AuditFilter{Limit: 3})
	must(t, err)
	equal(t, "audit", got, want)
	for name, test := range map[string]struct {
		f    catalogue.AuditFilter
		want string
	}{
		"call":     {catalogue.AuditFilter{Call: "CALL-a"}, "a/done a/granted"},
		"identity": {catalogue.AuditFilter{Identity: "desk-b"}, "b/granted"},
		"action":   {catalogue.AuditFilter{Action: "stop"}, "b/granted"},
		"since":    {catalogue.AuditFilter{Since: at(3), Until: at(9)}, "a/done a/granted"},
		"until":    {catalogue.AuditFilter{Until: at(4)}, "b/granted a/granted"},
		"quotes":   {catalogue.AuditFilter{Identity: "' OR 1=1 --"}, ""},
	} {
		some, serr := s.c.Audited(t.Context(), test.f)
		must(t, serr)
		var said []string
		for _, e := range some {
			said = append(said, e.Request+"/"+e.Result)
		}
		equal(t, name, strings.Join(said, " "), test.want)
	}
	all, err := s.c.Audited(t.Context(), catalogue.AuditFilter{})
	must(t, err)
	equal(t, "entries", len(all), 23)
}

func auditRefusesWhatNamesNobody(s *suite) {
	t := s.t
	for name, spoil := range map[string]func(*catalogue.AuditEntry){
		"request":  func(e *catalogue.AuditEntry) { e.Request = "" },
		"identity": func(e *catalogue.AuditEntry) { e.Identity = "" },
		"action":   func(e *catalogue.AuditEntry) { e.Action = "" },
		"result":   func(e *catalogue.AuditEntry) { e.Result = "" },
	} {
		e := audited("a", 1, "list", "granted")
		if spoil(&e); s.c.Audit(t.Context(), e) == nil {
			t.Errorf("an entry without %s was accepted", name)
		}
	}
	odd := audited("a", 1, "list", "granted")
	odd.Detail = "x\x00\xff" + strings.Repeat("y", 1<<20)
	must(t, s.c.Audit(t.Context(), odd))
	all, err := s.c.Audited(t.Context(), catalogue.AuditFilter{})
	must(t, err)
	if len(all) != 1 || !strings.HasPrefix(all[0].Detail, "x??y") || len(all[0].Detail) > 5<<10 {
		t.Errorf("%d entries, detail of %d bytes", len(all), len(all[0].Detail))
	}
	must(t, s.c.Close(t.Context()))
	if err := s.c.Audit(t.Context(), audited("b", 1, "list", "granted")); !errors.Is(err, catalogue.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
