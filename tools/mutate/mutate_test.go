package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fixture writes a module with one package, door, and returns its root.
func fixture(t *testing.T, source, tests string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":            "module example.com/fixture\n\ngo 1.26\n",
		"door/door.go":      source,
		"door/door_test.go": "package door\n\nimport (\n\t\"reflect\"\n\t\"testing\"\n)\n\nvar _ = reflect.DeepEqual\n" + tests,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// try runs the tool on a fixture and returns what it printed.
func try(t *testing.T, root, equivalent string, o options, targets ...target) (string, error) {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles")
	}
	o.root, o.workers, o.verbose = root, 2, true
	known, err := parseEquivalents(equivalent)
	if err != nil {
		t.Fatal(err)
	}
	if targets == nil {
		targets = []target{{dir: "door", files: []scope{{file: "door.go"}}}}
	}
	var out strings.Builder
	err = mutate(t.Context(), o, targets, known, &out, time.Now())
	return out.String(), err
}

// has fails unless each line is there, as the end of one.
func has(t *testing.T, out string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("there is no line %q in\n%s", want, out)
		}
	}
}

const door = `package door

func Open(key, age int) bool {
	if key != 7 {
		return false
	}
	return age >= 18
}
`

// TestSurvivorIsReported: the fixture's tests see that a wrong key opens nothing, and
// forget the age.
func TestSurvivorIsReported(t *testing.T) {
	t.Parallel()
	out, err := try(t, fixture(t, door, `
func TestOpen(t *testing.T) {
	if !Open(7, 40) || Open(8, 40) {
		t.Error("wrong")
	}
}
`), "", options{})
	if err == nil || !strings.Contains(err.Error(), "no test sees it") {
		t.Errorf("%v", err)
	}
	has(t, out,
		"door/door.go:4:5 Open: key != 7 => true: TestOpen",
		"door/door.go:4:5 Open: key != 7 => false: TestOpen",
		"door/door.go:7:9 Open: age >= 18 => false: TestOpen",
		"survived: door/door.go:7:9 Open: age >= 18 => true",
		"survived: door/door.go:7:9 Open: bound of age >= 18 => >",
		"mutation: 5 mutants, 3 killed, 0 equivalent, 2 survived",
	)
}

const whole = `
func TestOpen(t *testing.T) {
	if !Open(7, 40) || Open(8, 40) || Open(7, 17) || !Open(7, 18) {
		t.Error("wrong")
	}
}
`

// TestAllKilled: with the tests that were missing the run is good.
func TestAllKilled(t *testing.T) {
	t.Parallel()
	out, err := try(t, fixture(t, door, whole), "", options{})
	if err != nil {
		t.Errorf("%v", err)
	}
	has(t, out, "mutation: 5 mutants, 5 killed, 0 equivalent, 0 survived")
}

// TestListCannotRot: an entry must name a mutant, and one that lives.
func TestListCannotRot(t *testing.T) {
	t.Parallel()
	root := fixture(t, door, whole)
	out, err := try(t, root, "door/door.go Open: key != 8 => true\n\tIt is not there.\n", options{})
	if err == nil || !strings.Contains(err.Error(), "names what is not there") {
		t.Errorf("%v", err)
	}
	has(t, out, "listed as equivalent, but there is no such mutant: door/door.go Open: key != 8 => true")
	out, err = try(t, root, "door/door.go Open: key != 7 => true\n\tIt is killed.\n", options{})
	if err == nil || !strings.Contains(err.Error(), "take out what is killed") {
		t.Errorf("%v", err)
	}
	has(t, out, "listed as equivalent, but killed by TestOpen: door/door.go:4:5 Open: key != 7 => true")
}

// TestEquivalentIsBelieved: what a person has explained is counted apart.
func TestEquivalentIsBelieved(t *testing.T) {
	t.Parallel()
	out, err := try(t, fixture(t, `package door

func Most(a, b int) int {
	if a > b {
		return a
	}
	return b
}
`, `
func TestMost(t *testing.T) {
	if Most(1, 2) != 2 || Most(2, 1) != 2 {
		t.Error("wrong")
	}
}
`), "door/door.go Most: bound of a > b => >=\n\tEither is the most where both are the same.\n", options{})
	if err != nil {
		t.Errorf("%v", err)
	}
	has(t, out, "mutation: 3 mutants, 2 killed, 1 equivalent, 0 survived")
}

