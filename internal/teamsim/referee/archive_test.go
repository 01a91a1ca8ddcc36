package referee_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

type gap struct {
	AtSample int64  `json:"atSample"`
	Samples  int64  `json:"samples"`
	Cause    string `json:"cause"`
}

// started is when the recording began, by its media time.
func (b *bot) started() time.Time {
	first := slices.Min(slices.Collect(maps.Keys(b.frames)))
	return time.Unix(0, 100*(b.frames[first].time-host.Ticks(time.Unix(0, 0))))
}

// assemble puts the frames in their places, by their media times.
func (b *bot) assemble() (pcm []int16, gaps []gap) {
	start, at := b.begin, int64(0)
	for _, seq := range slices.Sorted(maps.Keys(b.frames)) {
		f := b.frames[seq]
		if start == 0 {
			start = f.time
		}
		place := (f.time - start) / 625
		if f.time <= 0 || place < at || place > at+60*16000 {
			place = at // an absurd time: where it would be without
		}
		if place > at {
			gaps = append(gaps, gap{at, place - at, "time"})
			pcm = append(pcm, make([]int16, place-at)...)
		}
		for i := 0; i < len(f.payload); i += 2 {
			pcm = append(pcm, int16(binary.LittleEndian.Uint16(f.payload[i:])))
		}
		at = int64(len(pcm))
	}
	return pcm, gaps
}

// store writes the recordings of the call.
func (b *bot) store(dir string) {
	if b.is("no archive") {
		return
	}
	all, begin := b.frames, uint64(0)
	for i, cut := range append(slices.Clone(b.cuts), b.high) {
		b.frames = make(map[uint64]stored)
		for seq, f := range all {
			if seq > begin && seq <= cut {
				b.frames[seq] = f
			}
		}
		b.archive(dir, string(rune('a'+i)))
		b.begin, begin = 0, cut
		if b.is("taken over late") || b.is("taken over twice declared") {
			b.begin = all[cut].time + host.TicksPerFrame // what is missing is the next one's
		}
	}
	if b.is("archived twice") {
		b.archive(dir, "again")
	}
}

// archive writes the recording, spoilt where the fault wants it.
func (b *bot) archive(dir, name string) {
	if len(b.frames) == 0 {
		return
	}
	pcm, gaps := b.assemble()
	pcm, gaps = b.spoil(pcm, gaps)
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	if err = root.Mkdir(name, 0o750); err != nil {
		b.t.Fatal(err)
	}
	file := encodeFLAC(b.t, pcm)
	sum := sha256.Sum256(file)
	if b.is("file changed") {
		sum[0]++
	}
	var missing int64
	for _, g := range gaps {
		missing += g.Samples
	}
	total := int64(len(pcm))
	outcome := "recorded"
	switch {
	case b.failed:
		outcome = "failed"
	case missing > 0:
		outcome = "recordedWithGaps"
	}
	if b.is("outcome wrong") {
		outcome = "notRecorded"
	}
	storedSamples := total - missing
	if b.is("manifest counts") {
		storedSamples -= 320
	}
	m := map[string]any{
		"part": int(name[0]-'a') + 1, "continues": "", "joint": "start",
		"version": 1, "recording": name, "call": b.call, "outcome": outcome, "startedAt": b.started(), "samples": total, "storedSamples": storedSamples, "gapSamples": missing,
		"tracks": []any{map[string]any{"file": "audio-mixed.flac", "kind": "audio", "samples": total, "storedSamples": storedSamples, "gapSamples": missing, "gaps": gaps}},
		"files":  []any{map[string]any{"name": "audio-mixed.flac", "size": len(file), "sha256": hex.EncodeToString(sum[:])}},
	}
	if name == "b" {
		m["continues"], m["joint"] = "a", "takeover"
		if strings.HasPrefix(b.fault, "paused") != b.is("paused, and told as taken over") {
			m["joint"] = "pause"
		}
	}
	if b.is("stranger's call") {
		m["call"] = uuid.NewString()
	}
	text, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := errors.Join(
		root.WriteFile(filepath.Join(name, "audio-mixed.flac"), file, 0o600),
		root.WriteFile(filepath.Join(name, "manifest.json"), text, 0o600),
	); err != nil {
		b.t.Fatal(err)
	}
}

// spoil applies the faults of storage. The recording has about 60 frames.
func (b *bot) spoil(pcm []int16, gaps []gap) ([]int16, []gap) {
	const at = 20 * 320
	switch b.fault {
	case "frame lost":
		return slices.Delete(pcm, at, at+320), gaps
	case "first frame lost":
		return pcm[320:], gaps
	case "tail lost":
		return pcm[:len(pcm)-640], gaps
	case "frame duplicated":
		return slices.Insert(pcm, at, slices.Clone(pcm[at-320:at])...), gaps
	case "samples shifted":
		return pcm[7:], gaps
	case "samples shifted later":
		return slices.Delete(pcm, at, at+5), gaps
	case "one sample wrong":
		pcm[at] ^= 1
	case "silent zeros":
		clear(pcm[at : at+320])
	case "silent gap":
		return pcm, nil
	case "gap closed":
		for _, g := range slices.Backward(gaps) {
			pcm = slices.Delete(pcm, int(g.AtSample), int(g.AtSample+g.Samples))
		}
		return pcm, nil
	case "gap not silent":
		pcm[gaps[0].AtSample+3] = 99
	case "gap unfounded":
		clear(pcm[at : at+320])
		return pcm, []gap{{at, 320, "time"}}
	case "gap too long":
		g := gaps[0]
		pcm = slices.Insert(pcm, int(g.AtSample), make([]int16, 320)...)
		return pcm, []gap{{g.AtSample, g.Samples + 320, g.Cause}}
	case "gap told too long":
		gaps[0].Samples++
	case "gap told too short":
		gaps[0].Samples--
	case "gap filled too long":
		gaps[0].Samples++
		return slices.Insert(pcm, int(gaps[0].AtSample), 0), gaps
	case "gap filled too short":
		gaps[0].Samples--
		return slices.Delete(pcm, int(gaps[0].AtSample), int(gaps[0].AtSample)+1), gaps
	case "gap without cause":
		gaps[0].Cause = "whatever"
	case "a sample too many":
		return slices.Insert(pcm, at, pcm[at]), gaps
	case "a sample too few":
		return slices.Delete(pcm, at, at+1), gaps
	}
	return pcm, gaps
}

func encodeFLAC(t *testing.T, pcm []int16) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc, err := flac.NewEncoder(&buf, &meta.StreamInfo{
		BlockSizeMin: 16, BlockSizeMax: 4096, SampleRate: 16000, NChannels: 1, BitsPerSample: 16, NSamples: uint64(len(pcm)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; len(pcm) > 0; i++ {
		n := min(4096, len(pcm))
		samples := make([]int32, n)
		for k := range samples {
			samples[k] = int32(pcm[k])
		}
		err := enc.WriteFrame(&frame.Frame{
			Header: frame.Header{BlockSize: uint16(n), SampleRate: 16000, Channels: frame.ChannelsMono, BitsPerSample: 16, Num: uint64(i)},
			Subframes: []*frame.Subframe{{
				SubHeader: frame.SubHeader{Pred: frame.PredVerbatim}, Samples: samples, NSamples: n,
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		pcm = pcm[n:]
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
