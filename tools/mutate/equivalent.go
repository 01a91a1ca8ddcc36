package main

import (
	"fmt"
	"strings"
)

// parseEquivalents reads the reviewed list of mutants that no test can tell from the
// program. An entry is two lines: the mutant's name, as the report gives it without
// the line number, and, indented, one sentence that says why.
func parseEquivalents(text string) (map[string]string, error) {
	all := map[string]string{}
	name := ""
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case !strings.HasPrefix(line, "\t"):
			if name != "" {
				return nil, fmt.Errorf("line %d: %s has no reason: say, on an indented line, why no test can tell", i+1, name)
			}
			name = strings.TrimSpace(line)
			if all[name] != "" {
				return nil, fmt.Errorf("line %d: %s is listed twice", i+1, name)
			}
		case name == "":
			return nil, fmt.Errorf("line %d: a reason without a mutant", i+1)
		default:
			all[name], name = strings.TrimSpace(line), ""
		}
	}
	if name != "" {
		return nil, fmt.Errorf("%s has no reason: say, on an indented line, why no test can tell", name)
	}
	return all, nil
}
