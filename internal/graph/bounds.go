package graph

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The bounds of a notification body. Real ones have some kilobytes, one to a
// few entries and about ten levels; a roster has a kilobyte for each of a thousand.
const (
	maxBody    = 4 << 20
	maxDepth   = 32
	maxEntries = 1000
	maxID      = 128
)

// A DecodeError says why a body, or an entry of one, was refused. Reason is from a
// closed set and may label a metric; Detail is for the sender and holds no content.
type DecodeError struct {
	Reason string
	Detail string
}

// The reasons of a DecodeError.
const (
	ReasonTooLarge  = "tooLarge"
	ReasonNotJSON   = "notJSON"
	ReasonTooDeep   = "tooDeep"
	ReasonTooMany   = "tooManyEntries"
	ReasonWrongType = "wrongType"
	ReasonBadCallID = "badCallID"
	ReasonBadShape  = "badShape"
	ReasonAmbiguous = "ambiguous"
	ReasonBadNumber = "badNumber"
	ReasonBadTenant = "badTenant"
	ReasonForeign   = "foreignResource"
)

// DecodeReasons are all of them.
func DecodeReasons() []string {
	return []string{
		ReasonTooLarge, ReasonNotJSON, ReasonTooDeep, ReasonTooMany, ReasonWrongType, ReasonBadCallID, ReasonBadShape,
		ReasonAmbiguous, ReasonBadNumber, ReasonBadTenant, ReasonForeign,
	}
}

// Error says what was wrong.
func (e *DecodeError) Error() string { return "graph: " + e.Reason + ": " + e.Detail }

func refuse(reason, format string, args ...any) error {
	return &DecodeError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// bound refuses what must not even be parsed.
func bound(body []byte, most int) error {
	switch depth := depthOf(body); {
	case len(body) > most:
		return refuse(ReasonTooLarge, "the body has %d bytes; at most %d are taken", len(body), most)
	case depth > maxDepth:
		return refuse(ReasonTooDeep, "the body is nested deeper than %d levels", maxDepth)
	case !utf8.Valid(body):
		return refuse(ReasonNotJSON, "the body is not UTF-8")
	case !json.Valid(body):
		return refuse(ReasonNotJSON, "the body is not JSON")
	}
	return scan(body)
}

// depthOf returns how deep brackets are nested, without parsing.
func depthOf(body []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// callID checks and canonicalises a call's ID: it becomes a key, a journal
// entry and part of a request path, so it has no room for anything else.
func callID(id string) (recorder.CallID, error) {
	if id == "" || len(id) > maxID || id == "." || id == ".." {
		return "", refuse(ReasonBadCallID, "the call ID has %d characters, or is a path; 1 to %d of A-Z a-z 0-9 . _ - are taken", len(id), maxID)
	}
	for _, c := range []byte(id) {
		if !idByte(c) {
			return "", refuse(ReasonBadCallID, "the call ID has a character other than A-Z a-z 0-9 . _ -")
		}
	}
	return recorder.CallID(canonicalID(id)), nil
}

func idByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// canonicalID returns a GUID in lower case with dashes, and everything else as
// it is.
func canonicalID(id string) string {
	if n := len(id); n == 36 || n == 32 {
		if u, err := uuid.Parse(id); err == nil {
			return u.String()
		}
	}
	return shorten(id)
}

// tenantID takes nothing but a GUID or nothing: it is compared with the
// caller's tenant, and becomes part of the token authority's URL.
func tenantID(id string) (string, error) {
	if n := len(id); n == 36 || n == 32 {
		if u, err := uuid.Parse(id); err == nil {
			return u.String(), nil
		}
	}
	if id != "" {
		return "", refuse(ReasonBadTenant, "tenantId is not a GUID")
	}
	return "", nil
}

// A place is what a resource path names.
type place struct {
	call string
	rest string // participants, operations, contentsharingsessions, or empty
	id   string
}

// parsePlace reads /communications/calls/{id}[/participants|/operations/{id}|…]
// and its older twin /app/calls/{id}…, with or without a host and version.
func parsePlace(path string) (place, error) {
	if path == "" {
		return place{}, nil
	}
	lower := strings.ToLower(path)
	i := strings.Index(lower, "/calls/")
	if i < 0 {
		return place{}, refuse(ReasonForeign, "the resource is not that of a call")
	}
	parts := strings.Split(path[i+len("/calls/"):], "/")
	if len(parts) > 3 {
		return place{}, refuse(ReasonBadCallID, "the resource path has more segments than a call's")
	}
	p := place{call: parts[0]}
	if len(parts) > 1 {
		p.rest = strings.ToLower(parts[1])
	}
	if len(parts) > 2 {
		p.id = parts[2]
	}
	return p, nil
}
