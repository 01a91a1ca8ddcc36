package referee

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mewkiz/flac"
)

const sampleRate = 16000

// causeIdle is the cause of a gap in which nothing is lost: a speaker was silent.
const causeIdle = "idle"

// A manifest is what the referee wants to know of manifest.json. It is not the
// recorder's own type.
type manifest struct {
	Recording     string         `json:"recording"`
	Call          string         `json:"call"`
	Outcome       string         `json:"outcome"`
	Unclaimed     uint64         `json:"framesUnclaimed"`
	Part          int            `json:"part"`
	Continues     string         `json:"continues"` // the recording before it
	Joint         string         `json:"joint"`
	StartedAt     time.Time      `json:"startedAt"`
	Samples       int64          `json:"samples"`
	StoredSamples int64          `json:"storedSamples"`
	GapSamples    int64          `json:"gapSamples"`
	Tracks        []track        `json:"tracks"`
	Files         []archivedFile `json:"files"`

	dir    string // absolute
	folder string // relative to the archive

	// What the content shows: the extents that were found in their place, and
	// those declared as missing; whether it ends with such a one.
	stored, missing []extent
	endsInGap       bool
	frames          int64 // of video, declared as missing
}

type track struct {
	File          string        `json:"file"`
	Kind          string        `json:"kind"`
	Mode          string        `json:"mode"`
	SourceID      uint32        `json:"sourceId"`
	Frames        uint64        `json:"frames"`
	Undecodable   uint64        `json:"undecodableFrames"` // of Frames, those that are not in the file
	MediaTime     int64         `json:"mediaTime"`
	Samples       int64         `json:"samples"`
	StoredSamples int64         `json:"storedSamples"`
	GapSamples    int64         `json:"gapSamples"`
	Gaps          []declaredGap `json:"gaps"`
}

type declaredGap struct {
	AtSample int64  `json:"atSample"`
	Samples  int64  `json:"samples"`
	Frames   uint64 `json:"frames"`
	Cause    string `json:"cause"`
}

type archivedFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// readArchive gives each call its manifests.
func (j *judge) readArchive(calls []*call) {
	if j.in.ArchiveDir == "" {
		return
	}
	byID := make(map[string]*call, len(calls))
	for _, c := range calls {
		byID[plain(c.id)] = c
	}
	err := filepath.WalkDir(j.in.ArchiveDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != j.in.ArchiveDir && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.Name() == "manifest.json" && !d.IsDir() {
			j.readManifest(path, byID)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.add(4, KindArchiveBroken, "", "read the archive: %v", err)
	}
	for _, c := range calls {
		slices.SortStableFunc(c.manifests, func(a, b *manifest) int {
			return cmp.Or(cmp.Compare(a.Part, b.Part), a.StartedAt.Compare(b.StartedAt))
		})
	}
}

func (j *judge) readManifest(path string, byID map[string]*call) {
	folder, err := filepath.Rel(j.in.ArchiveDir, filepath.Dir(path))
	if err != nil {
		folder = filepath.Dir(path)
	}
	m := &manifest{dir: filepath.Dir(path), folder: folder}
	text, err := os.ReadFile(filepath.Clean(path))
	if err == nil {
		err = json.Unmarshal(text, m)
	}
	if err != nil {
		j.add(4, KindArchiveBroken, "", "%s: %v", path, err)
		return
	}
	if c := byID[plain(m.Call)]; c != nil {
		c.manifests = append(c.manifests, m)
		return
	}
	j.add(4, KindArchiveUnknown, m.Call, "%s: no such call was ever placed", folder)
}

// checkFiles compares the files with the manifest's hashes. Law 6 in small: it
// is here so that a sample that was changed later is not blamed on the gate.
func (m *manifest) checkFiles() error {
	for _, f := range m.Files {
		if f.Name != filepath.Base(f.Name) {
			return fmt.Errorf("file name %q leads elsewhere", f.Name)
		}
		if f.Name == "manifest.json" {
			continue
		}
		sum, size, err := hash(filepath.Join(m.dir, f.Name))
		if err != nil {
			return err
		}
		if size != f.Size || !strings.EqualFold(sum, f.SHA256) {
			return fmt.Errorf("%s has %d bytes and hash %s, the manifest says %d and %s", f.Name, size, sum, f.Size, f.SHA256)
		}
	}
	return nil
}

func hash(path string) (sum string, size int64, err error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "", 0, fmt.Errorf("hash: %w", err)
	}
	defer func() { _ = file.Close() }()
	h := sha256.New()
	size, err = io.Copy(h, file)
	if err != nil {
		return "", 0, fmt.Errorf("hash: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// decode reads a FLAC file of the archive: 16 kHz, mono, 16 bit.
func (m *manifest) decode(name string) ([]int16, error) {
	if name != filepath.Base(name) {
		return nil, fmt.Errorf("file name %q leads elsewhere", name)
	}
	stream, err := flac.Open(filepath.Join(m.dir, name))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer func() { _ = stream.Close() }()
	info := stream.Info
	if info.SampleRate != sampleRate || info.NChannels != 1 || info.BitsPerSample != 16 {
		return nil, fmt.Errorf("%s has %d Hz, %d channels, %d bits", name, info.SampleRate, info.NChannels, info.BitsPerSample)
	}
	var out []int16
	for {
		frame, err := stream.ParseNext()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("decode %s: %w", name, err)
		}
		for _, s := range frame.Subframes[0].Samples {
			out = append(out, int16(s)) //nolint:gosec // 16 bits were checked
		}
	}
	if info.NSamples != 0 && info.NSamples != uint64(len(out)) {
		return nil, fmt.Errorf("%s holds %d samples, its header says %d", name, len(out), info.NSamples)
	}
	return out, nil
}
