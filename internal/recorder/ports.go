package recorder

import (
	"context"
	"time"
)

// A Platform is the calling service: Microsoft Graph, or the simulator behind
// it. Implementations are safe for concurrent use, bound every request by ctx
// and a deadline of their own, and never retry an announcement by themselves
// (the state machine decides). An error is always a *Fault.
type Platform interface {
	// Answer accepts the invite with the media host's blob. nil means that the
	// platform took the request (202), not that the call is established.
	Answer(ctx context.Context, call CallRef, session Session) (Receipt, error)
	Reject(ctx context.Context, call CallRef, reason RejectReason) (Receipt, error)
	// Announce sets the recording status. A nil error means that the reply was
	// 2xx with an operation that can be read; only Operation.Progress says
	// whether it succeeded.
	Announce(ctx context.Context, call CallRef, status RecordingStatus, clientContext string) (Operation, error)
	// PollOperation asks how far an operation has come.
	PollOperation(ctx context.Context, call CallRef, id OperationID) (Operation, error)
	KeepAlive(ctx context.Context, call CallRef) (Receipt, error)
	// AskCall tells where the call stands on the platform's side. One that is on
	// its way out is a Fault of kind FaultGone.
	AskCall(ctx context.Context, call CallRef) (Standing, error)
	// AskRoster lists the participants.
	AskRoster(ctx context.Context, call CallRef) (Roster, error)
	// HangUp leaves the call.
	HangUp(ctx context.Context, call CallRef) (Receipt, error)
}

// A Placement is what decides on the media host and the sockets of a call.
type Placement struct {
	Region string // of the call, as the platform names it; may be empty
	Policy string // the recording policy by which we were invited; may be empty
}

// A Session is one call's sockets on a media host.
type Session struct {
	ID   string `json:"id"`   // ours, a UUID
	Host string `json:"host"` // the host's stable name
	// Address is where the host was reached.
	Address string `json:"address,omitempty"`
	Blob    string `json:"-"` // opaque; goes into the answer, and nowhere else
	// Modalities are what the sockets receive, in the answer's words: audio, video,
	// videoBasedScreenSharing. Empty: audio.
	Modalities []string `json:"modalities,omitempty"`
	// Streams are what the sockets were made for, in the media side's own words.
	Streams string `json:"streams,omitempty"`
}

// Opened tells where a recording starts.
type Opened struct {
	Recording string    `json:"recording"` // recording ID, also the name of the archive folder
	FirstSeq  uint64    `json:"firstSeq"`  // first frame that may be stored
	At        time.Time `json:"at"`
	// Previous is the recording that this one goes on with, sealed now: of a dead
	// process, or a part that had become long. nil where there is none.
	Previous *SealReport `json:"previous,omitempty"`
}

// A SealOrder ends a recording.
type SealOrder struct {
	call   CallID
	permit Permit
	// Graceful: let the host say which frame was its last, and store up to it.
	// Otherwise the permit is already withdrawn and only what was admitted is
	// sealed.
	Graceful bool
}

// Call returns the call whose recording ends. It stays readable after the
// permit was withdrawn.
func (o SealOrder) Call() CallID { return o.call }

// Withdraw ends the permit: the gate is shut from here on. It is idempotent.
// The media side calls it when the last frame of a graceful seal is in; the
// recorder calls it afterwards in any case.
func (o SealOrder) Withdraw() { o.permit.withdraw() }

// A SealReport says what is on stable storage.
type SealReport struct {
	Recording  string    `json:"recording"`
	Frames     uint64    `json:"frames"`
	Samples    uint64    `json:"samples"`             // audio samples stored, all tracks
	GapSamples uint64    `json:"gapSamples"`          // samples known to be missing, all tracks
	GapFrames  uint64    `json:"gapFrames,omitempty"` // frames known to be missing, of video or of nobody knows whom
	Discarded  uint64    `json:"discarded"`           // frames refused before consent or after the gate shut
	LastSeq    uint64    `json:"lastSeq"`
	FirstAt    time.Time `json:"firstAt,omitzero"` // first frame durable
	LastAt     time.Time `json:"lastAt,omitzero"`  // last frame durable
	At         time.Time `json:"at"`               // seal durable
	// Previous is the recording of a dead process that was sealed with this one, or
	// instead; nil where there is none.
	Previous *SealReport `json:"previous,omitempty"`
}

// Media is the media side of calls: sockets, gate, spool. Its methods are safe
// for concurrent use across calls and are called one at a time for one call.
// What happens unasked (host lost, storage failed, session closed) is posted
// to the call as MediaFailed or as CallEnded.
type Media interface {
	// CreateSession places the call on a media host. It returns
	// ErrNoMediaHost where none can take it.
	CreateSession(ctx context.Context, call CallRef, where Placement) (Session, error)
	// Open makes the permit's evidence durable in the spool, opens the gate and
	// tells the host to send. It returns when the host has confirmed.
	Open(ctx context.Context, permit Permit) (Opened, error)
	// Seal shuts the gate, makes every admitted frame durable and writes the
	// seal. It returns when the seal is on stable storage. Idempotent.
	Seal(ctx context.Context, order SealOrder) (SealReport, error)
	// Release disposes of the session, opened or not. Idempotent.
	Release(ctx context.Context, call CallID, reason string) error
}

