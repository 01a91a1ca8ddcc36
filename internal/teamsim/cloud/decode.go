package cloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxBody bounds a request of the bot, bytes; a blob is a few KiB.
const maxBody = 1 << 20

// maxContext is the documented limit of clientContext, characters.
const maxContext = 256

// The recording statuses and the progress of operations.
const (
	statusRecording    = "recording"
	statusNotRecording = "notRecording"
	statusFailed       = "failed"

	progressCompleted  = "completed"
	progressRunning    = "running"
	progressFailed     = "failed"
	progressNotStarted = "notStarted"
)

func statuses() []string { return []string{statusRecording, statusNotRecording, statusFailed} }

// An answerRequest is the documented body of answer.
type answerRequest struct {
	callbackURI string
	blob        string
	capacity    int32
	delta       bool
	sharing     bool
}

type statusRequest struct {
	context string
	status  string
}

// errMissingMedia is told with a code of its own, 8523.
var errMissingMedia = errors.New("Missing mediaConfig information.") //nolint:revive,staticcheck // the service's own words

// decodeAnswer reads the body of answer as documented.
func decodeAnswer(body []byte) (answerRequest, error) {
	var a answerRequest
	members, err := object(body, "callbackUri", "acceptedModalities", "callOptions", "mediaConfig", "participantCapacity")
	if err != nil {
		return a, err
	}
	if err = member(members, "callbackUri", &a.callbackURI); err != nil {
		return a, err
	}
	u, err := url.Parse(a.callbackURI)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return a, fmt.Errorf("callbackUri %q is not an absolute https URL", a.callbackURI)
	}
	if err := decodeModalities(members); err != nil {
		return a, err
	}
	if raw, ok := members["participantCapacity"]; ok {
		if err := json.Unmarshal(raw, &a.capacity); err != nil || a.capacity < 0 {
			return a, fmt.Errorf("participantCapacity %s is not an Int32 of 0 or more", raw)
		}
	}
	if err := a.decodeOptions(members["callOptions"]); err != nil {
		return a, err
	}
	return a, a.decodeMedia(members["mediaConfig"])
}

func decodeModalities(members map[string]json.RawMessage) error {
	var modalities []string
	if err := member(members, "acceptedModalities", &modalities); err != nil {
		return err
	}
	if len(modalities) == 0 {
		return errors.New("acceptedModalities is empty")
	}
	for i, m := range modalities {
		if !slices.Contains([]string{"audio", "video", "videoBasedScreenSharing"}, m) {
			return fmt.Errorf("acceptedModalities: %q is not a modality", m)
		}
		if slices.Contains(modalities[:i], m) {
			return fmt.Errorf("acceptedModalities: %q twice", m)
		}
	}
	return nil
}

func (a *answerRequest) decodeOptions(raw json.RawMessage) error {
	if raw == nil {
		return nil
	}
	flags := []string{"hideBotAfterEscalation", "isContentSharingNotificationEnabled", "isDeltaRosterEnabled", "isInteractiveRosterEnabled"}
	options, err := object(raw, append(flags, "@odata.type")...)
	if err != nil {
		return fmt.Errorf("callOptions: %w", err)
	}
	if err := odataType(options, "#microsoft.graph.incomingCallOptions"); err != nil {
		return fmt.Errorf("callOptions: %w", err)
	}
	for _, name := range flags {
		var set bool
		if raw, ok := options[name]; ok {
			if err := json.Unmarshal(raw, &set); err != nil || bytes.Equal(raw, []byte("null")) {
				return fmt.Errorf("callOptions: %s is not a boolean", name)
			}
		}
		switch name {
		case "isDeltaRosterEnabled":
			a.delta = set
		case "isContentSharingNotificationEnabled":
			a.sharing = set
		default:
		}
	}
	return nil
}

func (a *answerRequest) decodeMedia(raw json.RawMessage) error {
	if raw == nil {
		return errMissingMedia
	}
	media, err := object(raw, "@odata.type", "blob")
	if err != nil {
		return fmt.Errorf("mediaConfig: %w", err)
	}
	if err := odataType(media, "#microsoft.graph.appHostedMediaConfig"); err != nil {
		return fmt.Errorf("mediaConfig: %w", err)
	}
	if err := member(media, "blob", &a.blob); err != nil {
		return fmt.Errorf("mediaConfig: %w", err)
	}
	if a.blob == "" {
		return errors.New("mediaConfig: blob is empty")
	}
	return nil
}

// decodeStatus reads the body of updateRecordingStatus as documented.
func decodeStatus(body []byte) (statusRequest, error) {
	var s statusRequest
	members, err := object(body, "clientContext", "status")
	if err != nil {
		return s, err
	}
	if err := member(members, "status", &s.status); err != nil {
		return s, err
	}
	if !slices.Contains(statuses(), s.status) {
		return s, fmt.Errorf("status %q is none of %v", s.status, statuses())
	}
	if err := member(members, "clientContext", &s.context); err != nil {
		return s, err
	}
	if n := utf8.RuneCountInString(s.context); n == 0 || n > maxContext {
		return s, fmt.Errorf("clientContext has %d characters, not 1 to %d", n, maxContext)
	}
	return s, nil
}

// decodeReject reads the body of reject as documented: the examples write the
// reason in lower case, the table with a capital.
func decodeReject(body []byte) (string, error) {
	members, err := object(body, "reason", "callbackUri")
	if err != nil {
		return "", err
	}
	var reason string
	if err := member(members, "reason", &reason); err != nil {
		return "", err
	}
	reason = strings.ToLower(reason[:min(1, len(reason))]) + reason[min(1, len(reason)):]
	if !slices.Contains([]string{"none", "busy", "forbidden"}, reason) {
		return "", fmt.Errorf("reason %q is none of none, busy, forbidden", reason)
	}
	return reason, nil
}

// object reads one JSON object whose members are exactly named, each at most
// once, with nothing behind it. encoding/json alone forgives all three.
func object(data []byte, names ...string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("read JSON: %w", err)
		}
		name, _ := t.(string)
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("member %q is not documented", name)
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("member %q twice", name)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, fmt.Errorf("read member %q: %w", name, err)
		}
		members[name] = raw
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return members, nil
}

// member reads a required member that must not be null.
func member(members map[string]json.RawMessage, name string, v any) error {
	raw, ok := members[name]
	if !ok || bytes.Equal(raw, []byte("null")) {
		return fmt.Errorf("member %q is missing", name)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("member %q: %w", name, err)
	}
	return nil
}

func odataType(members map[string]json.RawMessage, want string) error {
	var got string
	if err := member(members, "@odata.type", &got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("@odata.type is %q, not %q", got, want)
	}
	return nil
}
