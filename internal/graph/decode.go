package graph

import (
	"strings"
	"time"
	"unicode"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// maxEntries bounds one batch. Real ones have one to a few.
const maxEntries = 1000

// decodeEnvelope reads a commsNotifications, or a participant joining that
// comes without an envelope: its envelope is documented nowhere.
func decodeEnvelope(root *node, at time.Time) ([]Notification, error) {
	if !root.isObject() {
		return nil, refuse(ReasonEnvelope, "the body is not an object; a commsNotifications is")
	}
	switch t := root.odataType(); strings.ToLower(t) {
	case "commsnotifications", "":
	case typeJoining, typeLeft:
		n, err := decodeEntry(&node{typ: typeObject, members: []member{{"resourceData", root}}}, at)
		if err != nil {
			return nil, err
		}
		return []Notification{n}, nil
	default:
		return nil, refuse(ReasonEnvelope, "the body is a %s; a commsNotifications is taken", quote(t))
	}
	value := root.get("value")
	if value == nil || value.typ != typeArray {
		return nil, refuse(ReasonEnvelope, "the body has no list named value")
	}
	if len(value.values) > maxEntries {
		return nil, refuse(ReasonEntries, "%d notifications in one body; at most %d are taken: send them in several", len(value.values), maxEntries)
	}
	ns := make([]Notification, 0, len(value.values))
	for _, entry := range value.values {
		n, err := decodeEntry(entry, at)
		if err != nil {
			return nil, err
		}
		ns = append(ns, n)
	}
	return ns, nil
}

// The entity types that decide what an entry is, in lower case.
const (
	typeJoining      = "participantjoiningnotification"
	typeLeft         = "participantleftnotification"
	typeDelta        = "deltaparticipants"
	typeStatusUpdate = "updaterecordingstatusoperation"
)

// decodeEntry reads one notification.
func decodeEntry(entry *node, at time.Time) (Notification, error) {
	if !entry.isObject() {
		return Notification{}, refuse(ReasonEntry, "an entry of value is not an object")
	}
	d := decoder{at: at}
	data := entry.get("resourceData")
	switch strings.ToLower(entry.odataType()) {
	case "commsnotification", "":
		d.members(entry, "changeType", "resourceUrl", "resource", "resourceData")
	case typeJoining, typeLeft:
		data = entry // the notification itself, without a wrapping
	default:
		d.n.Unknown++
	}
	if data != nil && data.typ != typeObject && data.typ != typeArray {
		return Notification{}, refuse(ReasonEntry, "resourceData is neither an object nor a list")
	}
	if data != nil {
		d.n.Raw = data.redact(nil)
	}
	d.n.Change = d.word(entry.get("changeType"), "created", "updated", "deleted")
	where, err := d.place(entry)
	if err != nil {
		return Notification{}, err
	}
	if err := d.resource(where, data); err != nil {
		return Notification{}, err
	}
	return d.n, nil
}

// A decoder fills one notification.
type decoder struct {
	at time.Time
	n  Notification
}

// members counts the members of an entity that are not among the known.
// Annotations ("@odata.etag") are known by their nature.
func (d *decoder) members(entity *node, known ...string) {
	if !entity.isObject() {
		return
	}
next:
	for _, m := range entity.members {
		if strings.Contains(m.name, "@") {
			continue
		}
		for _, k := range known {
			if m.name == k {
				continue next
			}
		}
		d.n.Unknown++
	}
}

// word reads an enum in any case and returns the known spelling. An unknown
// one is counted and becomes "other", an absent one "".
func (d *decoder) word(v *node, known ...string) string {
	if v == nil {
		return ""
	}
	for _, k := range known {
		if strings.EqualFold(v.str(), k) {
			return k
		}
	}
	d.n.Unknown++
	return other
}

const other = "other"

// integer reads a number or a string holding one; what can't be read is
// counted and 0.
func (d *decoder) integer(v *node, bits int) int64 {
	i, ok := v.int(bits)
	if v != nil && !ok {
		d.n.Unknown++
	}
	return i
}

// A place is where in the resource tree an entry happened.
type place struct {
	call string // as the platform wrote it; "" where the entry names no resource
	kind string // "", participants, operations, contentsharingsessions …, in lower case
	id   string // of the thing within
	none bool   // the entry names a resource that belongs to no call
}

// place reads resourceUrl and its older twin. Where both are given they must
// name the same call.
func (d *decoder) place(entry *node) (place, error) {
	var found place
	for _, name := range []string{"resourceUrl", "resource"} {
		path := entry.get(name).str()
		if path == "" {
			continue
		}
		p := splitPath(path)
		if p.none {
			found.none = found.call == ""
			continue
		}
		id, err := callID(p.call)
		if err != nil {
			return place{}, err
		}
		if found.call != "" {
			if first, err := callID(found.call); err != nil || first != id {
				return place{}, refuse(ReasonCallMismatch, "resource and resourceUrl name different calls")
			}
			continue
		}
		found = p
	}
	return found, nil
}

// splitPath takes "/communications/calls/{id}/participants/{id}" apart; the
// older form begins with "/app", and a whole URL is as good.
func splitPath(path string) place {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range parts {
		if !strings.EqualFold(part, "calls") || i+1 == len(parts) {
			continue
		}
		p := place{call: parts[i+1]}
		if i+2 < len(parts) {
			p.kind = strings.ToLower(parts[i+2])
		}
		if i+3 < len(parts) {
			p.id = parts[i+3]
		}
		return p
	}
	return place{none: true}
}

// resource decodes the resource data by its type, and by its place where the
// type is not told.
func (d *decoder) resource(where place, data *node) error {
	first := data
	if data != nil && data.typ == typeArray && len(data.values) > 0 {
		first = data.values[0]
	}
	switch strings.ToLower(first.odataType()) {
	case typeJoining:
		return d.joining(where, first)
	case typeLeft:
		return d.left(where, first)
	}
	if where.none && strings.EqualFold(first.odataType(), "call") {
		where = place{} // the path names the collection; the entity names itself
	}
	if where.none {
		d.n.Unknown++
		return nil // of something else than calls: not ours
	}
	switch where.kind {
	case "":
		return d.calls(where, data)
	case "participants":
		d.n.Kind = Roster
		d.roster(where, data)
	case "operations":
		d.n.Kind = Operation
		for _, op := range data.list() {
			d.operation(where, op)
		}
	case "contentsharingsessions":
		d.n.Kind = ContentSharing
	default:
		d.n.Unknown++
	}
	return d.nameCall(where.call)
}

// nameCall sets the call that the notification is about.
func (d *decoder) nameCall(id string) error {
	canonical, err := callID(id)
	if err != nil {
		return err
	}
	d.n.Call, d.n.PlatformCall = canonical, id
	return nil
}

// callID checks a call's ID and returns its canonical form. The charset keeps
// IDs harmless in request paths, file names and logs; "." and ".." are not.
func callID(id string) (recorder.CallID, error) {
	switch {
	case id == "":
		return "", refuse(ReasonCall, "no call ID: neither resourceUrl nor resourceData names the call")
	case len(id) > 128:
		return "", refuse(ReasonCall, "a call ID of %d characters; at most 128 are taken", len(id))
	case strings.Trim(id, ".") == "":
		return "", refuse(ReasonCall, "a call ID made of dots only")
	}
	for _, c := range []byte(id) {
		if !idByte(c) {
			return "", refuse(ReasonCall, "call ID %s has characters other than A-Z, a-z, 0-9, '.', '_' and '-'", quote(id))
		}
	}
	return recorder.CallID(canonical(id)), nil
}

func idByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// canonical returns a GUID in lower case with dashes, whether it came with
// dashes or not, and everything else as it is.
func canonical(id string) string {
	if g, ok := guid(id); ok {
		return g
	}
	return id
}

func guid(id string) (string, bool) {
	var hex []byte
	switch len(id) {
	case 32:
		hex = []byte(id)
	case 36:
		if id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
			return "", false
		}
		hex = []byte(id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:])
	default:
		return "", false
	}
	for i, c := range hex {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
		case c >= 'A' && c <= 'F':
			hex[i] = c + 'a' - 'A'
		default:
			return "", false
		}
	}
	s := string(hex)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:], true
}

// id reads an object ID: canonical where it is a GUID, without the prefix of
// the older form "8:orgid:<GUID>", clean and bounded where it is not.
func id(v *node) string { return canonical(strings.TrimPrefix(text(v, 256), "8:orgid:")) }

// text reads a string for people: without control characters, bounded in bytes.
func text(v *node, limit int) string {
	return shorten(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, v.str()), limit)
}
