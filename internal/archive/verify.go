package archive

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// VerifyFolder checks that a folder is what was published: every file there with
// its hash, audio that decodes to as many samples as promised, sums that add up.
// The error joins all [Finding]s.
func VerifyFolder(path string) error {
	_, _, findings := readFolder(context.Background(), path, true)
	return integrity(findings)
}

// CheckFolder checks a folder with nothing but the folder: all that
// [VerifyFolder] does, and whether what its manifest tells keeps the laws. It
// returns the manifest, nil where it can't be read, and everything found.
func CheckFolder(path string) (*Manifest, []Finding) {
	m, _, findings := readFolder(context.Background(), path, true)
	if m != nil {
		findings = append(findings, checkOrder(m)...)
	}
	return m, findings
}

// ManifestSHA256 returns the hash of a folder's manifest, in hex: it must be the
// [Result.ManifestSHA256] that was noted outside the folder when it was published,
// and the Previous of the manifest that followed. A folder that was forged as a
// whole agrees with itself, so [CheckFolder] finds nothing; this hash tells.
func ManifestSHA256(path string) (string, error) {
	f, err := hashFile(context.Background(), filepath.Join(path, ManifestName))
	if err != nil {
		return "", fmt.Errorf("manifest of %s: %w", path, err)
	}
	return f.SHA256, nil
}

// readFolder checks a folder's integrity; deep decodes the audio too. Once ctx has
// ended, what it found means nothing.
func readFolder(ctx context.Context, path string, deep bool) (m *Manifest, sum string, findings []Finding) {
	found := func(kind FindingKind, file, detail string, args ...any) {
		findings = append(findings, Finding{kind, lawEvidence, file, fmt.Sprintf(detail, args...)})
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		found(FindingUnreadable, "", "%v", err)
		return nil, "", findings
	}
	b, err := readBounded(filepath.Join(path, ManifestName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		found(FindingUnreadable, ManifestName, "%v", err)
		return nil, "", findings
	}
	if err == nil {
		m, err = ReadManifest(b)
	}
	if err != nil {
		found(FindingManifest, ManifestName, "%v", err)
		return nil, "", findings
	}
	digest := sha256.Sum256(b)
	there := map[string]bool{ManifestName: true}
	for _, want := range m.Files {
		there[want.Name] = true
		findings = append(findings, checkFile(ctx, path, want)...)
	}
	for _, e := range entries {
		if !there[e.Name()] || !e.Type().IsRegular() {
			found(FindingStray, e.Name(), "is not in the manifest, or is no plain file")
		}
	}
	if deep && len(findings) == 0 { // else the files are others anyway
		for i := range m.Tracks {
			findings = append(findings, checkTrackFile(ctx, path, &m.Tracks[i])...)
		}
		if len(findings) == 0 { // it is made of them
			findings = append(findings, checkMix(ctx, path, m)...)
		}
		if err := readEvents(filepath.Join(path, EventsName)); err != nil {
			found(FindingEvents, EventsName, "%v", err)
		}
	}
	return m, hex.EncodeToString(digest[:]), append(findings, checkSums(m)...)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the caller names the folder
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return io.ReadAll(io.LimitReader(f, MaxManifest+1))
}

func checkFile(ctx context.Context, folder string, want File) []Finding {
	path := filepath.Join(folder, want.Name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{{FindingMissing, lawEvidence, want.Name, "the manifest lists it"}}
	case err == nil && !info.Mode().IsRegular():
		return nil // found as a stray
	case err == nil && info.Size() != want.Size:
		return []Finding{{FindingHash, lawEvidence, want.Name, fmt.Sprintf("%d bytes, the manifest says %d", info.Size(), want.Size)}}
	}
	got, err := hashFile(ctx, path)
	switch {
	case err != nil:
		return []Finding{{FindingUnreadable, lawEvidence, want.Name, err.Error()}}
	case got != want:
		return []Finding{{FindingHash, lawEvidence, want.Name, fmt.Sprintf("SHA-256 %s, the manifest says %s", got.SHA256, want.SHA256)}}
	}
	return nil
}

// heeding is a reader that ends with its context, between two blocks.
type heeding struct {
	ctx context.Context // an io.Reader is given none; this one lives for one call
	io.Reader
}

func (h heeding) Read(p []byte) (int, error) {
	if err := h.ctx.Err(); err != nil {
		return 0, err
	}
	return h.Reader.Read(p)
}

// readEvents reads the journal line by line.
func readEvents(path string) error {
	f, err := os.Open(path) //nolint:gosec // G304: the caller names the folder
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	d := json.NewDecoder(bufio.NewReader(f))
	d.DisallowUnknownFields()
	for line := 1; ; line++ {
		var e eventLine
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("event %d: %w", line, err)
		}
		if e.Kind == "" || (e.Source != "journal" && e.Source != "spool") {
			return fmt.Errorf("event %d: kind %.40q, source %.40q", line, e.Kind, e.Source)
		}
	}
}

// checkSums checks that stored and missing samples make up the whole, and that
// the gaps are where they can be.
func checkSums(m *Manifest) (findings []Finding) {
	found := func(file, detail string, args ...any) {
		findings = append(findings, Finding{FindingCount, lawEvidence, file, fmt.Sprintf(detail, args...)})
	}
	var all Track
	frames := m.FramesRepeated
	for i := range m.Tracks {
		t := &m.Tracks[i]
		all.Samples += t.Samples
		all.StoredSamples += t.StoredSamples
		all.GapSamples += t.GapSamples
		frames += t.Frames
		if t.StoredSamples < 0 || t.GapSamples < 0 || t.StoredSamples+t.GapSamples != t.Samples {
			found(t.File, "stored %d + gaps %d != samples %d", t.StoredSamples, t.GapSamples, t.Samples)
		}
		if t.Kind == "audio" && t.StoredSamples != int64(t.Frames)*frame.AudioSamples { //nolint:gosec // overflow makes them differ
			found(t.File, "%d frames are not %d samples", t.Frames, t.StoredSamples)
		}
		sum, end := int64(0), int64(0)
		for _, g := range t.Gaps {
			if g.Samples < 0 || g.AtSample < end || g.AtSample+g.Samples > t.Samples {
				found(t.File, "the gap of %d samples at %d cannot be", g.Samples, g.AtSample)
			}
			sum, end = sum+g.Samples, g.AtSample+g.Samples
		}
		if sum != t.GapSamples {
			found(t.File, "the gaps add up to %d samples, not %d", sum, t.GapSamples)
		}
	}
	if all.Samples != m.Samples || all.StoredSamples != m.StoredSamples || all.GapSamples != m.GapSamples {
		found("", "the tracks add up to %d samples, %d stored, %d missing; the manifest says %d, %d, %d",
			all.Samples, all.StoredSamples, all.GapSamples, m.Samples, m.StoredSamples, m.GapSamples)
	}
	if frames != m.Seal.Frames || m.RecordsDamaged > 0 {
		findings = append(findings, Finding{FindingLost, lawOutcome, "", fmt.Sprintf(
			"the seal counts %d frames, %d are accounted for; the spool could not read %d records",
			m.Seal.Frames, frames, m.RecordsDamaged)})
	}
	return findings
}

// Duration returns how long a recording is, its gaps included.
func (m *Manifest) Duration() time.Duration { return m.EndedAt.Sub(m.StartedAt) }
