package graph

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// A tree is JSON of which no member has to have a certain shape: what is not of the
// shape that is asked for is as if it were not there. An invite must not be lost to
// a field that we only keep.
type tree struct{ v any }

func treeOf(raw json.RawMessage) tree {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return tree{}
	}
	return tree{v}
}

// get returns a member of an object, whatever the case of its name; scan has seen
// to it that there is one at most.
func (t tree) get(name string) tree {
	object, ok := t.v.(map[string]any)
	if !ok {
		return tree{}
	}
	if v, exact := object[name]; exact {
		return tree{v}
	}
	for k, v := range object {
		if strings.EqualFold(k, name) {
			return tree{v}
		}
	}
	return tree{}
}

// members are the names of an object's members, in order.
func (t tree) members() []string {
	object, _ := t.v.(map[string]any)
	return slices.Sorted(maps.Keys(object))
}

// items are a list's; what is no list is a list of one, and nothing is none.
func (t tree) items() []tree {
	list, ok := t.v.([]any)
	switch {
	case ok:
		all := make([]tree, len(list))
		for i, v := range list {
			all[i] = tree{v}
		}
		return all
	case t.v == nil:
		return nil
	}
	return []tree{t}
}

// text is a string, number or boolean as text; empty where it is none of these.
func (t tree) text() string {
	switch v := t.v.(type) {
	case string:
		return oneLine(v)
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// oneLine makes a text one line of printable characters.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s))
}
