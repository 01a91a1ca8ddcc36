package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The names and limits of a folder's own files.
const (
	ManifestName = "manifest.json"
	EventsName   = "events.jsonl"

	manifestVersion = 1
	// MaxManifest bounds a manifest, in bytes: half a million gaps.
	MaxManifest = 64 << 20
)

// A Manifest says everything about one recording but the media itself.
type Manifest struct {
	Version   int             `json:"version"` // 1
	Recording string          `json:"recording"`
	Call      recorder.CallID `json:"call"`
	// Part is the number of this recording within its call, from 1; Continues is the
	// one before it, and Joint how the two join: "start" (there is none), "pause" (an
	// operator paused the call), "takeover" (its process died or handed over, and this
	// recording begins with the next frame), "part" (it had become long, and this one
	// begins with the next frame).
	Part                int            `json:"part,omitempty"`
	Continues           string         `json:"continues,omitempty"`
	Joint               string         `json:"joint,omitempty"`
	Tenant              string         `json:"tenant,omitempty"`
	CallChain           string         `json:"callChain,omitempty"`
	ThreadID            string         `json:"threadId,omitempty"`
	ObservedParticipant string         `json:"observedParticipant,omitempty"`
	ObservedUser        string         `json:"observedUser,omitempty"`
	ApplicationInstance string         `json:"applicationInstance,omitempty"`
	Policy              string         `json:"policy,omitempty"`
	Direction           string         `json:"direction,omitempty"`
	Region              string         `json:"region,omitempty"`
	Outcome             string         `json:"outcome"`
	Cause               recorder.Cause `json:"cause"`
	Detail              string         `json:"detail,omitempty"`
	// StartedAt and EndedAt are the instants of the first sample and after the
	// last, by the platform's clock where it can be believed, else by ours.
	StartedAt  time.Time `json:"startedAt"`
	EndedAt    time.Time `json:"endedAt"`
	SampleRate int       `json:"sampleRate"` // 16000
	// Samples = StoredSamples + GapSamples, over all tracks.
	Samples       int64 `json:"samples"`
	StoredSamples int64 `json:"storedSamples"`
	GapSamples    int64 `json:"gapSamples"`
	// Others are the other recordings of the call, for the outcome is the call's.
	Others []Other `json:"others,omitempty"`
	// FramesDiscarded were refused before consent or after the gate was shut.
	FramesDiscarded uint64 `json:"framesDiscarded"`
	// RecordsDamaged could not be read from the spool; what they held is a gap.
	RecordsDamaged int `json:"recordsDamaged,omitempty"`
	// FramesRepeated came more than once; each is stored once.
	FramesRepeated uint64 `json:"framesRepeated,omitempty"`
	// FramesMistimed had a media time that cannot be; they are stored.
	FramesMistimed uint64 `json:"framesMistimed,omitempty"`
	// FramesUnclaimed are missing by number and could not be told to belong to
	// one track: the media clock decided what is a gap.
	FramesUnclaimed uint64            `json:"framesUnclaimed,omitempty"`
	Permit          recorder.Evidence `json:"permit"`
	Seal            Seal              `json:"seal"`
	Order           []Step            `json:"order"`
	Tracks          []Track           `json:"tracks"`
	// Flags are what a person should look at, by the rules of package quality:
	// silentWhileUnmuted, oneWay, clipping, missingSpeaker, veryShort, gapShare.
	Flags        []string      `json:"flags,omitempty"`
	Mix          *Mix          `json:"mix,omitempty"` // of unmixed tracks
	Pauses       []Pause       `json:"pauses"`
	Participants []Participant `json:"participants"`
	// Speech says how exact the participants' Speaking is, and who spoke without a name;
	// missing where the media host told of no speaker.
	Speech *Speech `json:"speech,omitempty"`
	// RosterOmitted counts participants, sources and names of sources that were too many.
	RosterOmitted int       `json:"rosterOmitted,omitempty"`
	Files         []File    `json:"files"`
	Software      Software  `json:"software"`
	MediaHost     MediaHost `json:"mediaHost"`
	// Previous is the SHA-256, in hex, of the manifest that was published before
	// this one; empty for the first.
	Previous string `json:"previous"`

	// Parties are all whom the invite names, and Invite all its fields, by the names
	// that the platform gives them.
	Parties []recorder.Party `json:"parties,omitempty"`
	Invite  []recorder.Fact  `json:"invite,omitempty"`
	// Turns are what happened to the conversation: holds, transfers, more people.
	Turns []Turn `json:"turns,omitempty"`
}

