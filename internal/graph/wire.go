package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// The wire types hold what we read, no more: unknown members stay in Raw.
type (
	wireEnvelope struct {
		Type  string            `json:"@odata.type"`
		Value []json.RawMessage `json:"value"`
		Call  json.RawMessage   `json:"call"` // of a bare participantJoining
	}
	wireNotification struct {
		Type         string          `json:"@odata.type"`
		ChangeType   string          `json:"changeType"`
		Resource     string          `json:"resource"`
		ResourceURL  string          `json:"resourceUrl"`
		ResourceData json.RawMessage `json:"resourceData"`
	}
	wireCall struct {
		Type                string            `json:"@odata.type"`
		ODataID             string            `json:"@odata.id"`
		ID                  string            `json:"id"`
		State               string            `json:"state"`
		Direction           string            `json:"direction"`
		TenantID            string            `json:"tenantId"`
		MyParticipantID     string            `json:"myParticipantId"`
		CallChainID         string            `json:"callChainId"`
		MediaHostedRegion   string            `json:"mediaHostedRegion"`
		Source              *wireParticipant  `json:"source"`
		Targets             []wireParticipant `json:"targets"`
		ChatInfo            *wireChat         `json:"chatInfo"`
		IncomingContext     *wireContext      `json:"incomingContext"`
		ApplicationMetadata *wireMetadata     `json:"applicationMetadata"`
		ResultInfo          *wireResult       `json:"resultInfo"`
	}
	wireChat struct {
		ThreadID string `json:"threadId"`
	}
	wireContext struct {
		SourceParticipantID   string `json:"sourceParticipantId"`
		ObservedParticipantID string `json:"observedParticipantId"`
	}
	wireMetadata struct {
		BotData *wireBotData `json:"botData"`
	}
	wireBotData struct {
		CallID            string `json:"callId"` // of the conversation
		MediaHostedRegion string `json:"mediaHostedRegion"`
		PolicyIdentifier  string `json:"policyIdentifier"`
		User              struct {
			ParticipationMethod string `json:"participationMethod"`
			PolicyHolderID      string `json:"policyHolderId"`
		} `json:"user"`
	}
	wireResult struct {
		Code    flexInt `json:"code"`
		Subcode flexInt `json:"subcode"`
		Message string  `json:"message"`
	}
	wireOperation struct {
		Type          string      `json:"@odata.type"`
		ID            string      `json:"id"`
		ClientContext string      `json:"clientContext"`
		Status        string      `json:"status"`
		ResultInfo    *wireResult `json:"resultInfo"`
		// Error is no member of an operation: with it, the rest is contradicted.
		Error json.RawMessage `json:"error"`
	}
	wireJoining struct {
		Type          string          `json:"@odata.type"`
		Call          json.RawMessage `json:"call"`
		ParticipantID string          `json:"participantId"`
	}
)

// Participants, in the roster and as a call's source and targets.
type (
	wireParticipant struct {
		ID                   string                   `json:"id"`
		Identity             map[string]*wireIdentity `json:"identity"` // of a participantInfo
		Info                 *wireInfo                `json:"info"`     // of a participant
		IsMuted              *bool                    `json:"isMuted"`
		IsInLobby            *bool                    `json:"isInLobby"`
		MediaStreams         []wireStream             `json:"mediaStreams"`
		RemovedState         *wireRemoved             `json:"removedState"`
		RosterSequenceNumber flexInt                  `json:"rosterSequenceNumber"`
		RecordingInfo        *wireRecording           `json:"recordingInfo"`
		IsIdentityAnonymized bool                     `json:"isIdentityAnonymized"`
	}
	wireInfo struct {
		Identity             map[string]*wireIdentity `json:"identity"`
		IsIdentityAnonymized bool                     `json:"isIdentityAnonymized"`
	}
	wireRecording struct {
		RecordingStatus string `json:"recordingStatus"`
	}
	wireRemoved struct {
		Reason string `json:"reason"`
	}
	wireStream struct {
		MediaType   string  `json:"mediaType"`
		Label       string  `json:"label"`
		SourceID    flexInt `json:"sourceId"`
		Direction   string  `json:"direction"`
		ServerMuted bool    `json:"serverMuted"`
	}
	wireDelta struct {
		Type           string            `json:"@odata.type"`
		SequenceNumber flexInt           `json:"sequenceNumber"`
		Participants   []json.RawMessage `json:"participants"`
	}
)

// A wireIdentity is one member of an identity set. Members that are no
// identity, such as @odata.type, are left out.
type wireIdentity struct {
	ID          string
	DisplayName string
	TenantID    string
}

// UnmarshalJSON takes an identity, and anything else for none.
func (w *wireIdentity) UnmarshalJSON(data []byte) error {
	var v struct {
		ID          string `json:"id"`
		DisplayName string `json:"displayName"`
		TenantID    string `json:"tenantId"`
	}
	if len(data) == 0 || data[0] != '{' {
		return nil
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*w = wireIdentity(v)
	return nil
}

// A flexInt is a number that the platform writes as a number (Int32 by the
// schema) or as a string (in its examples). What is neither counts as 0.
type flexInt int64

// UnmarshalJSON takes a number, a string or null.
func (f *flexInt) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if text == "" || text == "null" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange) {
		return nil
	}
	*f = flexInt(n)
	return err
}

// scrub removes every member named token or passcode, and what a meeting's address
// has beside its context: meetingInfo.token lets its holder join the meeting, and
// has no place in a journal.
func scrub(raw json.RawMessage) json.RawMessage {
	lower := bytes.ToLower(raw)
	secret := func(word string) bool { return bytes.Contains(lower, []byte(word)) }
	if !secret(`token"`) && !secret(`passcode"`) && !secret(`meetingurl"`) && !bytes.ContainsRune(raw, '\\') {
		return bytes.Clone(raw)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil
	}
	clean, err := json.Marshal(withoutTokens(v))
	if err != nil {
		return nil
	}
	return clean
}

func withoutTokens(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, m := range v {
			if strings.EqualFold(k, "token") || strings.EqualFold(k, "passcode") {
				delete(v, k)
				continue
			}
			if address, ok := m.(string); ok && strings.EqualFold(k, "MeetingUrl") {
				m = linkOf(address)
			}
			v[k] = withoutTokens(m)
		}
	case []any:
		for i := range v {
			v[i] = withoutTokens(v[i])
		}
	}
	return v
}
