package archive_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

var errInjected = errors.New("injected")

func steps() []string {
	return []string{"sweep", "survey", "folder", "tracks", "events", "readBack", "manifest", "publish", "check", "done"}
}

// flip changes one bit of a file, as a bad disk would.
func flip(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	if err := durable.WriteFile(path, b, 0o440); err != nil {
		t.Fatal(err)
	}
}

// run assembles until a step at which it dies (die) or fails.
func run(t *testing.T, a *archive.Assembler, job archive.Job, at string, die bool) (err error) {
	t.Helper()
	seen := false
	a.OnStep(func(step string) error {
		switch {
		case step != at:
			return nil
		case die:
			panic(errInjected)
		}
		seen = true
		return errInjected
	})
	defer func() {
		a.OnStep(func(string) error { return nil })
		if r := recover(); r != nil {
			err, seen = errInjected, true
		}
		if !seen {
			t.Fatalf("there is no step %s", at)
		}
	}()
	_, err = a.Assemble(t.Context(), job)
	return err
}

// A crash or a failure at any step leaves a whole folder or none, and the next
// run completes it and sweeps up.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, step := range steps() {
		for _, die := range []bool{false, true} {
			name := step + " fails"
			if die {
				name = step + " dies"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a, s := open(t), ordinary(t)
				job := s.job(t, recorder.OutcomeRecordedWithGaps)
				if err := run(t, a, job, step, die); !errors.Is(err, errInjected) {
					t.Fatalf("error %v, want the injected one", err)
				}
				published := step == "check" || step == "done"
				_, err := os.Stat(a.Path(recording))
				if there := err == nil; there != published {
					t.Fatalf("the folder is there: %v, want %v", there, published)
				}
				if published {
					if err = archive.VerifyFolder(a.Path(recording)); err != nil {
						t.Errorf("the folder is not whole: %v", err)
					}
				} else if !die {
					empty(t, a.Dir())
				}
				if die { // a new process, and what the old one left is in the way
					leaveJunk(t, filepath.Join(a.Dir(), "."+recording+".part"))
					if a, err = archive.Open("file:"+a.Dir(), "", archive.Options{}); err != nil {
						t.Fatal(err)
					}
				}
				if _, err = a.Assemble(t.Context(), job); err != nil {
					t.Fatalf("the next run: %v", err)
				}
				if _, findings := archive.CheckFolder(a.Path(recording)); len(findings) > 0 {
					t.Errorf("after the next run: %v", findings)
				}
				entries, err := os.ReadDir(a.Dir())
				if err != nil || len(entries) != 1 {
					t.Errorf("the archive holds %v, want the one folder: %v", entries, err)
				}
			})
		}
	}
}

// leaveJunk puts a file into a hidden folder that a dead run left, if it did.
func leaveJunk(t *testing.T, hidden string) {
	t.Helper()
	if _, err := os.Stat(hidden); err != nil {
		return
	}
	if err := durable.WriteFile(filepath.Join(hidden, "audio-99.flac"), []byte("junk"), 0o440); err != nil {
		t.Fatal(err)
	}
}

// Bits that change between writing and reading back are noticed before anything
// is published.
func TestReadBackNotices(t *testing.T) {
	t.Parallel()
	for _, at := range []int{30, 9000} { // in the header's checksum, in the audio
		a, s := open(t), ordinary(t)
		a.OnStep(func(step string) error {
			if step == "readBack" {
				flip(t, filepath.Join(a.Dir(), "."+recording+".part", "audio-mixed.flac"), at)
			}
			return nil
		})
		_, err := a.Assemble(t.Context(), s.job(t, recorder.OutcomeRecordedWithGaps))
		if err == nil {
			t.Errorf("a flipped bit at byte %d went unnoticed", at)
		}
		empty(t, a.Dir())
	}
}

