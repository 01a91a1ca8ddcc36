package archive_test

import (
	"bytes"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// From a real spool, with a real permit, silence and a gap, over a restart.
func TestFromTheSpool(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	options := spool.Options{Dir: dir, SegmentSize: 1 << 20}
	log, err := spool.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	permit := recordertest.Permit(t, call)
	evidence, err := permit.Evidence()
	if err != nil {
		t.Fatal(err)
	}
	replied := time.Now()
	r, err := log.Begin(t.Context(), permit, recording, []byte(`{"audio":"mixed","firstSeq":1,"host":"h"}`))
	if err != nil {
		t.Fatal(err)
	}
	s := newScript(t) // for its noise
	var want []byte
	err = log.Update(func(b *spool.Batch) {
		b.Note(r, "opened", []byte(`{"firstSeq":3}`))
		for seq := uint64(3); seq < 60; seq++ {
			if seq == 30 {
				b.Gap(r, frame.Gap{Kind: frame.MixedAudio, FirstSeq: seq, Count: 2, Cause: frame.CauseHost})
				want = append(want, make([]byte, 2*frame.AudioBytes)...)
				seq += 2
			}
			pcm := make([]byte, frame.AudioBytes)
			if seq%5 != 0 {
				pcm = toBytes(s.noise())
			}
			want = append(want, pcm...)
			b.Frame(r, frame.Frame{Header: frame.Header{
				Seq: seq, Kind: frame.MixedAudio, MediaTime: frame.Ticks(replied) + int64(seq)*frame.TicksPerFrame,
			}, Payload: pcm})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.Seal(t.Context(), spool.Seal{LastSeq: 59, Cause: "paused"}); err != nil {
		t.Fatal(err)
	}
	if err = log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if log, err = spool.Open(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	defer log.Close(t.Context()) //nolint:errcheck // the test is over

	type m map[string]any
	res, err := open(t).Assemble(t.Context(), archive.Job{
		Recording: recording, Read: func() iter.Seq2[spool.Record, error] { return log.Read(recording) },
		Facts:      archive.FactsOf(recorder.Invite{Call: recorder.CallRef{ID: call}, At: replied, ObservedParticipant: "p"}),
		Conclusion: recorder.Conclusion{Call: call, Outcome: recorder.OutcomeRecordedWithGaps, At: time.Now()},
		Events: []archive.Event{
			{Seq: 1, At: replied, Kind: "announce", Data: marshal(t, m{"status": "recording", "clientContext": evidence.Context})},
			{Seq: 2, At: replied, Kind: "announced", Data: marshal(t, m{
				"clientContext": evidence.Context, "operation": evidence.Operation, "progress": "completed", "receipt": evidence.Receipt,
			})},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, findings := archive.CheckFolder(res.Path)
	for _, f := range findings {
		t.Error(f)
	}
	if !bytes.Equal(decodeFLAC(t, filepath.Join(res.Path, "audio-mixed.flac")), want) {
		t.Error("the archive holds other samples than went into the spool")
	}
	if res.GapSamples != 2*frame.AudioSamples || res.StartedAt.Sub(replied.Add(60*time.Millisecond)).Abs() > time.Microsecond {
		t.Errorf("%d samples missing, started at %v", res.GapSamples, res.StartedAt)
	}
}
