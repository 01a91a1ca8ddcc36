package graph

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// factRoots are the members of a call that are kept field by field, the most
// important first, since what is kept is bounded. The others have a place of their
// own in recorder.Invite, or say nothing of the call.
func factRoots() []string {
	return []string{
		"incomingContext", "applicationMetadata", "source", "targets", "chatInfo", "meetingInfo", "subject", "direction",
		"requestedModalities", "callRoutes", "callOptions", "MeetingUrl", "mediaHostedRegion", "meetingCapability",
		"meetingProperties", "terminationReason", "ringingTimeoutInSeconds",
	}
}

// FieldRoots are the words with which the names of an invite's fields begin
// (recorder.Fact).
func FieldRoots() []string { return append([]string{"botData"}, factRoots()...) }

// facts gathers fields.
type facts struct {
	all  []recorder.Fact
	left int // fields and parties that had no room, or not whole
}

func (f *facts) call(call tree) {
	for _, root := range factRoots() {
		f.walk(root, call.get(root))
	}
}

// botPrefix is what the names of botData's fields have in front, and do not need.
const botPrefix = "applicationMetadata.botData"

// walk adds the fields below a value. The nesting was bounded before.
func (f *facts) walk(name string, t tree) {
	switch v := t.v.(type) {
	case nil:
	case []any:
		for _, item := range v {
			f.walk(name, tree{item})
		}
	case map[string]any:
		for _, member := range t.members() {
			// Of the types only the meeting's says what its fields don't.
			if strings.Contains(member, "@") && (name != "meetingInfo" || member != "@odata.type") {
				continue
			}
			below := name + "." + strings.ReplaceAll(oneLine(member), "=", " ")
			if strings.EqualFold(below, botPrefix) {
				below = "botData"
			}
			f.walk(below, tree{v[member]})
		}
	default:
		f.add(name, t.text())
	}
}

// mostName bounds a field's name, in bytes.
const mostName = 120

func (f *facts) add(name, value string) {
	switch short := shorten(value); {
	case value == "":
	case len(f.all) >= recorder.MostFacts || len(name) > mostName:
		f.left++
	default:
		if short != value {
			f.left++
		}
		f.all = append(f.all, recorder.Fact{Name: name, Value: short})
	}
}

// done returns the facts, and as the last one how much was left out.
func (f *facts) done() []recorder.Fact {
	if f.left > 0 {
		f.all = append(slices.Clip(f.all), recorder.Fact{Name: recorder.FactLeftOut, Value: strconv.Itoa(f.left)})
	}
	return f.all
}

// linkOf returns a meeting's address without what opens the door: of its query the
// context alone is kept, for a passcode may stand beside it.
func linkOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	context := u.Query().Get("context")
	u.RawQuery, u.Fragment, u.User = "", "", nil
	if context != "" {
		u.RawQuery = url.Values{"context": {context}}.Encode()
	}
	return u.String()
}
