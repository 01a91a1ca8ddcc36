package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
	"github.com/recorderbot/recorderbot/internal/media/quality"
	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

const (
	dirPerm  = 0o750
	filePerm = 0o440
)

// Options are what an Assembler may be given.
type Options struct {
	Registerer prometheus.Registerer // may be nil
	Log        *zap.Logger           // may be nil
}

// An Assembler makes folders in one archive. It is safe for concurrent use.
type Assembler struct {
	dir     string
	log     *zap.Logger
	metrics *metrics
	busy    sync.Map // recordings being assembled
	// step is called before each step; what it returns ends the run there. Tests
	// crash with it.
	step func(name string) error
}

// Open opens the archive that url names, and makes its directory. Relative
// paths are relative to baseDir.
func Open(url, baseDir string, o Options) (*Assembler, error) {
	dir, err := Directory(url, baseDir)
	if err != nil {
		return nil, err
	}
	if err := durable.MkdirAll(dir, dirPerm); err != nil {
		return nil, fmt.Errorf("opening archive: %w", err)
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return &Assembler{
		dir: dir, log: o.Log, metrics: newMetrics(o.Registerer), step: func(string) error { return nil },
	}, nil
}

// Dir returns the archive's directory.
func (a *Assembler) Dir() string { return a.dir }

// Path returns the folder of a recording, there or not.
func (a *Assembler) Path(recording string) string { return filepath.Join(a.dir, recording) }

// There reports whether a recording's folder is published, or may be: where
// nobody can look, it may.
func (a *Assembler) There(recording string) bool {
	_, err := os.Lstat(a.Path(recording))
	return !errors.Is(err, fs.ErrNotExist)
}

// Sweep removes what a run that panicked has left under the hidden name. What
// is published stays. It is not for a recording that is being assembled.
func (a *Assembler) Sweep(recording string) error {
	if !validID(recording) {
		return nil // no run of it came as far as a folder
	}
	return durable.RemoveAll(a.hiddenPath(recording))
}

func (a *Assembler) hiddenPath(recording string) string {
	return filepath.Join(a.dir, "."+recording+".part")
}

// Backlog says how many bytes of sealed recordings wait to be archived.
func (a *Assembler) Backlog(bytes int64) { a.metrics.backlog.Set(float64(bytes)) }

// An assembly is one run of one job.
type assembly struct {
	*Assembler

	job    *Job
	survey *survey
	hidden string // the folder in the making
	final  string
	people *roster.History
	films  map[string]mp4.Stats // of the tracks of video that can be shown
	// mistimed counts the frames of video whose time was not believed.
	mistimed uint64
	mix      *Mix                      // nil: there is none
	meters   map[string]*quality.Meter // of the tracks of audio
}

// Assemble makes, checks and publishes a recording's folder. If the folder is
// there and sound, that is the result. If we crash anywhere, the next run with
// the same job finds either the published folder, or a hidden one that it
// removes; the spool's records must be kept until Assemble has returned nil.
func (a *Assembler) Assemble(ctx context.Context, j Job) (Result, error) {
	begun, outcome := time.Now(), outcomeFailed
	defer func() { // also where it panics
		a.metrics.seconds.WithLabelValues(outcome).Observe(time.Since(begun).Seconds())
	}()
	res, came, err := a.assemble(ctx, &j)
	outcome = came
	if err == nil && came == outcomePublished {
		for _, flag := range res.Flags {
			a.metrics.flags.WithLabelValues(flag).Inc()
		}
	}
	if err != nil {
		return Result{}, fmt.Errorf("archiving recording %.140q: %w", j.Recording, err)
	}
	a.log.Info("recording archived", zap.String("recording", j.Recording), zap.String("outcome", outcome),
		zap.Int64("samples", res.Samples), zap.Int64("gapSamples", res.GapSamples), zap.Int64("bytes", res.Bytes))
	return res, nil
}

func (a *Assembler) assemble(ctx context.Context, j *Job) (Result, string, error) {
	if err := j.check(); err != nil {
		return Result{}, outcomeFailed, err
	}
	if _, there := a.busy.LoadOrStore(j.Recording, nil); there {
		return Result{}, outcomeFailed, ErrBusy
	}
	defer a.busy.Delete(j.Recording)
	run := &assembly{
		Assembler: a, job: j, final: a.Path(j.Recording), hidden: a.hiddenPath(j.Recording),
	}
	res, found, err := run.published(ctx)
	if found || err != nil {
		return res, outcomeOf(outcomeAlready, err), err
	}
	if res, err = run.make(ctx); err != nil {
		// Give the space back; a crash here leaves the hidden folder to the next run.
		err = errors.Join(err, durable.RemoveAll(run.hidden))
	}
	return res, outcomeOf(outcomePublished, err), err
}

// published looks for a folder from an earlier run.
func (a *assembly) published(ctx context.Context) (Result, bool, error) {
	info, err := os.Lstat(a.final)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Result{}, false, nil
	case err != nil:
		return Result{}, true, fmt.Errorf("looking for what is published: %w", err)
	case !info.IsDir():
		return Result{}, true, fmt.Errorf("%w: %s is no folder", ErrDamaged, a.final)
	}
	m, sum, findings := readFolder(ctx, a.final, true)
	if err := ctx.Err(); err != nil {
		return Result{}, true, fmt.Errorf("checking what is published: %w", err)
	}
	if err := unreadable(findings); err != nil {
		// A disk that does not answer may answer again: nothing is known of the folder.
		return Result{}, true, fmt.Errorf("checking what is published: %w", err)
	}
	if err := integrity(findings); err != nil {
		return Result{}, true, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if m.Recording != a.job.Recording || m.Call != a.job.Facts.Call {
		return Result{}, true, fmt.Errorf("%w: it is recording %q of call %q", ErrDamaged, m.Recording, m.Call)
	}
	// We may have crashed between the rename and the directory's fsync.
	if err := durable.SyncDir(a.dir); err != nil {
		return Result{}, true, err
	}
	return a.result(m, sum), true, nil
}

// make builds the folder. The names of the steps are what tests crash at.
func (a *assembly) make(ctx context.Context) (Result, error) {
	var m *Manifest
	var sum string
	steps := []struct {
		name string
		do   func() error
	}{
		{"sweep", func() error { return durable.RemoveAll(a.hidden) }},
		{"survey", func() (err error) {
			a.people = historyOf(a.job.Events)
			a.survey, err = takeSurvey(ctx, a.job)
			return err
		}},
		{"folder", func() error { return durable.MkdirAll(a.hidden, dirPerm) }},
		{"preview", func() error { return a.preview(ctx) }},
		{"tracks", func() error { return a.pass(ctx, a.openSink) }},
		{"mix", func() error { return a.makeMix(ctx) }},
		{"events", func() error { return a.writeEvents(ctx) }},
		{"readBack", func() error { return errors.Join(a.pass(ctx, a.openComparer), a.readMix(ctx)) }},
		{"manifest", func() (err error) { m, sum, err = a.writeManifest(ctx); return err }},
		// The commit point is the rename in here.
		{"publish", func() error { return durable.Publish(a.hidden, a.final) }},
		{"check", func() error {
			_, got, findings := readFolder(ctx, a.final, false)
			if err := ctx.Err(); err != nil {
				return err // the next run finds the folder published
			}
			if err := integrity(findings); err != nil {
				return fmt.Errorf("%w: after publishing: %w", ErrReadBack, err)
			}
			if got != sum {
				return fmt.Errorf("%w: after publishing, the manifest's hash is %s, not %s", ErrReadBack, got, sum)
			}
			return nil
		}},
		{"done", func() error { return nil }},
	}
	for _, s := range steps {
		if err := a.step(s.name); err != nil {
			return Result{}, err
		}
		if err := s.do(); err != nil {
			return Result{}, err
		}
	}
	return a.result(m, sum), nil
}

// preview looks at the video before it is written, where there is any.
func (a *assembly) preview(ctx context.Context) error {
	if !slices.ContainsFunc(a.survey.summary.Tracks, func(t timeline.Track) bool { return !t.Kind.Audio() }) {
		return nil
	}
	return a.pass(ctx, a.openPreview)
}

// pass goes over all tracks, some at a time.
func (a *assembly) pass(ctx context.Context, open func(*timeline.Track) (sink, error)) error {
	n := len(a.survey.summary.Tracks)
	for from := 0; from < n; from += openTracks {
		if err := pour(ctx, a.job, a.survey, from, min(from+openTracks, n), open); err != nil {
			return err
		}
	}
	return nil
}

// writeManifest hashes the files as they are read back from the disk and writes
// the manifest over them.
func (a *assembly) writeManifest(ctx context.Context) (*Manifest, string, error) {
	m := a.manifest()
	names := []string{EventsName}
	for i := range m.Tracks {
		names = append(names, m.Tracks[i].File)
		if rest := m.Tracks[i].UndecodableFile; rest != "" {
			names = append(names, rest)
		}
	}
	if m.Mix = a.mix; m.Mix != nil {
		names = append(names, MixName)
	}
	for _, name := range names {
		f, err := hashFile(ctx, filepath.Join(a.hidden, name))
		if err != nil {
			return nil, "", err
		}
		m.Files = append(m.Files, f)
	}
	b, err := m.encode()
	if err != nil { // too long, for one: the next run would say the same
		return nil, "", fmt.Errorf("%w: %w", ErrJob, err)
	}
	if _, err := ReadManifest(b); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrJob, err)
	}
	if err := durable.WriteFile(filepath.Join(a.hidden, ManifestName), b, filePerm); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(b)
	return m, hex.EncodeToString(sum[:]), nil
}

func (a *assembly) result(m *Manifest, sum string) Result {
	r := Result{
		Path: a.final, ManifestSHA256: sum, Samples: m.Samples, GapSamples: m.missing(),
		StartedAt: m.StartedAt, EndedAt: m.EndedAt, Tracks: m.Tracks, Flags: m.Flags,
	}
	for _, f := range m.Files {
		r.Bytes += f.Size
	}
	return r
}

// hashFile reads a file once, or until ctx ends.
func hashFile(ctx context.Context, path string) (File, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the caller names the folder
	if err != nil {
		return File{}, fmt.Errorf("hashing: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	h := sha256.New()
	n, err := io.Copy(h, heeding{ctx, f})
	if err != nil {
		return File{}, fmt.Errorf("hashing: %w", err)
	}
	return File{Name: filepath.Base(path), Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}