// A Seal says that nothing follows, from the spool.
type Seal struct {
	At        time.Time `json:"at"`
	FirstSeq  uint64    `json:"firstSeq"`  // first frame stored; 0: none
	StoredSeq uint64    `json:"storedSeq"` // last frame stored; 0: none
	LastSeq   uint64    `json:"lastSeq"`   // last frame there was; 0: unknown
	Frames    uint64    `json:"frames"`    // frames in the spool
	Cause     string    `json:"cause"`
	Recovered bool      `json:"recovered,omitempty"` // sealed by a later process
}

// An Other is another recording of the same call.
type Other struct {
	Recording  string `json:"recording"`
	Samples    int64  `json:"samples"` // stored
	GapSamples int64  `json:"gapSamples"`
	Frames     int64  `json:"frames,omitempty"` // stored, of audio and video
	// EndedAt is after its last sample, as far as is known when this is written.
	EndedAt time.Time `json:"endedAt,omitzero"`
}

// A Step is one thing that happened, in the order in which it did.
type Step struct {
	Step          string               `json:"step"`
	At            time.Time            `json:"at"`
	Status        string               `json:"status,omitempty"`
	ClientContext string               `json:"clientContext,omitempty"`
	Operation     recorder.OperationID `json:"operation,omitempty"`
	Progress      string               `json:"progress,omitempty"`
	Fault         string               `json:"fault,omitempty"`
	Receipt       *recorder.Receipt    `json:"receipt,omitempty"`
	// Entry is the number of the journal's entry, in events.jsonl, that proves the
	// step's place whatever the clock says: its own; for the permit the one that it
	// follows, for the seal the one that it precedes. 0: only time tells.
	Entry int64 `json:"entry,omitempty"`
}

// The steps. Those from StepPermit to StepSealed are this recording's own; the
// others are the call's, which may have had other recordings.
const (
	StepInvited      = "invited"
	StepAnswered     = "answered"
	StepEstablished  = "established"
	StepAnnouncing   = "announcing" // the intention, before the request
	StepAnnounced    = "announced"  // what came of it
	StepPermit       = "permit"     // evidence in the spool
	StepOpened       = "opened"     // the media host has confirmed
	StepFirstDurable = "firstDurable"
	StepLastDurable  = "lastDurable"
	StepSealed       = "sealed"
	StepLeft         = "left"
	StepEnded        = "ended"
)

// A Track is one file of media.
type Track struct {
	ID       string `json:"id"`
	File     string `json:"file"`
	Kind     string `json:"kind"`           // audio, video, screen
	Mode     string `json:"mode,omitempty"` // of audio: mixed, unmixed
	SourceID uint32 `json:"sourceId"`       // 0 for mixed audio
	// StartsAt is the instant of the track's first sample; MediaTime is the same
	// as the platform said it, in 100 ns ticks since 1900, 0 where it did not.
	StartsAt      time.Time `json:"startsAt"`
	MediaTime     int64     `json:"mediaTime"`
	Samples       int64     `json:"samples"`
	StoredSamples int64     `json:"storedSamples"`
	GapSamples    int64     `json:"gapSamples"`
	Frames        uint64    `json:"frames"`
	LostFrames    uint64    `json:"lostFrames,omitempty"` // known by number to be missing
	ClockSkew     int64     `json:"clockSkew,omitempty"`  // ticks by which the media clock ran ahead of the samples
	// Of video. MediaTime is when the file's own timeline begins, on the clock of the
	// audio; DurationTicks is how long it is, in ticks of 100 ns. Frames that are damaged
	// refer to missing ones; undecodable ones came before any key frame, and are in no
	// mp4: beside one they are in UndecodableFile, H.264, Annex B, as they came.
	DurationTicks     int64              `json:"durationTicks,omitempty"`
	Width             int                `json:"width,omitempty"`
	Height            int                `json:"height,omitempty"`
	KeyFrames         int64              `json:"keyFrames,omitempty"`
	DamagedFrames     int64              `json:"damagedFrames,omitempty"`
	UndecodableFrames int64              `json:"undecodableFrames,omitempty"`
	UndecodableFile   string             `json:"undecodableFile,omitempty"`
	Gaps              []Gap              `json:"gaps"`
	Participants      []TrackParticipant `json:"participants"`
}