// A file that is sound in itself, its checksum included, but holds other samples
// than the spool, is noticed by comparing, and by nothing else.
func TestReadBackCompares(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(pcm []byte) []byte{
		"first sample":  func(pcm []byte) []byte { pcm[0] ^= 1; return pcm },
		"last sample":   func(pcm []byte) []byte { pcm[len(pcm)-2] ^= 1; return pcm },
		"sample in gap": func(pcm []byte) []byte { pcm[2*100*frame.AudioSamples] = 1; return pcm },
		"one more":      func(pcm []byte) []byte { return append(pcm, 0, 0) },
		"one less":      func(pcm []byte) []byte { return pcm[:len(pcm)-2] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, s := open(t), ordinary(t)
			a.OnStep(func(step string) error {
				if step != "readBack" {
					return nil
				}
				path := filepath.Join(a.Dir(), "."+recording+".part", "audio-mixed.flac")
				writeFLAC(t, path, spoil(toBytes(s.want["audio-mixed"])))
				return nil
			})
			if _, err := a.Assemble(t.Context(), s.job(t, recorder.OutcomeRecordedWithGaps)); !errors.Is(err, archive.ErrReadBack) {
				t.Errorf("error %v, want %v", err, archive.ErrReadBack)
			}
			empty(t, a.Dir())
		})
	}
}

// So is what changes between publishing and the last look.
func TestPublishedIsReadBack(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string){
		"audio": func(dir string) { flip(t, filepath.Join(dir, "audio-mixed.flac"), 9000) },
		"a manifest as good": func(dir string) {
			m := readManifest(t, dir)
			m.Detail = "something else"
			rewrite(t, dir, m)
		},
	} {
		a, s := open(t), ordinary(t)
		a.OnStep(func(step string) error {
			if step == "check" {
				spoil(a.Path(recording))
			}
			return nil
		})
		if _, err := a.Assemble(t.Context(), s.job(t, recorder.OutcomeRecordedWithGaps)); !errors.Is(err, archive.ErrReadBack) {
			t.Errorf("%s: error %v, want %v", name, err, archive.ErrReadBack)
		}
	}
}

func TestAnotherSpoolInTheSecondPass(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"tracks", "readBack"} {
		a, s := open(t), ordinary(t)
		a.OnStep(func(now string) error {
			if now == step {
				s.records[20].Payload = bytes.Repeat([]byte{7}, len(s.records[20].Payload))
				s.records = append(s.records[:40:40], s.records[41:]...)
			}
			return nil
		})
		if _, err := a.Assemble(t.Context(), s.job(t, recorder.OutcomeRecordedWithGaps)); !errors.Is(err, archive.ErrReadBack) {
			t.Errorf("%s: error %v, want %v", step, err, archive.ErrReadBack)
		}
		empty(t, a.Dir())
	}
}

