package referee_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// A filed track is one of the manifest's, with its file.
type filed struct {
	Name      string `json:"file"`
	Kind      string `json:"kind"`
	Mode      string `json:"mode,omitempty"`
	Source    uint32 `json:"sourceId"`
	MediaTime int64  `json:"mediaTime"`
	Samples   int64  `json:"samples"`
	Stored    int64  `json:"storedSamples"`
	Missing   int64  `json:"gapSamples"`
	Frames    uint64 `json:"frames"`
	Unshown   uint64 `json:"undecodableFrames,omitempty"`
	Gaps      []hole `json:"gaps"`

	pcm    []int16
	frames []gathered
	file   []byte
}

// A hole is a gap, as manifests have it.
type hole struct {
	AtSample int64  `json:"atSample"`
	Samples  int64  `json:"samples"`
	Frames   uint64 `json:"frames,omitempty"`
	Cause    string `json:"cause"`
}

// archive files what was gathered, recording by recording.
func (g *gatherer) archive(dir string) {
	frames, gaps, begin := g.frames, g.gaps, uint64(0)
	for i, cut := range append(slices.Clone(g.cuts), 1<<62) {
		g.frames, g.gaps = map[uint64]gathered{}, nil
		for seq, f := range frames {
			if seq > begin && seq <= cut {
				g.frames[seq] = f
			}
		}
		for _, o := range gaps {
			if o.GetFirstSeq() > begin && o.GetFirstSeq() <= cut {
				g.gaps = append(g.gaps, o)
			}
		}
		g.recording(dir, string(rune('a'+i)))
		begin = cut
	}
}

// recording files one, spoilt where the fault wants it.
func (g *gatherer) recording(dir, name string) {
	var tracks []*filed
	begin := int64(1) << 62 // of all tracks of audio
	for _, f := range g.frames {
		if f.stream.Kind == host.KindUnmixed && f.time >= g.start {
			begin = min(begin, f.time)
		}
	}
	for _, o := range g.gaps {
		if o.GetKind() == host.KindUnmixed {
			begin = min(begin, o.GetFromTime())
		}
	}
	for _, s := range g.streams() {
		if s.Kind == host.KindUnmixed {
			tracks = append(tracks, g.lay(s, begin))
			continue
		}
		tracks = append(tracks, g.line(s))
	}
	tracks = g.spoil(tracks)
	root, err := os.OpenRoot(dir)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	if err = root.Mkdir(name, 0o750); err != nil {
		g.t.Fatal(err)
	}
	m := map[string]any{"version": 1, "recording": name, "call": g.call, "part": int(name[0]-'a') + 1, "continues": "", "joint": "start", "outcome": "recorded"}
	if name == "b" {
		m["continues"], m["joint"] = "a", map[bool]string{true: "pause", false: "takeover"}[strings.HasPrefix(g.fault, "paused")]
	}
	var files []any
	file := func(file string, data []byte) {
		sum := sha256.Sum256(data)
		files = append(files, map[string]any{"name": file, "size": len(data), "sha256": hex.EncodeToString(sum[:])})
		err = errors.Join(err, root.WriteFile(filepath.Join(name, file), data, 0o600))
	}
	var samples, stored, missing, lost int64
	for _, tr := range tracks {
		tr.write(g.t)
		samples, stored, missing = samples+tr.Samples, stored+tr.Stored, missing+tr.Missing
		for _, x := range tr.Gaps {
			if x.Cause != "idle" {
				lost += x.Samples + int64(x.Frames)
			}
		}
		file(tr.Name, tr.file)
	}
	if mix := g.mix(tracks); mix != nil {
		file("mix.flac", encodeFLAC(g.t, mix))
	}
	if lost > 0 {
		m["outcome"] = "recordedWithGaps"
	}
	if g.failed {
		m["outcome"] = "failed"
	}
	m["tracks"], m["files"], m["samples"], m["storedSamples"], m["gapSamples"] = tracks, files, samples, stored, missing
	text, jsonErr := json.Marshal(m)
	if err = errors.Join(err, jsonErr, root.WriteFile(filepath.Join(name, "manifest.json"), text, 0o600)); err != nil {
		g.t.Fatal(err)
	}
}

