package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/spool"
)

type checkCommand struct {
	Config string `default:"recorderbot.yaml" help:"Configuration file."`
}

// Run reads back what is on disk and says all that breaks a law. It writes
// nothing. Beside a live service the spool is left out, and it says so.
func (cmd checkCommand) Run(c *console) error {
	cfg, err := loadConfig(cmd.Config, c.environ)
	if err != nil {
		return err
	}
	var found []error
	report, err := spool.Check(cfg.path(cfg.Spool.Dir))
	live := errors.Is(err, durable.ErrLocked)
	switch {
	case live:
		fmt.Fprintln(c.out, "spool: in use by a running recorderbot, and not checked; stop it, or check a copy")
	case err != nil:
		return fmt.Errorf("check the spool: %w", err)
	default:
		for _, f := range report.Findings {
			found = append(found, fmt.Errorf("spool: %w", &spool.FindingError{Finding: f}))
		}
		fmt.Fprintf(c.out, "spool: %d commits, %d frames, %d recordings not yet released\n", report.Commits, report.Frames, report.Sealed+report.Unsealed)
	}
	err = withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, _ *Config) error {
		calls, recordings, faults, fault := checkCatalogue(c.ctx, cat)
		found = append(found, faults...)
		fmt.Fprintf(c.out, "catalogue: %d calls, %d archived recordings\n", calls, recordings)
		if fault != nil || live {
			return fault
		}
		waiting, fault := waitingRecordings(c.ctx, cat)
		if kept := report.Sealed + report.Unsealed; fault == nil && waiting > kept {
			found = append(found, fmt.Errorf("%w: %d wait for the archive, and the spool has %d", errRecordingLost, waiting, kept))
		}
		return fault
	})
	if err != nil {
		return err
	}
	for _, f := range found {
		fmt.Fprintln(c.out, "VIOLATION", f)
	}
	if len(found) > 0 {
		return fmt.Errorf("%d violations", len(found))
	}
	_, err = fmt.Fprintln(c.out, "no violation")
	return err
}

// waitingRecordings counts the recordings with frames that are not archived.
func waitingRecordings(ctx context.Context, cat *catalogue.Catalogue) (n int, err error) {
	all, err := cat.Recordings(ctx, catalogue.Filter{Limit: 1 << 30})
	for _, r := range all {
		if r.State != catalogue.StateArchived && r.Frames > 0 {
			n++
		}
	}
	return n, err
}

// checkCatalogue checks every call's journal and every archived folder.
func checkCatalogue(ctx context.Context, cat *catalogue.Catalogue) (calls, recordings int, faults []error, err error) {
	ids, err := cat.Calls(ctx)
	if err != nil {
		return 0, 0, nil, err
	}
	for _, id := range ids {
		var journal []catalogue.JournalEntry
		if journal, err = cat.Journal(ctx, id); err != nil {
			return 0, 0, nil, err
		}
		for _, f := range checkJournal(journal) {
			faults = append(faults, fmt.Errorf("call %s: %w", id, f))
		}
	}
	all, err := cat.Recordings(ctx, catalogue.Filter{State: catalogue.StateArchived, Limit: 1 << 30})
	if err != nil {
		return 0, 0, nil, err
	}
	for _, f := range checkArchive(all) {
		faults = append(faults, fmt.Errorf("archive: %w", f))
	}
	return len(ids), len(all), faults, nil
}

// checkArchive checks each folder, that it is the one that was entered, and
// that the manifests are one chain: each names the one before it, and only one
// names none.
func checkArchive(all []catalogue.Recording) (faults []error) {
	sums := map[string]bool{}
	for _, r := range all {
		sums[r.ManifestSHA256] = true
	}
	named := map[string]string{}
	for _, r := range all {
		name := filepath.Base(r.Path)
		manifest, findings := archive.CheckFolder(r.Path)
		for _, f := range findings {
			faults = append(faults, fmt.Errorf("%s: %w", name, f))
		}
		if manifest == nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(r.Path, "manifest.json"))
		if sum := fmt.Sprintf("%x", sha256.Sum256(data)); err != nil || sum != r.ManifestSHA256 {
			faults = append(faults, fmt.Errorf("%s: %w", name, errManifestChanged))
		}
		if manifest.Previous != "" && !sums[manifest.Previous] {
			faults = append(faults, fmt.Errorf("%s: %w: %s", name, errChainBroken, manifest.Previous))
		}
		if other, twice := named[manifest.Previous]; twice {
			faults = append(faults, fmt.Errorf("%s: %w: %s names the same", name, errChainForked, other))
		}
		named[manifest.Previous] = name
	}
	return faults
}

// The findings of the archive as a whole.
var (
	errRecordingLost   = errors.New("law 4: recordings are neither in the spool nor in the archive")
	errManifestChanged = errors.New("law 6: the manifest is not the one that was entered in the catalogue")
	errChainBroken     = errors.New("law 6: the manifest before is missing")
	errChainForked     = errors.New("law 6: two manifests name the same one before")
)