// A published folder that was damaged is reported, and neither used nor touched.
func TestDamagedFolder(t *testing.T) {
	t.Parallel()
	flac := "audio-mixed.flac"
	tests := map[string]struct {
		spoil func(t *testing.T, dir string)
		want  []archive.FindingKind
	}{
		"bit in the audio": {func(t *testing.T, dir string) { t.Helper(); flip(t, filepath.Join(dir, flac), 9000) }, []archive.FindingKind{archive.FindingHash}},
		"audio gone": {func(t *testing.T, dir string) {
			t.Helper()
			if err := durable.Remove(filepath.Join(dir, flac)); err != nil {
				t.Fatal(err)
			}
		}, []archive.FindingKind{archive.FindingMissing}},
		"audio cut": {func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Chmod(filepath.Join(dir, flac), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(filepath.Join(dir, flac), 1000); err != nil {
				t.Fatal(err)
			}
		}, []archive.FindingKind{archive.FindingHash}},
		"manifest gone": {func(t *testing.T, dir string) {
			t.Helper()
			if err := durable.Remove(filepath.Join(dir, archive.ManifestName)); err != nil {
				t.Fatal(err)
			}
		}, []archive.FindingKind{archive.FindingManifest}},
		"space in the manifest": {func(t *testing.T, dir string) {
			t.Helper()
			b, err := os.ReadFile(filepath.Join(filepath.Clean(dir), archive.ManifestName))
			if err != nil {
				t.Fatal(err)
			}
			if err = durable.WriteFile(filepath.Join(dir, archive.ManifestName), append(b, '\n'), 0o440); err != nil {
				t.Fatal(err)
			}
		}, []archive.FindingKind{archive.FindingManifest}},
		"a stray file": {func(t *testing.T, dir string) {
			t.Helper()
			if err := durable.WriteFile(filepath.Join(dir, "note.txt"), []byte("x"), 0o440); err != nil {
				t.Fatal(err)
			}
		}, []archive.FindingKind{archive.FindingStray}},
		"a link instead of a file": {func(t *testing.T, dir string) {
			t.Helper()
			if err := durable.Rename(filepath.Join(dir, flac), filepath.Join(filepath.Dir(dir), flac)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../"+flac, filepath.Join(dir, flac)); err != nil {
				t.Fatal(err)
			}
		}, []archive.FindingKind{archive.FindingStray}},
		"another manifest with fitting hashes": {func(t *testing.T, dir string) {
			t.Helper()
			m := readManifest(t, dir)
			m.Samples, m.StoredSamples = m.Samples-320, m.StoredSamples-320
			m.Tracks[0].Samples -= 320
			m.Tracks[0].StoredSamples -= 320
			m.Tracks[0].Frames--
			rewrite(t, dir, m)
		}, []archive.FindingKind{archive.FindingMedia, archive.FindingLost}},
		"sums that do not add up": {func(t *testing.T, dir string) {
			t.Helper()
			m := readManifest(t, dir)
			m.GapSamples++
			rewrite(t, dir, m)
		}, []archive.FindingKind{archive.FindingCount}},
		"a gap elsewhere": {func(t *testing.T, dir string) {
			t.Helper()
			m := readManifest(t, dir)
			m.Tracks[0].Gaps[0].AtSample -= 320
			rewrite(t, dir, m)
		}, []archive.FindingKind{archive.FindingMedia}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, s := open(t), ordinary(t)
			job := s.job(t, recorder.OutcomeRecordedWithGaps)
			r, err := a.Assemble(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, r.Path)
			_, findings := archive.CheckFolder(r.Path)
			var got []archive.FindingKind
			for _, f := range findings {
				got = append(got, f.Kind)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("findings (-want +got):\n%s%v", d, findings)
			}
			if err := archive.VerifyFolder(r.Path); err == nil {
				t.Error("VerifyFolder finds nothing")
			}
			if _, err := a.Assemble(t.Context(), job); !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("assembling again: error %v, want %v", err, archive.ErrDamaged)
			}
		})
	}
	if err := archive.VerifyFolder(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there is sound")
	}
}

func rewrite(t *testing.T, dir string, m *archive.Manifest) {
	t.Helper()
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(filepath.Join(dir, archive.ManifestName), b, 0o440); err != nil {
		t.Fatal(err)
	}
}

// A disk that does not answer says nothing of the folder: it may be whole, and a
// link of the chain.
func TestUnreadableIsNotDamaged(t *testing.T) {
	t.Parallel()
	a, s := open(t), ordinary(t)
	job := s.job(t, recorder.OutcomeRecordedWithGaps)
	r, err := a.Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(r.Path, archive.ManifestName)
	if err = durable.Rename(manifest, manifest+".away"); err != nil {
		t.Fatal(err)
	}
	if err = os.Mkdir(manifest, 0o700); err != nil { // it opens, and cannot be read
		t.Fatal(err)
	}
	if _, err = a.Assemble(t.Context(), job); err == nil || errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrJob) {
		t.Errorf("error %v, want one that may pass", err)
	}
	if err = os.Remove(manifest); err != nil {
		t.Fatal(err)
	}
	if err = durable.Rename(manifest+".away", manifest); err != nil {
		t.Fatal(err)
	}
	if again, err := a.Assemble(t.Context(), job); err != nil || again.ManifestSHA256 != r.ManifestSHA256 {
		t.Errorf("the disk answers again: %v", err)
	}
}
