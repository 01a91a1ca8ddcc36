package archive_test

import (
	"path/filepath"
	"testing"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestTags: each file says whose it is: a speaker's that of those who had the source, never
// that of the participant who happens to be observed.
func TestTags(t *testing.T) {
	t.Parallel()
	s := apart(t)
	for range 10 {
		s.speak(7)
		s.speak(9)
		s.speak(11)
		s.tick()
	}
	s.seal(s.seq)
	job := s.job(t, recorder.OutcomeRecorded)
	handed := func(stream uint32) []recorder.MediaStream {
		return []recorder.MediaStream{{SourceID: stream, Type: "audio", Direction: "sendReceive"}}
	}
	// Božena's source is handed on while the call goes on.
	job.Events = append(job.Events, archive.Event{Seq: 100, At: s.at, Kind: string(recorder.EntryRoster), Data: marshal(t, map[string]any{
		"delta": true, "sequence": 2, "participants": []recorder.Participant{{ID: "p-3", Name: "Žofie\nš", Kind: "guest", Streams: handed(9)}},
	})})
	r, err := open(t).Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	const all = "OBSERVED=p-1\n"
	for file, want := range map[string]string{
		"audio-7.flac":  all + "PARTICIPANT=p-1\nARTIST=Anna\n",
		"audio-9.flac":  all + "PARTICIPANT=p-2\nARTIST=Božena\nPARTICIPANT=p-3\nARTIST=Žofie\nš\n",
		"audio-11.flac": all,
		"mix.flac":      all + "PARTICIPANT=p-1\n",
	} {
		track := file[:len(file)-len(".flac")]
		want = "RECORDING=" + recording + "\nCALL=" + string(call) + "\nTRACK=" + track + "\nDATE=2026-11-24T10:00:02Z\n" + want
		if got := string(output(t, "metaflac", "--no-utf8-convert", "--export-tags-to=-", filepath.Join(r.Path, file))); got != want {
			t.Errorf("%s says\n%swant\n%s", file, got, want)
		}
	}
}