// A Gap is a stretch of silence where media is missing, or, of cause "idle",
// where an unmixed source was not speaking.
type Gap struct {
	AtSample int64          `json:"atSample"`
	Samples  int64          `json:"samples"`
	Frames   uint64         `json:"frames,omitempty"` // missing by number
	Cause    frame.GapCause `json:"cause"`
}

// A Pause is a stretch of the call that was not to be recorded: it lies between the
// recording before and this one.
type Pause struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Samples int64     `json:"samples"`
}

// A File is one file of the folder, the manifest left out.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Software is what made the folder.
type Software struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Go      string `json:"go"`
}

// MediaHost is where the media came from.
type MediaHost struct {
	ID         string `json:"id,omitempty"`
	Epoch      string `json:"epoch,omitempty"`
	SDKVersion string `json:"sdkVersion,omitempty"`
}

// A ManifestError says why something is not a manifest that this version reads.
type ManifestError struct{ Fault string }

// Error names the fault.
func (e *ManifestError) Error() string { return "manifest: " + e.Fault }

// encode writes a manifest in its one form: indented, members in order. Equal
// manifests give equal bytes.
func (m *Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("encoding manifest: %w", err)
	}
	if b.Len() > MaxManifest {
		return nil, &ManifestError{fmt.Sprintf("%d bytes, the limit is %d", b.Len(), MaxManifest)}
	}
	return b.Bytes(), nil
}

// ReadManifest reads a manifest strictly: it must be in the form in which we
// write it, to the byte. So a member that is unknown, repeated, misspelt or out
// of place is refused, and what was read is all there is. Errors are
// *ManifestError.
func ReadManifest(b []byte) (*Manifest, error) {
	if len(b) > MaxManifest {
		return nil, &ManifestError{fmt.Sprintf("%d bytes, the limit is %d", len(b), MaxManifest)}
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, &ManifestError{err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &ManifestError{"something follows the manifest"}
	}
	if m.Version != manifestVersion {
		return nil, &ManifestError{fmt.Sprintf("version %d, this program reads %d", m.Version, manifestVersion)}
	}
	again, err := m.encode()
	if err != nil {
		return nil, &ManifestError{err.Error()}
	}
	if at := differAt(b, again); at >= 0 {
		return nil, &ManifestError{fmt.Sprintf("not in the form in which it was written, from byte %d on", at)}
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &m, nil
}

func differAt(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// check holds a manifest to what can be said without its folder. What can be
// wrong with a true manifest, such as sums, is for CheckFolder.
func (m *Manifest) check() error {
	fault := ""
	switch {
	case !validID(m.Recording):
		fault = fmt.Sprintf("recording %.140q is no name of a folder", m.Recording)
	case m.Call == "" || len(m.Call) > maxID:
		fault = fmt.Sprintf("call %.140q", m.Call)
	case m.SampleRate != frame.SampleRate:
		fault = fmt.Sprintf("sample rate %d, want %d", m.SampleRate, frame.SampleRate)
	case m.Previous != "" && !validHash(m.Previous):
		fault = fmt.Sprintf("previous %.80q is no SHA-256", m.Previous)
	}
	files := map[string]bool{}
	for _, f := range m.Files {
		switch {
		case !validID(f.Name) || f.Name == ManifestName:
			fault = fmt.Sprintf("file name %.140q", f.Name)
		case files[f.Name]:
			fault = fmt.Sprintf("file %s is listed twice", f.Name)
		case f.Size < 0 || !validHash(f.SHA256):
			fault = fmt.Sprintf("file %s: size %d, hash %.80q", f.Name, f.Size, f.SHA256)
		}
		files[f.Name] = true
	}
	for _, t := range m.Tracks {
		if !files[t.File] {
			fault = fmt.Sprintf("track %.140q: file %.140q is not listed", t.ID, t.File)
		}
		if rest := t.UndecodableFile; rest != "" && !files[rest] {
			fault = fmt.Sprintf("track %.140q: file %.140q is not listed", t.ID, rest)
		}
	}
	if m.Mix != nil && (m.Mix.File != MixName || !files[MixName]) {
		fault = fmt.Sprintf("the mix: file %.140q is not listed", m.Mix.File)
	}
	if fault != "" {
		return &ManifestError{fault}
	}
	return nil
}

const maxID = 128

// validID reports whether a name can be a file's on any system, and no path.
func validID(s string) bool {
	if s == "" || len(s) > maxID || s[0] == '.' {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

func validHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
