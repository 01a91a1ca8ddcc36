package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The bounds of a callback's body.
const (
	maxBody    = 1 << 20 // bytes; the listener refuses larger ones before us
	maxDepth   = 32
	maxMembers = 1000    // of one object
	maxValues  = 100_000 // in all: a roster of 1000 people has some 40 000
	maxNumber  = 40      // characters of one number
)

type limits struct{ bytes, depth, members, values int }

// A node is one JSON value. Only the member that belongs to its type is set.
//
// encoding/json into structs would do less: it lets the last of two equal
// members win, takes "STATE" for "state", and says nothing of members that it
// does not know. All three matter here, and a tree keeps the order of what is
// kept as evidence.
type node struct {
	typ     nodeType
	text    string // of a string; of a number as it was written
	yes     bool
	members []member
	values  []*node
}

type member struct {
	name  string
	value *node
}

type nodeType uint8

const (
	typeNull nodeType = iota
	typeBool
	typeNumber
	typeString
	typeArray
	typeObject
)

// parse reads one JSON value within the limits. Its errors are *DecodeError.
func parse(body []byte, lim limits) (*node, error) {
	switch {
	case len(body) > lim.bytes:
		return nil, refuse(ReasonSize, "%d bytes; at most %d are read", len(body), lim.bytes)
	case !utf8.Valid(body):
		return nil, refuse(ReasonUTF8, "the body is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	p := parser{dec: dec, lim: lim}
	n, err := p.value(1)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse(ReasonJSON, "something follows the value at byte %d", dec.InputOffset())
	}
	return n, nil
}

type parser struct {
	dec  *json.Decoder
	lim  limits
	seen int
}

func (p *parser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err == nil {
		return t, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, refuse(ReasonJSON, "it ends after %d bytes in the middle of a value", p.dec.InputOffset())
	}
	return nil, refuse(ReasonJSON, "not JSON after byte %d", p.dec.InputOffset())
}

func (p *parser) value(depth int) (*node, error) {
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	if p.seen++; p.seen > p.lim.values {
		return nil, refuse(ReasonMembers, "more than %d values", p.lim.values)
	}
	switch t := t.(type) {
	case string:
		return &node{typ: typeString, text: t}, nil
	case json.Number:
		if len(t) > maxNumber {
			return nil, refuse(ReasonNumber, "a number of %d characters; at most %d are read", len(t), maxNumber)
		}
		return &node{typ: typeNumber, text: t.String()}, nil
	case bool:
		return &node{typ: typeBool, yes: t}, nil
	case json.Delim:
		if depth > p.lim.depth {
			return nil, refuse(ReasonDepth, "nested more than %d deep", p.lim.depth)
		}
		if t == '[' {
			return p.array(depth)
		}
		return p.object(depth)
	}
	return &node{}, nil
}

func (p *parser) array(depth int) (*node, error) {
	n := &node{typ: typeArray}
	for p.dec.More() {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.values = append(n.values, v)
	}
	_, err := p.token()
	return n, err
}

func (p *parser) object(depth int) (*node, error) {
	n := &node{typ: typeObject}
	seen := make(map[string]struct{})
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string) // the decoder refuses everything else as a name
		if _, twice := seen[name]; twice {
			return nil, refuse(ReasonDuplicate, "member %s appears twice in one object", quote(name))
		}
		if seen[name] = struct{}{}; len(seen) > p.lim.members {
			return nil, refuse(ReasonMembers, "an object with more than %d members", p.lim.members)
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, member{name, v})
	}
	_, err := p.token()
	return n, err
}

// quote shortens a stranger's word for an error text.
func quote(s string) string { return strconv.Quote(shorten(s, 64)) }

// shorten cuts s to at most limit bytes at a rune's boundary.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// get returns the member, or nil where n is no object or has none, or where it
// is null: Graph writes null for "not told".
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, m := range n.members {
		if m.name == name {
			if m.value.typ == typeNull {
				return nil
			}
			return m.value
		}
	}
	return nil
}

// find follows a path of members.
func (n *node) find(path ...string) *node {
	for _, name := range path {
		n = n.get(name)
	}
	return n
}

// str returns a string's text, "" for everything else.
func (n *node) str() string {
	if n == nil || n.typ != typeString {
		return ""
	}
	return n.text
}

// list returns an array's values, and any other value as a list of one: Graph
// sends "either an entity or a collection of entities".
func (n *node) list() []*node {
	switch {
	case n == nil:
		return nil
	case n.typ == typeArray:
		return n.values
	}
	return []*node{n}
}

func (n *node) isObject() bool { return n != nil && n.typ == typeObject }

func (n *node) bool() bool { return n != nil && n.typ == typeBool && n.yes }

// int reads a number or a string that holds one (Graph's documentation has
// both for the same member). ok is false for everything else.
func (n *node) int(bits int) (v int64, ok bool) {
	if n == nil || n.typ != typeNumber && n.typ != typeString {
		return 0, false
	}
	v, err := strconv.ParseInt(strings.TrimSpace(n.text), 10, bits)
	return v, err == nil
}

// odataType returns the entity's type without namespace, "" where not told.
func (n *node) odataType() string {
	t := strings.TrimPrefix(n.get("@odata.type").str(), "#")
	if rest, ok := cutPrefixFold(t, "microsoft.graph."); ok {
		return rest
	}
	return t
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// redact writes n as JSON without any member that could hold a token: the
// join token of a meeting is as good as an invitation. It goes by name at any
// depth rather than by place, so that a token somewhere new stays out too.
func (n *node) redact(dst []byte) []byte {
	switch n.typ {
	case typeBool:
		return strconv.AppendBool(dst, n.yes)
	case typeNumber:
		return append(dst, n.text...)
	case typeString:
		return appendString(dst, n.text)
	case typeArray:
		dst = append(dst, '[')
		for i, v := range n.values {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = v.redact(dst)
		}
		return append(dst, ']')
	case typeObject:
		return n.redactObject(dst)
	case typeNull:
	}
	return append(dst, "null"...)
}

func (n *node) redactObject(dst []byte) []byte {
	dst = append(dst, '{')
	first := true
	for _, m := range n.members {
		if secretName(m.name) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendString(dst, m.name), ':')
		dst = m.value.redact(dst)
	}
	return append(dst, '}')
}

func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"token", "passcode", "password", "secret"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func appendString(dst []byte, s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // cannot happen: s is a string
		return append(dst, `""`...)
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