// lay puts a speaker's frames in their places: where he was silent, or something is
// missing, there are zeros.
func (g *gatherer) lay(s host.Stream, begin int64) *filed {
	tr := &filed{Name: fmt.Sprintf("audio-%d.flac", s.Source), Kind: "audio", Mode: "unmixed", Source: s.Source, MediaTime: begin}
	lost := map[int64]bool{} // frames of 320 samples
	for _, o := range g.gaps {
		if (host.Stream{Kind: uint8(o.GetKind()), Source: o.GetSourceId()}) == s {
			for at := o.GetFromTime(); at < o.GetToTime(); at += host.TicksPerFrame {
				lost[(at-begin)/host.TicksPerFrame] = true
			}
		}
	}
	at := int64(0)
	fill := func(to int64) {
		for ; at < to; at++ {
			cause := "idle"
			if lost[at] {
				cause = "overflow"
			}
			n := len(tr.Gaps)
			if n == 0 || tr.Gaps[n-1].Cause != cause || tr.Gaps[n-1].AtSample+tr.Gaps[n-1].Samples != at*320 {
				tr.Gaps = append(tr.Gaps, hole{AtSample: at * 320, Cause: cause})
				n++
			}
			tr.Gaps[n-1].Samples += 320
			tr.pcm = append(tr.pcm, make([]int16, 320)...)
		}
	}
	for _, f := range g.of(s) {
		if place := (f.time - begin) / host.TicksPerFrame; f.time > 0 && place >= at && place < at+3000 { // else an absurd time: where it would be without
			fill(place)
		}
		for i := 0; i < len(f.payload); i += 2 {
			tr.pcm = append(tr.pcm, int16(binary.LittleEndian.Uint16(f.payload[i:])))
		}
		at++
	}
	for k := range lost {
		if k >= at {
			fill(k + 1)
		}
	}
	return tr
}

// line puts a camera's frames behind each other.
func (g *gatherer) line(s host.Stream) *filed {
	kind := map[uint8]string{host.KindVideo: "video", host.KindScreen: "screen"}[s.Kind]
	tr := &filed{Name: fmt.Sprintf("%s-%d.mp4", kind, s.Source), Kind: kind, Source: s.Source, frames: g.of(s)}
	n := uint64(0)
	for _, o := range g.gaps {
		if (host.Stream{Kind: uint8(o.GetKind()), Source: o.GetSourceId()}) == s {
			n += o.GetCount()
		}
	}
	for len(tr.frames) > 0 && !tr.frames[0].key { // nobody can show them
		tr.frames = tr.frames[1:]
		tr.Unshown++
	}
	if g.is("counts as missing what can't be shown") {
		n, tr.Unshown = n+tr.Unshown, 0
	}
	if n > 0 {
		tr.Gaps = []hole{{Frames: n, Cause: "overflow"}}
	}
	return tr
}

