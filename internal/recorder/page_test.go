package recorder

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "../../docs/order.md"

// TestPageShowsTheTable: the diagrams of docs/order.md are the golden table's. make
// docs writes them anew.
func TestPageShowsTheTable(t *testing.T) {
	t.Parallel()
	was, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := readTable(transitions(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range golden.changes {
		if wordingOf(s) == (wording{}) {
			t.Errorf("page_words_test.go has no words for %s in state %s", s.event, s.from)
		}
	}
	is := string(was)
	for _, part := range []struct{ name, text string }{
		{"states", golden.states()},
		{"steps", golden.steps()},
		{"takeover", golden.takeover()},
	} {
		if is, err = replacePart(is, part.name, part.text); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err = os.WriteFile(page, []byte(is), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(string(was), "\n"), strings.Split(is, "\n")); diff != "" {
		t.Errorf("docs/order.md does not show the table; run make docs and read the diff (-was +is):\n%s", diff)
	}
}

// replacePart puts text between a part's two markers.
func replacePart(page, name, text string) (string, error) {
	begin, end := "<!-- "+name+": make docs writes this -->\n", "<!-- end of "+name+" -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("docs/order.md lacks the lines %q and %q", strings.TrimSpace(begin), end)
	}
	return before + begin + text + end + after, nil
}

// TestPageNamesTests: each test that the page names is there.
func TestPageNamesTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(string(text), -1)
	if len(named) == 0 {
		t.Fatal("the page names no test")
	}
	there := map[string]bool{}
	for _, dir := range []string{"internal", "cmd"} {
		for name := range testsUnder(t, filepath.Join("..", "..", dir)) {
			there[name] = true
		}
	}
	for _, name := range named {
		if !there[name] {
			t.Errorf("docs/order.md names %s, which is not there", name)
		}
	}
}

func testsUnder(t *testing.T, root string) map[string]bool {
	t.Helper()
	names, decl := map[string]bool{}, regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		for _, m := range decl.FindAllStringSubmatch(string(src), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A tableStep is a step of the table from one kind of state to another.
type tableStep struct {
	from, to string
	event    string
	does     string // the commands, in words
	cut      bool   // a recording that a dead process left has no seal yet
}

// A table is what the golden file says, by kind of state.
type table struct {
	kinds   []string // in the order of the file
	permit  map[string]bool
	changes []tableStep
	taken   []tableStep // event: what was found
}

var foundState = regexp.MustCompile(`Memory:Memory\{State:(\w+)`)

func readTable(text string) (*table, error) {
	g := &table{permit: map[string]bool{}}
	var now tableStep
	var cmds []string
	taken := false
	flush := func() {
		if now.does = strings.Join(cmds, ", "); now.does == "" {
			now.does = "–"
		}
		switch {
		case now.to == "":
		case taken:
			g.taken = append(g.taken, now)
		case now.to != now.from:
			g.changes = append(g.changes, now)
		}
		now.to, cmds = "", nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "":
		case strings.HasPrefix(line, "# taken up: "):
			flush()
			m := foundState.FindStringSubmatch(line)
			if m == nil {
				return nil, fmt.Errorf("no state in %q", line)
			}
			taken, now = true, tableStep{from: m[1], event: foundWords(line)}
		case strings.HasPrefix(line, "# "):
			flush()
			now = tableStep{from: kindIn(line[2:]), cut: strings.Contains(line, "cut:true")}
			if !slices.Contains(g.kinds, now.from) {
				g.kinds = append(g.kinds, now.from)
			}
			g.permit[now.from] = g.permit[now.from] || strings.Contains(line, "live permit")
		case strings.HasPrefix(line, "\t→ "):
			now.to = kindIn(line[len("\t→ "):])
		case strings.HasPrefix(line, "\t! "):
			words, err := commandWords(line[len("\t! "):])
			if err != nil {
				return nil, err
			}
			if words != "" {
				cmds = append(cmds, words)
			}
		default:
			flush()
			now.event = line
		}
	}
	flush()
	slices.SortStableFunc(g.changes, func(a, b tableStep) int { return slices.Index(g.kinds, a.from) - slices.Index(g.kinds, b.from) })
	return g, nil
}

func kindIn(words string) string {
	kind, _, _ := strings.Cut(words, "{")
	return kind
}

func foundWords(line string) string {
	switch {
	case strings.Contains(line, "Lost:"):
		return "that a recording is lost"
	case strings.Contains(line, "Died:true"):
		return "a seal made where a process died"
	case strings.Contains(line, "Unsealed:true"):
		return "a recording without a seal"
	case strings.Contains(line, "Sealed:[SealReport{Recording:r9"):
		return "a seal that nobody was told of"
	case strings.Contains(line, "Session:Session"):
		return "a media session"
	}
	return "no media session"
}