// TestBrokenTests: a run whose tests fail without any mutant proves nothing.
func TestBrokenTests(t *testing.T) {
	t.Parallel()
	_, err := try(t, fixture(t, door, "\nfunc TestOpen(t *testing.T) { t.Error(Open(7, 40)) }\n"), "", options{})
	if err == nil || !strings.Contains(err.Error(), "TestOpen fails without any mutant") {
		t.Errorf("%v", err)
	}
}

// TestMovedScope: a file that is gone would take its guards along unseen.
func TestMovedScope(t *testing.T) {
	t.Parallel()
	root := fixture(t, door, whole)
	for _, sc := range []scope{{file: "gate.go"}, {file: "door.go", funcs: regexp.MustCompile("^Close$")}} {
		_, err := try(t, root, "", options{}, target{dir: "door", files: []scope{sc}})
		if err == nil || !strings.Contains(err.Error(), "has no guard any more") {
			t.Errorf("%v: %v", sc, err)
		}
	}
}

// machine has one of each kind of guard; its test sees all of them.
const machine = `package door

type Command interface{}
type Ring struct{ n int }
type Lock struct{}

type state struct{ open, told bool; n int }

func (s *state) tell() { s.told = true }

func (s *state) on(ev any) []Command {
	switch ev := ev.(type) {
	case int:
		switch {
		case ev < 0, ev > 9:
			return nil
		}
		s.n = max(s.n, ev)
		s.n++
		s.tell()
		return []Command{Ring{s.n}, Lock{}}
	case string, bool:
		switch ev {
		case "open", "close":
			s.open = ev == "open"
			return nil
		}
		if s.open && s.n > 3 || ev == true {
			return []Command{Lock{}}
		}
	}
	return []Command{Ring{}}
}
`

const machineTest = `
func TestOn(t *testing.T) {
	for _, tt := range []struct {
		before state
		ev     any
		want   []Command
		after  state
	}{
		{state{}, -1, nil, state{}},
		{state{}, 10, nil, state{}},
		{state{}, 0, []Command{Ring{1}, Lock{}}, state{told: true, n: 1}},
		{state{n: 5}, 9, []Command{Ring{10}, Lock{}}, state{told: true, n: 10}},
		{state{n: 9}, 5, []Command{Ring{10}, Lock{}}, state{told: true, n: 10}},
		{state{}, "open", nil, state{open: true}},
		{state{open: true}, "close", nil, state{}},
		{state{open: true, n: 4}, "x", []Command{Lock{}}, state{open: true, n: 4}},
		{state{open: true, n: 3}, "x", []Command{Ring{}}, state{open: true, n: 3}},
		{state{n: 4}, "x", []Command{Ring{}}, state{n: 4}},
		{state{}, true, []Command{Lock{}}, state{}},
		{state{}, 1.5, []Command{Ring{}}, state{}},
	} {
		s := tt.before
		if got := s.on(tt.ev); !reflect.DeepEqual(got, tt.want) || s != tt.after {
			t.Errorf("%+v %v: %v %+v", tt.before, tt.ev, got, s)
		}
	}
}
`

// TestEachKindOfGuard: every kind is found, and dies by a test that looks at it.
func TestEachKindOfGuard(t *testing.T) {
	t.Parallel()
	root := fixture(t, machine, machineTest)
	out, err := try(t, root, "", options{})
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	has(t, out,
		"state.on: case int => dropped: TestOn",
		"state.on: case string => dropped: TestOn",
		"state.on: case bool => dropped: TestOn",
		`state.on: case "close" => dropped: TestOn`,
		"state.on: ev < 0 => true: TestOn",
		"state.on: ev > 9 => false: TestOn",
		"state.on: bound of ev > 9 => >=: TestOn",
		"state.on: max(s.n, ev) => the first: TestOn",
		"state.on: max(s.n, ev) => the second: TestOn",
		"state.on: s.n = max(s.n, ev) => dropped: TestOn",
		"state.on: s.n++ => dropped: TestOn",
		"state.on: s.tell() => dropped: TestOn",
		"state.on: in a list: Ring{s.n} => dropped: TestOn",
		"state.on: in a list: Lock{} #2 => dropped: TestOn",
		"state.on: s.open && s.n > 3 || ev == true => true: TestOn",
		"state.on: s.open && s.n > 3 => false: TestOn",
		"state.on: s.open => true: TestOn",
		"state.on: s.n > 3 => true: TestOn",
		"state.on: ev == true => false: TestOn",
		"state.tell: s.told = true => dropped: TestOn",
	)
}

