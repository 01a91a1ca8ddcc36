package archive_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func goldenManifest(tb testing.TB) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "manifest.golden.json"))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestReadManifestIsStrict(t *testing.T) {
	t.Parallel()
	golden := goldenManifest(t)
	if _, err := archive.ReadManifest(golden); err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) []byte {
		if !bytes.Contains(golden, []byte(old)) {
			t.Fatalf("the golden manifest has no %s", old)
		}
		return bytes.Replace(golden, []byte(old), []byte(with), 1)
	}
	tests := map[string][]byte{
		"empty":              nil,
		"no object":          []byte("[]\n"),
		"unknown member":     replace(`"version": 1,`, `"version": 1,`+"\n  \"extra\": 1,"),
		"unknown in a track": replace(`"mode": "mixed",`, `"mode": "mixed",`+"\n      \"extra\": 1,"),
		"member twice":       replace(`"version": 1,`, `"version": 1,`+"\n  \"version\": 1,"),
		"member misspelt":    replace(`"version"`, `"Version"`),
		"member missing":     replace(`  "sampleRate": 16000,`+"\n", ""),
		"another version":    replace(`"version": 1`, `"version": 2`),
		"another rate":       replace(`"sampleRate": 16000`, `"sampleRate": 8000`),
		"other white space":  replace(`"version": 1,`, `"version":  1,`),
		"something follows":  append(bytes.Clone(golden), "{}"...),
		"cut":                golden[:len(golden)-2],
		"a path as a file":   replace(`"name": "events.jsonl"`, `"name": "../events.jsonl"`),
		"itself as a file":   replace(`"name": "events.jsonl"`, `"name": "manifest.json"`),
		"a file twice":       replace(`"name": "events.jsonl"`, `"name": "audio-mixed.flac"`),
		"a track's file":     replace(`"file": "audio-mixed.flac"`, `"file": "other.flac"`),
		"no hash":            replace(`"sha256": "`, `"sha256": "x`),
		"previous":           replace(`"previous": "ab`, `"previous": "AB`),
		"a negative size":    replace(`"size": `, `"size": -`),
		"recording a path":   replace(`"recording": "`, `"recording": "../`),
		"a float":            replace(`"sampleRate": 16000`, `"sampleRate": 16e3`),
		"too large":          append(bytes.Clone(golden), bytes.Repeat([]byte(" "), archive.MaxManifest)...),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var fault *archive.ManifestError
			if m, err := archive.ReadManifest(b); !errors.As(err, &fault) || m != nil {
				t.Errorf("error %v, want a ManifestError", err)
			}
		})
	}
}

// What can be read can be written again as the same bytes, so a manifest cannot
// say one thing to us and another to someone else.
func FuzzReadManifest(f *testing.F) {
	golden := goldenManifest(f)
	f.Add(golden)
	f.Add(golden[:100])
	f.Add([]byte(strings.ReplaceAll(string(golden), "Anna", `\u003cAnna\u003e`)))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := archive.ReadManifest(b)
		if err != nil {
			if m != nil {
				t.Error("a manifest and an error")
			}
			return
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("read, but written otherwise: %v\n%s", err, cmp.Diff(string(b), string(again)))
		}
		archive.CheckOrder(m) // must not panic
	})
}

func TestParticipantsOverTime(t *testing.T) {
	t.Parallel()
	audio := func(source uint32) []recorder.MediaStream {
		return []recorder.MediaStream{{SourceID: source, Type: "audio", Direction: "sendReceive"}}
	}
	type m map[string]any
	var events []archive.Event
	at := func(s int) time.Time { return after(time.Duration(s) * time.Second) }
	roster := func(s int, sequence int64, delta bool, ps ...recorder.Participant) {
		events = append(events, archive.Event{
			Seq: int64(len(events)), At: at(s), Kind: string(recorder.EntryRoster),
			Data: marshal(t, m{"sequence": sequence, "delta": delta, "participants": ps}),
		})
	}
	roster(1, 1, false, recorder.Participant{ID: "a", Name: "Anna", Streams: audio(1), Sequence: 1}, recorder.Participant{ID: "b", InLobby: true, Sequence: 1})
	events = append(events, archive.Event{At: at(1), Kind: "roster", Data: []byte("no json")})
	roster(2, 2, false, recorder.Participant{ID: "a", Streams: audio(1), Sequence: 1}, recorder.Participant{ID: "b", Kind: "phone", Sequence: 2})
	roster(3, 1, false, recorder.Participant{ID: "b", InLobby: true, Sequence: 1})                    // late: says less than is known
	roster(4, 3, true, recorder.Participant{ID: "a", Streams: audio(5)})                              // a new source
	roster(5, 4, true, recorder.Participant{ID: "a", Muted: true, LobbyUntold: true})                 // no word of streams
	roster(6, 5, true, recorder.Participant{ID: "b", Removed: true, Reason: "left", Kind: "unknown"}) // nor of who it is
	roster(7, 6, true, recorder.Participant{ID: "b"})                                                 // back
	roster(8, 0, false, recorder.Participant{ID: "b"}, recorder.Participant{ID: ""})                  // without a number: a is gone
	want := []archive.Participant{
		{
			ID: "a", Name: "Anna", Present: []archive.Span{{From: at(1), To: at(8)}}, Muted: []archive.Span{{From: at(5), To: at(8)}},
			Streams: []archive.ParticipantStream{
				{SourceID: 1, Type: "audio", Direction: "sendReceive", From: at(1), To: at(4)},
				{SourceID: 5, Type: "audio", Direction: "sendReceive", From: at(4), To: at(8)},
			},
		},
		{
			ID: "b", Kind: "phone", Present: []archive.Span{{From: at(2), To: at(6), Reason: "left"}, {From: at(7)}},
			Lobby: []archive.Span{{From: at(1), To: at(2)}},
		},
	}
	if d := cmp.Diff(want, archive.ParticipantsOf(events), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("participants (-want +got):\n%s", d)
	}
}

// A folder that was made anew to tell another story is sound in itself; only the
// hash of its manifest gives it away.
func TestManifestSHA256(t *testing.T) {
	t.Parallel()
	r, err := open(t).Assemble(t.Context(), ordinary(t).job(t, recorder.OutcomeRecordedWithGaps))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := archive.ManifestSHA256(r.Path)
	if err != nil || sum != r.ManifestSHA256 {
		t.Errorf("hash %q, error %v, want %q", sum, err, r.ManifestSHA256)
	}
	j := ordinary(t).job(t, recorder.OutcomeRecordedWithGaps)
	j.Facts.ObservedUser = "somebody else"
	forged, err := open(t).Assemble(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if _, findings := archive.CheckFolder(forged.Path); len(findings) > 0 {
		t.Errorf("findings %v", findings)
	}
	if sum, err = archive.ManifestSHA256(forged.Path); err != nil || sum == r.ManifestSHA256 {
		t.Errorf("hash %q, error %v, want another", sum, err)
	}
	if _, err = archive.ManifestSHA256(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no manifest: error %v", err)
	}
}
