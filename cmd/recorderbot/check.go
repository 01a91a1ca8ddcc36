package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

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
	err = withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, archiveDir string) error {
		calls, recordings, faults, fault := checkCatalogue(c.ctx, cat, archiveDir)
		found = append(found, faults...)
		fmt.Fprintf(c.out, "catalogue: %d calls, %d archived recordings\n", calls, recordings)
		if fault != nil || live {
			return fault
		}
		faults, fault = checkWaiting(c.ctx, cat, report)
		found = append(found, faults...)
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

// checkWaiting holds the recordings that are not archived against the spool: it
// has those with frames, and each seal that the catalogue knows of.
func checkWaiting(ctx context.Context, cat *catalogue.Catalogue, spooled spool.Report) (faults []error, err error) {
	all, err := cat.Recordings(ctx, catalogue.Filter{Limit: 1 << 30})
	waiting, sealed := 0, 0
	for _, r := range all {
		if r.State == catalogue.StateArchived {
			continue
		}
		if r.Frames > 0 {
			waiting++
		}
		if !r.SealedAt.IsZero() {
			sealed++
		}
	}
	if kept := spooled.Sealed + spooled.Unsealed; waiting > kept {
		faults = append(faults, fmt.Errorf("%w: %d wait for the archive, and the spool has %d", errRecordingLost, waiting, kept))
	}
	if sealed > spooled.Sealed {
		faults = append(faults, fmt.Errorf("%w: %d wait for the archive, and the spool has %d", errSealLost, sealed, spooled.Sealed))
	}
	return faults, err
}

// checkCatalogue checks every call's journal and every folder of the archive that
// it names.
func checkCatalogue(ctx context.Context, cat *catalogue.Catalogue, archiveDir string) (calls, recordings int, faults []error, err error) {
	ids, err := cat.Calls(ctx)
	if err != nil {
		return 0, 0, nil, err
	}
	all, err := cat.Recordings(ctx, catalogue.Filter{Limit: 1 << 30})
	if err != nil {
		return 0, 0, nil, err
	}
	for i, r := range all {
		all[i].Path = folderOf(archiveDir, r)
	}
	sealedAt := seals(all)
	for _, id := range ids {
		var journal []catalogue.JournalEntry
		if journal, err = cat.Journal(ctx, id); err != nil {
			return 0, 0, nil, err
		}
		for _, f := range checkJournal(journal, sealedAt) {
			faults = append(faults, fmt.Errorf("call %s: %w", id, f))
		}
	}
	archived := slices.DeleteFunc(all, func(r catalogue.Recording) bool { return r.State != catalogue.StateArchived })
	for _, f := range checkArchive(archived) {
		faults = append(faults, fmt.Errorf("archive: %w", f))
	}
	return len(ids), len(archived), faults, nil
}

// seals tells when a recording was sealed: of an archived one, what its manifest
// has from the spool; of one that waits, what the catalogue was told with the
// call's end, for which checkWaiting asks the spool. The seal of a later process
// proves nothing of what this one announced.
func seals(all []catalogue.Recording) func(recording string) time.Time {
	known := make(map[string]catalogue.Recording, len(all))
	for _, r := range all {
		known[r.ID] = r
	}
	return func(recording string) time.Time {
		r := known[recording]
		if r.State != catalogue.StateArchived {
			return r.SealedAt
		}
		data, err := os.ReadFile(filepath.Join(r.Path, archive.ManifestName))
		if err != nil {
			return time.Time{} // checkArchive says so
		}
		m, err := archive.ReadManifest(data)
		if err != nil || m.Seal.Recovered {
			return time.Time{}
		}
		return m.Seal.At
	}
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
	errSealLost        = errors.New("law 2: seals that the catalogue was told of are neither in the spool nor in the archive")
	errManifestChanged = errors.New("law 6: the manifest is not the one that was entered in the catalogue")
	errChainBroken     = errors.New("law 6: the manifest before is missing")
	errChainForked     = errors.New("law 6: two manifests name the same one before")
)