// TestHangsAndPanicsAreKilled: in whatever way a mutant ends badly, it is seen.
func TestHangsAndPanicsAreKilled(t *testing.T) {
	t.Parallel()
	out, err := try(t, fixture(t, `package door

func Wait(c chan int) int {
	if c == nil {
		return 0
	}
	return <-c
}

func First(a []int) int {
	if len(a) == 0 {
		return 0
	}
	return a[0]
}
`, `
func TestWait(t *testing.T) {
	c := make(chan int, 1)
	c <- 4
	go func() { select {} }() // so that a hang is no deadlock to the runtime
	if Wait(nil) != 0 || Wait(c) != 4 {
		t.Error("wrong")
	}
}

func TestFirst(t *testing.T) {
	if First(nil) != 0 || First([]int{3}) != 3 {
		t.Error("wrong")
	}
}
`), "", options{})
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	has(t, out, "mutation: 4 mutants, 4 killed, 0 equivalent, 0 survived", "First: len(a) == 0 => false: TestFirst")
}

// TestSampleIsFixed: the short run takes the same mutants each time, and all of what
// is not sampled.
func TestSampleIsFixed(t *testing.T) {
	t.Parallel()
	var all []mutant
	for i := range 100 {
		all = append(all, mutant{id: i + 1, function: "f", guard: strings.Repeat("x", i), mutation: "true", sampled: i >= 10})
	}
	names := func(seed uint64) (names []string) {
		r := report{}
		for _, t := range r.choose(all, options{short: true, sample: 20, seed: seed}) {
			names = append(names, t.name())
		}
		return names
	}
	one, again, other := names(1), names(1), names(2)
	if len(one) != 30 || strings.Join(one, ";") != strings.Join(again, ";") || strings.Join(one, ";") == strings.Join(other, ";") {
		t.Errorf("%d chosen", len(one))
	}
	if got := (&report{}).choose(all, options{sample: 20}); len(got) != 100 {
		t.Errorf("of the whole %d", len(got))
	}
}

// TestShortRunIsBrief: it takes the functions, and asks the tests, that are named; the
// whole run takes and asks all.
func TestShortRunIsBrief(t *testing.T) {
	t.Parallel()
	root := fixture(t, door+`
func Shut(key int) bool { return key > 0 && key < 9 }
`, whole+`
func TestShut(t *testing.T) {
	if Shut(0) || !Shut(1) || !Shut(8) || Shut(9) {
		t.Error("wrong")
	}
}

func TestOther(t *testing.T) { t.Error(Open(7, 40)) }
`)
	brief := target{
		dir: "door", files: []scope{{file: "door.go", brief: regexp.MustCompile("^Open$")}}, brief: regexp.MustCompile("^TestOpen$"),
	}
	out, err := try(t, root, "", options{short: true}, brief)
	if err != nil {
		t.Errorf("%v", err)
	}
	has(t, out, "mutation: 5 mutants, 5 killed, 0 equivalent, 0 survived")
	if _, err = try(t, root, "", options{}, brief); err == nil || !strings.Contains(err.Error(), "TestOther fails without any mutant") {
		t.Errorf("%v", err)
	}
	brief.skip = regexp.MustCompile("^TestOther$")
	if out, err = try(t, root, "", options{}, brief); err != nil {
		t.Errorf("%v", err)
	}
	has(t, out, "mutation: 9 mutants, 9 killed, 0 equivalent, 0 survived")
}

// TestParseEquivalents: what is no list is refused.
func TestParseEquivalents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a f: x => true\n":                         "has no reason",
		"a f: x => true\nb f: y => true\n\tWhy.\n": "has no reason",
		"\tWhy.\n": "without a mutant",
		"a f: x => true\n\tWhy.\na f: x => true\n\tW\n": "listed twice",
	} {
		if _, err := parseEquivalents(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	all, err := parseEquivalents("# Why.\n\na f: x => true\n\tWhy.\n")
	if err != nil || all["a f: x => true"] != "Why." {
		t.Errorf("%v %v", all, err)
	}
}
