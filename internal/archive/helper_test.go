package archive_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

const (
	call      = recorder.CallID("6d2bc3d4-0000-4000-8000-000000000001")
	recording = "0b7c1d5e-0000-4000-8000-000000000002"
)

// start is when the call was invited; everything else follows from it.
func start() time.Time { return time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC) }

func after(d time.Duration) time.Time { return start().Add(d) }

// A script is a recording in the making, and what must come out of it.
type script struct {
	records []spool.Record
	seq     uint64
	now     int64 // media time
	at      time.Time
	frames  uint64
	// want is each track's samples as they must be in the archive.
	want map[string][]int16
	rng  uint32
}

func newScript(tb testing.TB) *script {
	tb.Helper()
	s := &script{now: frame.Ticks(after(2 * time.Second)), at: after(2 * time.Second), want: map[string][]int16{}, rng: 1}
	meta := map[string]any{
		"call": call, "tenant": "t", "host": "host-0", "hostEpoch": "e1", "sdkVersion": "1.27.0.2",
		"session": "s", "audio": "mixed", "firstSeq": 1,
	}
	s.add(spool.Record{Type: spool.PermitType, Permit: &spool.PermitRecord{
		ID: recording, Serial: 1, Evidence: evidence(), Meta: marshal(tb, meta),
	}})
	return s
}

func evidence() recorder.Evidence {
	return recorder.Evidence{
		Call: call, Operation: "op-1", Context: string(call) + "/1/recording", At: after(1500 * time.Millisecond),
		Receipt: receipt(),
	}
}

func receipt() recorder.Receipt {
	return recorder.Receipt{HTTPStatus: 200, RequestID: "r-1", SentAt: after(time.Second), RepliedAt: after(1500 * time.Millisecond)}
}