// A Ledger is the durable memory of calls: the catalogue. Safe for concurrent
// use.
type Ledger interface {
	// Invited queues the call's row and never blocks.
	Invited(inv Invite)
	// Append makes the entries durable, in order and after all entries queued
	// before, before it returns.
	Append(ctx context.Context, entries ...Entry) error
	// Note queues an entry and never blocks; false means there was no room.
	Note(entry Entry) bool
	// Conclude writes the call's outcome, durable on return. The first outcome
	// of a call wins; later ones are refused with ErrConcluded.
	Conclude(ctx context.Context, end Conclusion) error
}

// An Entry is one line of a call's journal.
type Entry struct {
	Call CallID
	At   time.Time
	Kind EntryKind
	// Data is marshalled as JSON. It never holds media, tokens or secrets.
	Data any
}

// A Peopled is the data of an entry that names participants, as a roster's: a Ledger
// in which people are looked for has to know them.
type Peopled interface{ People() []Participant }

// EntryKind says what a journal entry is about.
type EntryKind string

// The kinds of entries.
const (
	EntryInvite       EntryKind = "invite"
	EntrySession      EntryKind = "session"
	EntryAnswer       EntryKind = "answer"
	EntryReject       EntryKind = "reject"
	EntryEstablished  EntryKind = "established"
	EntryAnnounce     EntryKind = "announce"  // intention, before the request
	EntryAnnounced    EntryKind = "announced" // what came of it
	EntryPermit       EntryKind = "permit"
	EntryOpened       EntryKind = "opened"
	EntrySealed       EntryKind = "sealed"
	EntryKeepAlive    EntryKind = "keepAlive"
	EntryHangUp       EntryKind = "hangUp"
	EntryRoster       EntryKind = "roster"
	EntryNotification EntryKind = "notification"
	EntryMedia        EntryKind = "media" // what the host or the spool said unasked
	EntryFault        EntryKind = "fault"
	EntryState        EntryKind = "state"    // an event, and what the machine made of it
	EntryOperator     EntryKind = "operator" // an order, before it is given
	EntryOutcome      EntryKind = "outcome"
)

// A Conclusion is the end of one invite.
type Conclusion struct {
	Call       CallID
	Outcome    Outcome
	Cause      Cause
	Detail     string // for people; no content
	Recordings []SealReport
	At         time.Time
}

// A Roster is who was in the call, in full or as a change. A delta's Sequence is its
// own; a whole list has none, and Sequence is the highest of its participants.
type Roster struct {
	Sequence     int64 // 0 where the platform does not number it
	Delta        bool
	Participants []Participant
	At           time.Time

	// Asked is when we asked for it; zero where the platform told it unasked. What was
	// told between the question and the reply may be newer than the reply.
	Asked time.Time
}

// A Participant is one endpoint in a call.
type Participant struct {
	ID       string        `json:"id"`
	Identity string        `json:"identity,omitempty"` // object ID, phone number or application ID
	Kind     string        `json:"kind,omitempty"`     // user, guest, phone, application, applicationInstance, device, unknown
	Name     string        `json:"name,omitempty"`
	Tenant   string        `json:"tenant,omitempty"`
	Muted    bool          `json:"muted,omitempty"`
	InLobby  bool          `json:"inLobby,omitempty"`
	Removed  bool          `json:"removed,omitempty"`
	Reason   string        `json:"reason,omitempty"` // of the removal
	Streams  []MediaStream `json:"streams,omitzero"` // nil: not told; empty: none

	// Sequence is the number of the roster in which the participant was last updated,
	// where told (Graph, participant: rosterSequenceNumber); 0: not.
	Sequence int64 `json:"sequence,omitempty"`
	// MuteUntold and LobbyUntold: the platform did not say so, and Muted or InLobby
	// means nothing.
	MuteUntold  bool `json:"muteUntold,omitempty"`
	LobbyUntold bool `json:"lobbyUntold,omitempty"`
	// Recording is recordingInfo.recordingStatus: unknown, notRecording, recording,
	// failed; empty where there is none.
	Recording string `json:"recording,omitempty"`
	// Anonymized says that the identity is not the true one (isIdentityAnonymized, seen
	// in comms-samples #599).
	Anonymized bool `json:"anonymized,omitempty"`
	// Also are the further identities of the set, by kind.
	Also []Identity `json:"also,omitempty"`
}

// An Identity is one member of an identity set.
type Identity struct {
	Kind   string `json:"kind"` // the member's name
	ID     string `json:"id,omitempty"`
	Name   string `json:"name,omitempty"`
	Tenant string `json:"tenant,omitempty"`
}

// A MediaStream is a participant's stream in the roster. SourceID is the
// number that frames carry.
type MediaStream struct {
	SourceID    uint32 `json:"sourceId"`
	Type        string `json:"type"`      // audio, video, videoBasedScreenSharing, data, unknown
	Direction   string `json:"direction"` // inactive, sendOnly, receiveOnly, sendReceive
	Label       string `json:"label,omitempty"`
	ServerMuted bool   `json:"serverMuted,omitempty"`
}
