package archive_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A told is one roster of a journal.
type told struct {
	at     time.Duration // after the invite
	asked  time.Duration // 0: a notification
	number int64
	delta  bool
	people []recorder.Participant
}

// withRosters puts rosters into a journal, in place of those that it has.
func withRosters(t *testing.T, events []archive.Event, all ...told) []archive.Event {
	t.Helper()
	var out []archive.Event
	put := func(e archive.Event) {
		e.Seq = int64(len(out) + 1)
		out = append(out, e)
	}
	for _, e := range events {
		for len(all) > 0 && after(all[0].at).Before(e.At) {
			d := map[string]any{"sequence": all[0].number, "delta": all[0].delta, "participants": all[0].people}
			if all[0].asked > 0 {
				d["asked"] = after(all[0].asked)
			}
			put(archive.Event{At: after(all[0].at), Kind: string(recorder.EntryRoster), Data: marshal(t, d)})
			all = all[1:]
		}
		if e.Kind != string(recorder.EntryRoster) {
			put(e)
		}
	}
	if len(all) > 0 {
		t.Fatal("a roster follows the journal's end")
	}
	return out
}

func sends(kind string, source uint32, direction string) recorder.MediaStream {
	return recorder.MediaStream{Type: kind, SourceID: source, Direction: direction, Label: "main-" + kind}
}

// crowd is a recording of unmixed audio and of video, with everything that a roster
// can say: people, a guest, a telephone, two recorders and a bot; mute, hold and
// lobby; a source that is handed on, one that is named later and one that never is.
func crowd(t *testing.T) archive.Job {
	t.Helper()
	s := newScript(t)
	for i := range 200 { // four seconds from 10:00:02 on
		sources := []uint32{7, 9, 11}
		for _, source := range sources {
			s.seq++
			s.frames++
			s.add(spool.Record{Type: spool.FrameType, Payload: toBytes(s.noise()), Header: frame.Header{
				Seq: s.seq, MediaTime: s.now, Kind: frame.UnmixedAudio, Source: source,
			}})
		}
		s.seq++
		s.frames++
		s.add(spool.Record{Type: spool.FrameType, Payload: []byte{0, 0, 0, 1, 0x65, byte(i)}, Header: frame.Header{
			Seq: s.seq, MediaTime: s.now, Kind: frame.Video, Source: 21, Socket: 1,
		}})
		switch i {
		case 0:
			s.note(t, "speakers", map[string]any{"beforeSeq": s.seq, "sources": []uint32{7, 11}})
		case 100:
			s.note(t, "speakers", map[string]any{"beforeSeq": s.seq, "sources": []uint32{9}})
		case 120:
			s.note(t, "speakers", map[string]any{"beforeSeq": s.seq, "sources": "none of ours"})
		case 150:
			s.note(t, "speakers", map[string]any{"beforeSeq": s.seq, "sources": []uint32{}})
		}
		s.tick()
	}
	s.seal(s.seq)
	job := s.job(t, recorder.OutcomeRecorded)
	invite := marshal(t, map[string]any{
		"platform": string(call), "myParticipant": "P-OURS", "raw": map[string]any{"applicationMetadata": map[string]any{
			"botData": map[string]any{"otherRecorders": []any{map[string]any{"id": "28:x", "participantId": "p-other"}}},
		}},
	})
	for i := range job.Events {
		if job.Events[i].Kind == string(recorder.EntryInvite) {
			job.Events[i].Data = invite
		}
	}
	const ms = time.Millisecond
	anna := recorder.Participant{
		ID: "p-1", Identity: "u-1", Kind: "user", Name: "Anna", Tenant: "t-1",
		Streams: []recorder.MediaStream{sends("audio", 7, "sendReceive"), sends("video", 21, "sendOnly")},
	}
	bot := func(id, identity, status string) recorder.Participant {
		return recorder.Participant{ID: id, Identity: identity, Kind: "application", Recording: status, Streams: []recorder.MediaStream{}}
	}
	phone := recorder.Participant{ID: "p-2", Identity: "+4930", Kind: "phone", Streams: []recorder.MediaStream{sends("audio", 9, "sendReceive")}}
	guest := recorder.Participant{
		ID: "p-3", Identity: "g-1", Kind: "guest", Name: "Gäst", InLobby: true, Anonymized: true,
		Also: []recorder.Identity{{Kind: "encrypted", ID: "e-1"}}, Streams: []recorder.MediaStream{},
	}
	change := func(p recorder.Participant, f func(*recorder.Participant)) recorder.Participant {
		p.Streams = append([]recorder.MediaStream{}, p.Streams...)
		f(&p)
		return p
	}
	job.Events = withRosters(t, job.Events,
		told{at: 1700 * ms, people: []recorder.Participant{anna, bot("p-ours", "b-1", ""), bot("p-other", "b-2", ""), bot("p-third", "b-3", "recording"), bot("p-bot", "b-4", "")}},
		told{at: 2500 * ms, number: 2, delta: true, people: []recorder.Participant{guest, change(anna, func(p *recorder.Participant) { p.Muted = true })}},
		told{at: 3000 * ms, number: 3, delta: true, people: []recorder.Participant{change(guest, func(p *recorder.Participant) { p.InLobby = false }), anna}},
		// The telephone's joining is lost; somebody asks.
		told{at: 3600 * ms, asked: 3500 * ms, people: []recorder.Participant{
			anna, change(guest, func(p *recorder.Participant) { p.InLobby = false }), phone, bot("p-ours", "b-1", ""), bot("p-other", "b-2", ""), bot("p-third", "b-3", "recording"), bot("p-bot", "b-4", ""),
		}},
		told{at: 4000 * ms, number: 5, delta: true, people: []recorder.Participant{
			change(anna, func(p *recorder.Participant) { p.Streams[0].Direction = "inactive" }),
		}},
		told{at: 4400 * ms, number: 4, delta: true, people: []recorder.Participant{change(anna, func(p *recorder.Participant) { p.Muted = true })}}, // late
		told{at: 4500 * ms, number: 6, delta: true, people: []recorder.Participant{
			change(anna, func(p *recorder.Participant) { p.Streams[0].ServerMuted = true }),
		}},
		told{at: 5000 * ms, number: 7, delta: true, people: []recorder.Participant{
			{ID: "p-1", Removed: true, Reason: "left"}, // her number is handed on
			change(guest, func(p *recorder.Participant) {
				p.InLobby, p.Streams = false, []recorder.MediaStream{sends("audio", 7, "sendReceive")}
			}),
		}},
	)
	return job
}

