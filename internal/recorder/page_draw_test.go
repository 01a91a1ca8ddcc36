package recorder

import (
	"fmt"
	"slices"
	"strings"
)

// leftover marks what happens only while a recording that a dead process left has no
// seal yet.
const leftover = "†"

// An edge is all steps from one kind of state to another.
type edge struct {
	from, to string
	words    []string
	cut      bool // all of them are of what a dead process left
}

func (e *edge) says(words string) {
	if !slices.Contains(e.words, words) {
		e.words = append(e.words, words)
	}
}

// edges merges steps, in the order of the table.
func edges(steps []tableStep, words func(tableStep) string) []*edge {
	var all []*edge
	for _, s := range steps {
		at := slices.IndexFunc(all, func(e *edge) bool { return e.from == s.from && e.to == s.to })
		if at < 0 {
			at = len(all)
			all = append(all, &edge{from: s.from, to: s.to, cut: true})
		}
		all[at].says(words(s))
		all[at].cut = all[at].cut && s.cut
	}
	return all
}

// states is the diagram of what leads from state to state.
func (g *table) states() string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n")
	fmt.Fprintf(&b, "    [*] --> %s: invite\n", g.kinds[0])
	for _, e := range edges(g.changes, func(s tableStep) string { return wordingOf(s).brief }) {
		words := strings.Join(e.words, ", ")
		if e.cut {
			words = leftover + " " + words
		}
		fmt.Fprintf(&b, "    %s --> %s: %s\n", e.from, e.to, words)
	}
	fmt.Fprintf(&b, "    %s --> [*]\n", ended{}.kind())
	b.WriteString("    classDef permit fill:#1a7f37,color:#ffffff\n")
	for _, kind := range g.kinds {
		if g.permit[kind] {
			fmt.Fprintf(&b, "    class %s permit\n", kind)
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// steps is the same as a table, with what is done.
func (g *table) steps() string {
	var b strings.Builder
	b.WriteString("| from | when | is done | to |\n|---|---|---|---|\n")
	done := map[tableStep]bool{}
	for _, s := range g.changes {
		row := s
		row.event = ""
		if done[row] {
			continue
		}
		done[row] = true
		var whens edge
		for _, other := range g.changes {
			words := wordingOf(other).detail
			if other.event = ""; other == row {
				whens.says(words)
			}
		}
		from := s.from
		if s.cut {
			from += " " + leftover
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", from, strings.Join(whens.words, "; "), s.does, s.to)
	}
	return b.String()
}

// takeover is the diagram of where the next process takes a call up. States from
// which the same happens are one.
func (g *table) takeover() string {
	all := edges(g.taken, func(s tableStep) string { return s.event })
	ways := map[string]string{} // of each state a process died in
	for _, e := range all {
		ways[e.from] += "to " + e.to + e.label(all) + "\n"
	}
	var b, arrows strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n    direction LR\n")
	drawn := map[string]bool{}
	for _, kind := range g.kinds {
		if drawn[ways[kind]] {
			continue
		}
		drawn[ways[kind]] = true
		var same []string
		for _, other := range g.kinds {
			if ways[other] == ways[kind] {
				same = append(same, other)
			}
		}
		fmt.Fprintf(&b, "    state \"died in %s\" as died_%s\n", strings.Join(same, ", "), kind)
		for _, e := range all {
			if e.from == kind {
				fmt.Fprintf(&arrows, "    died_%s --> %s%s\n", kind, e.to, e.label(all))
			}
		}
	}
	return b.String() + arrows.String() + "```\n"
}

// label says what was found, where that decides: of the way taken most often, that
// it is the others'.
func (e *edge) label(all []*edge) string {
	most := true
	ways := 0
	for _, other := range all {
		if other.from == e.from {
			ways++
			most = most && (other == e || len(other.words) < len(e.words))
		}
	}
	switch {
	case ways == 1:
		return ""
	case most:
		return ": else"
	}
	return ": found " + strings.Join(e.words, ", or ")
}