func marshal(tb testing.TB, v any) json.RawMessage {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func (s *script) add(r spool.Record) {
	r.At = s.at
	s.records = append(s.records, r)
}

// noise returns a frame of audio that no encoder guesses.
func (s *script) noise() []int16 {
	pcm := make([]int16, frame.AudioSamples)
	for i := range pcm {
		s.rng = s.rng*1664525 + 1013904223
		pcm[i] = int16(s.rng>>16) / 4
	}
	return pcm
}

func toBytes(pcm []int16) []byte {
	b := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// audio stores n frames of mixed audio.
func (s *script) audio(n int) {
	for range n {
		s.seq++
		pcm := s.noise()
		s.add(spool.Record{Type: spool.FrameType, Payload: toBytes(pcm), Header: frame.Header{
			Seq: s.seq, MediaTime: s.now, Kind: frame.MixedAudio,
		}})
		s.want["audio-mixed"] = append(s.want["audio-mixed"], pcm...)
		s.frames++
		s.tick()
	}
}

func (s *script) tick() {
	s.now += frame.TicksPerFrame
	s.at = s.at.Add(20 * time.Millisecond)
}

// lose lets n frames of mixed audio go missing.
func (s *script) lose(n int, cause frame.GapCause) {
	if cause != "unannounced" {
		s.add(spool.Record{Type: spool.GapType, Gap: frame.Gap{
			Kind: frame.MixedAudio, FirstSeq: s.seq + 1, Count: uint64(n), Cause: cause,
		}})
	}
	s.seq += uint64(n)
	for range n {
		s.want["audio-mixed"] = append(s.want["audio-mixed"], make([]int16, frame.AudioSamples)...)
		s.tick()
	}
}

func (s *script) note(tb testing.TB, kind string, v any) {
	tb.Helper()
	s.add(spool.Record{Type: spool.NoteType, Note: spool.Note{Kind: kind, Data: marshal(tb, v)}})
}

func (s *script) seal(last uint64) {
	first := uint64(0)
	if s.frames > 0 {
		first = 1
	}
	s.add(spool.Record{Type: spool.SealType, Seal: &spool.SealRecord{
		LastSeq: last, Cause: "paused", FirstSeq: first, StoredSeq: s.seq, Frames: s.frames,
	}})
}

// read yields the records as the spool does: a payload lives until the next one.
func (s *script) read() iter.Seq2[spool.Record, error] {
	return func(yield func(spool.Record, error) bool) {
		var buf []byte
		for _, r := range s.records {
			buf = append(buf[:0], r.Payload...)
			r.Payload = buf
			if !yield(r, nil) {
				return
			}
			clear(buf)
		}
	}
}

// job archives the script's recording of an ordinary call.
func (s *script) job(tb testing.TB, outcome recorder.Outcome) archive.Job {
	tb.Helper()
	end := s.at.Add(time.Second)
	return archive.Job{
		Recording: recording, Read: s.read,
		Facts: archive.Facts{
			Call: call, InvitedAt: start(), Tenant: "11111111-1111-1111-1111-111111111111", CallChain: "chain-1",
			ThreadID: "19:meeting@thread.v2", ObservedParticipant: "p-1", ObservedUser: "u-1", ApplicationInstance: "a-1",
			Policy: "policy-1", Direction: "caller", Region: "USEA",
		},
		Conclusion: recorder.Conclusion{
			Call: call, Outcome: outcome, Cause: recorder.CauseCallEnded, At: end,
			Recordings: []recorder.SealReport{{Recording: recording, Discarded: 42, At: s.at}},
		},
		Events: journal(tb, s.at, end), Previous: strings.Repeat("ab", 32), Software: "1.2.3",
	}
}

// journal is what the catalogue has of an ordinary call.
func journal(tb testing.TB, sealed, ended time.Time) []archive.Event {
	tb.Helper()
	ask, end := string(call)+"/1/recording", string(call)+"/2/notRecording"
	type m map[string]any
	var events []archive.Event
	add := func(at time.Time, kind recorder.EntryKind, v any) {
		events = append(events, archive.Event{Seq: int64(len(events) + 1), At: at, Kind: string(kind), Data: marshal(tb, v)})
	}
	add(start(), recorder.EntryInvite, m{"platform": string(call)})
	add(after(300*time.Millisecond), recorder.EntryAnswer, m{"receipt": recorder.Receipt{HTTPStatus: 202}})
	add(after(900*time.Millisecond), recorder.EntryState, m{"state": "announcing"})
	add(after(time.Second), recorder.EntryAnnounce, m{"status": "recording", "clientContext": ask})
	add(after(1500*time.Millisecond), recorder.EntryAnnounced, m{
		"status": "recording", "clientContext": ask, "operation": "op-1", "progress": "completed", "receipt": receipt(),
	})
	add(after(1600*time.Millisecond), recorder.EntryPermit, evidence())
	add(after(1700*time.Millisecond), recorder.EntryRoster, m{"sequence": 1, "delta": false, "participants": []recorder.Participant{
		{ID: "p-1", Identity: "u-1", Kind: "user", Name: "Anna", Streams: []recorder.MediaStream{{SourceID: 7, Type: "audio", Direction: "sendReceive"}}},
		{ID: "p-2", Identity: "u-2", Kind: "user", Name: "Božena", Streams: []recorder.MediaStream{{SourceID: 9, Type: "audio", Direction: "sendReceive"}}},
	}})
	add(after(2010*time.Millisecond), recorder.EntryOpened, recorder.Opened{Recording: recording, FirstSeq: 1, At: after(2 * time.Second)})
	add(sealed.Add(20*time.Millisecond), recorder.EntrySealed, recorder.SealReport{Recording: recording, At: sealed})
	add(sealed.Add(30*time.Millisecond), recorder.EntryAnnounce, m{"status": "notRecording", "clientContext": end})
	add(sealed.Add(90*time.Millisecond), recorder.EntryAnnounced, m{
		"clientContext": end, "operation": "op-2", "progress": "completed", "receipt": recorder.Receipt{HTTPStatus: 200},
	})
	add(sealed.Add(95*time.Millisecond), recorder.EntryHangUp, m{"receipt": recorder.Receipt{HTTPStatus: 202}})
	add(ended, recorder.EntryOutcome, m{"outcome": "recorded"})
	return events
}

func open(tb testing.TB) *archive.Assembler {
	tb.Helper()
	a, err := archive.Open("file:archive", tb.TempDir(), archive.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// ordinary is a recording with two gaps.
func ordinary(tb testing.TB) *script {
	tb.Helper()
	s := newScript(tb)
	s.audio(2) // before the note that the gate is open
	s.note(tb, "opened", map[string]any{"firstSeq": 1, "at": s.at})
	s.audio(98)
	s.lose(5, "overflow")
	s.audio(30)
	s.note(tb, "speakers", map[string]any{"beforeSeq": s.seq, "sources": []int{7, 9}})
	s.lose(1, "unannounced")
	s.audio(40)
	s.seal(s.seq)
	return s
}

// decodeFLAC decodes with our own reader, which is mewkiz' decoder.
func decodeFLAC(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		tb.Fatal(err)
	}
	r, err := format.NewFLACReader(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		out.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return out.Bytes()
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// output runs a program that was not written by us.
func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: run `make test`, which installs it, or install the packages flac and ffmpeg: %v", name, err)
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.Bytes())
	}
	return out
}

func readManifest(tb testing.TB, folder string) *archive.Manifest {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Clean(folder), archive.ManifestName))
	if err != nil {
		tb.Fatal(err)
	}
	m, err := archive.ReadManifest(b)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// archived assembles the script and lets the check go over it.
func (s *script) archived(t *testing.T, outcome recorder.Outcome) (archive.Result, *archive.Manifest) {
	t.Helper()
	r, err := open(t).Assemble(t.Context(), s.job(t, outcome))
	if err != nil {
		t.Fatal(err)
	}
	m, findings := archive.CheckFolder(r.Path)
	for _, f := range findings {
		t.Error(f)
	}
	return r, m
}