// TestRosterGolden holds what the manifest says of people against a golden file.
func TestRosterGolden(t *testing.T) {
	t.Parallel()
	r, err := open(t).Assemble(t.Context(), crowd(t))
	if err != nil {
		t.Fatal(err)
	}
	m, findings := archive.CheckFolder(r.Path)
	for _, f := range findings {
		t.Error(f)
	}
	type track struct {
		ID           string                     `json:"id"`
		Participants []archive.TrackParticipant `json:"participants"`
	}
	part := struct {
		Tracks       []track               `json:"tracks"`
		Participants []archive.Participant `json:"participants"`
		Speech       *archive.Speech       `json:"speech"`
	}{Participants: m.Participants, Speech: m.Speech}
	for _, n := range m.Tracks {
		part.Tracks = append(part.Tracks, track{n.ID, n.Participants})
	}
	is, err := json.MarshalIndent(part, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("testdata", "roster.golden.json")
	if *update {
		if err = durable.WriteFile(name, append(is, '\n'), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(is)+"\n"); d != "" {
		t.Errorf("%s (-want +got), -update rewrites it:\n%s", name, d)
	}
}

// TestMixedTrackNamesThosePresent: of a mix nobody can tell whose a sample is, and so
// nothing is said of how a name was learned.
func TestMixedTrackNamesThosePresent(t *testing.T) {
	t.Parallel()
	r, err := open(t).Assemble(t.Context(), ordinary(t).job(t, recorder.OutcomeRecordedWithGaps))
	if err != nil {
		t.Fatal(err)
	}
	present := after(1700 * time.Millisecond)
	want := []archive.TrackParticipant{{ID: "p-1", From: present}, {ID: "p-2", From: present}}
	if d := cmp.Diff(want, readManifest(t, r.Path).Tracks[0].Participants); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// TestManifestOfALongCall: a day in which everyone presses every button and speaks
// all the time makes no manifest of megabytes.
func TestManifestOfALongCall(t *testing.T) {
	t.Parallel()
	s := ordinary(t)
	s.records = s.records[:len(s.records)-1] // the seal
	for i := range 12000 {
		s.note(t, "speakers", map[string]any{"beforeSeq": s.seq, "sources": []int{7 + 2*(i%2)}})
		s.at = s.at.Add(2100 * time.Millisecond)
	}
	s.audio(1)
	s.seal(s.seq)
	job := s.job(t, recorder.OutcomeRecordedWithGaps)
	for i := range 8000 {
		p := recorder.Participant{ID: fmt.Sprintf("p-%d", i%50), Muted: i/50%2 == 0, Kind: "user", Streams: []recorder.MediaStream{sends("audio", uint32(i%50+1), "sendReceive")}}
		if i%3 == 0 {
			p.Streams[0].Direction = "inactive"
		}
		job.Events = append(job.Events, archive.Event{
			Seq: int64(len(job.Events) + 1), At: after(time.Duration(i) * 4 * time.Second), Kind: string(recorder.EntryRoster),
			Data: marshal(t, map[string]any{"delta": true, "sequence": i + 2, "participants": []recorder.Participant{p}}),
		})
	}
	r, err := open(t).Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(r.Path, archive.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	m := readManifest(t, r.Path)
	omitted := 0
	for _, p := range m.Participants {
		omitted += p.Omitted
	}
	if info.Size() > 1500<<10 || m.Speech.WithinSeconds < 4 || omitted == 0 || len(m.Participants) != 50 {
		t.Errorf("%d bytes, %d people, spans within %d s, %d omitted", info.Size(), len(m.Participants), m.Speech.WithinSeconds, omitted)
	}
}

// TestSharedLine: both telephones of one line are on its track, while both are there.
func TestSharedLine(t *testing.T) {
	t.Parallel()
	phone := func(id string) recorder.Participant {
		return recorder.Participant{ID: id, Kind: "phone", Streams: []recorder.MediaStream{sends("audio", 7, "sendReceive")}}
	}
	s := apart(t)
	for range 400 {
		s.speak(7)
		s.tick()
	}
	s.seal(s.seq)
	job := s.job(t, recorder.OutcomeRecorded)
	job.Events = withRosters(t, job.Events,
		told{at: 2200 * time.Millisecond, people: []recorder.Participant{phone("a")}},
		told{at: 2300 * time.Millisecond, people: []recorder.Participant{phone("a"), phone("b")}},
		told{at: 2400 * time.Millisecond, people: []recorder.Participant{phone("b")}})
	r, err := open(t).Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	var on []string
	for _, p := range readManifest(t, r.Path).Tracks[0].Participants {
		on = append(on, fmt.Sprint(p.ID, p.From.Equal(after(2300*time.Millisecond)), p.To.Equal(after(2400*time.Millisecond))))
	}
	if diff := cmp.Diff([]string{"afalse false", "btrue false", "atrue true"}, on); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