// write makes the track's file and counts.
func (tr *filed) write(t *testing.T) {
	t.Helper()
	for _, x := range tr.Gaps {
		tr.Missing += x.Samples
	}
	if tr.Kind == "audio" {
		tr.file, tr.Samples = encodeFLAC(t, tr.pcm), int64(len(tr.pcm))
		tr.Stored = tr.Samples - tr.Missing
		return
	}
	tr.Frames = uint64(len(tr.frames)) + tr.Unshown
	if len(tr.frames) > 0 && tr.MediaTime == 0 {
		tr.MediaTime = tr.frames[0].time
	}
	if filepath.Ext(tr.Name) == ".h264" {
		for _, f := range tr.frames {
			tr.file = append(tr.file, f.payload...)
		}
		return
	}
	var out bytes.Buffer
	w, err := mp4.NewWriter(&out, mp4.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tr.frames {
		if r, err := w.Frame(mp4.Frame{Time: f.time, Data: f.payload}); err != nil || !r.Verdict.Stored() {
			t.Fatalf("%s, frame %d: %v, %v", tr.Name, f.seq, r.Verdict, err)
		}
	}
	if err := w.Close(0); err != nil && !errors.Is(err, mp4.ErrNoVideo) {
		t.Fatal(err)
	}
	tr.file = out.Bytes()
}

// mix is the sum of the tracks, as mix.flac is to be.
func (g *gatherer) mix(tracks []*filed) []int16 {
	if g.is("no mix") {
		return nil
	}
	var sum []int
	for _, tr := range tracks {
		for i, s := range tr.pcm {
			if i == len(sum) {
				sum = append(sum, 0)
			}
			sum[i] += int(s)
		}
	}
	out := make([]int16, len(sum))
	for i, s := range sum {
		out[i] = int16(max(-32768, min(32767, s)))
	}
	switch g.fault {
	case "mix wrong":
		out[len(out)/2]++
	case "mix short":
		out = out[:len(out)-320]
	case "mix lacks one":
		for i, s := range tracks[1].pcm {
			out[i] -= s
		}
	}
	return out
}

// named finds a track.
func named(tracks []*filed, source uint32) *filed {
	return tracks[slices.IndexFunc(tracks, func(tr *filed) bool { return tr.Source == source })]
}

// spoil applies the faults of storage.
func (g *gatherer) spoil(tracks []*filed) []*filed {
	drop := func(source uint32) {
		tracks = slices.DeleteFunc(tracks, func(tr *filed) bool { return tr.Source == source })
	}
	switch g.fault {
	case "speaker dropped":
		drop(bob)
	case "camera dropped":
		drop(bobSeen)
	case "screen dropped":
		drop(slides)
	case "speakers exchanged":
		a, b := named(tracks, ada), named(tracks, bob)
		a.Source, b.Source = b.Source, a.Source
	case "cameras exchanged":
		a, b := named(tracks, adaSeen), named(tracks, bobSeen)
		a.Source, b.Source = b.Source, a.Source
	case "a stranger's track":
		one := *named(tracks, ada)
		one.Source, one.Name = 99, "audio-99.flac"
		tracks = append(tracks, &one)
	case "a stranger's camera":
		one := *named(tracks, adaSeen)
		one.Source, one.Name = 98, "video-98.mp4"
		tracks = append(tracks, &one)
	case "bare video":
		for _, tr := range tracks {
			if tr.Kind != "audio" {
				tr.Name = tr.Kind + fmt.Sprint("-", tr.Source, ".h264")
			}
		}
	case "", "paused and resumed", "paused within a recording", "taken over", "taken over into one recording":
	default:
		spoilSound(g.fault, named(tracks, bob))
		spoilSight(g.fault, named(tracks, bobSeen))
	}
	return tracks
}

// spoilSound: Bob's track begins with silence and then has a second of speech.
func spoilSound(fault string, tr *filed) {
	const at = 320 * 50 // in the midst of his speech
	first := &tr.Gaps[0]
	switch fault {
	case "silence too long":
		first.Samples += 7
		tr.pcm = slices.Insert(tr.pcm, 0, make([]int16, 7)...)
	case "silence too short":
		first.Samples -= 320
		tr.pcm = tr.pcm[320:]
	case "time stretched":
		for i := len(tr.pcm) - 1; i > at; i -= 1600 {
			tr.pcm = slices.Insert(tr.pcm, i, tr.pcm[i])
		}
	case "track begins elsewhere":
		tr.MediaTime += 10_000_000
	case "speech told as silence":
		clear(tr.pcm[at : at+640])
		tr.Gaps = slices.Insert(tr.Gaps, 1, hole{AtSample: at, Samples: 640, Cause: "idle"})
	case "speech told as loss":
		clear(tr.pcm[at : at+640])
		tr.Gaps = slices.Insert(tr.Gaps, 1, hole{AtSample: at, Samples: 640, Cause: "overflow"})
	case "silence told as loss":
		first.Cause = "overflow"
	case "silence not told":
		tr.Gaps = tr.Gaps[1:]
	case "loss told as silence":
		for i := range tr.Gaps {
			tr.Gaps[i].Cause = "idle"
		}
	case "silence not silent":
		tr.pcm[5] = 1
	case "one sample wrong":
		tr.pcm[at] ^= 1
	}
}

func spoilSight(fault string, tr *filed) {
	f := tr.frames
	const at = 10
	switch fault {
	case "frame of video lost", "frame of video lost, and counted":
		tr.frames = slices.Delete(f, at, at+1)
		if fault != "frame of video lost" {
			tr.Gaps = append(tr.Gaps, counted(1))
		}
	case "frames counted that are there":
		tr.Gaps = append(tr.Gaps, counted(3))
	case "frame of video told as undecodable":
		tr.frames, tr.Unshown = slices.Delete(f, at, at+1), 1
	case "frame of video twice":
		tr.frames = slices.Insert(slices.Clone(f), at, f[at])
	case "frame of video damaged":
		f[at].payload = bytes.Clone(f[at].payload)
		f[at].payload[len(f[at].payload)-3] ^= 0x40
	case "time of a frame":
		f[at].time += 10_000
	case "video stretched":
		for i := range f {
			f[i].time += (f[i].time - f[0].time) / 1000
		}
	case "video begins elsewhere":
		tr.MediaTime = f[0].time + 5_000_000
	case "no key frame":
		tr.Name, tr.frames = "video-22.h264", f[1:]
	case "no key frame, and told so":
		tr.Name, tr.frames, tr.Unshown = "video-22.h264", f[1:2], 1
	case "no parameter sets":
		tr.Name = "video-22.h264"
		n := slices.IndexFunc(f[1:], func(g gathered) bool { return g.key && !bytes.Equal(sets(g.payload), sets(f[0].payload)) }) + 1
		f[n].payload = bytes.TrimPrefix(f[n].payload, sets(f[n].payload))
	case "tail of video lost":
		tr.frames = f[:len(f)-5]
	}
}

// counted is a gap of video.
func counted(frames uint64) hole { return hole{Frames: frames, Cause: "overflow"} }

// sets is what stands before the slice of a key frame.
func sets(unit []byte) []byte {
	n := bytes.LastIndex(unit, []byte{0, 0, 1})
	return unit[:n]
}
