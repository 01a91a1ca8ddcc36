package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
)

// The findings of the archive as a whole.
var (
	errManifestChanged = errors.New("law 6: the manifest is not the one that was entered in the catalogue")
	errChainBroken     = errors.New("law 6: the manifest before is missing")
	errChainForked     = errors.New("law 6: two manifests name the same one before")
	errManifestOutcome = errors.New("law 4: the manifest's outcome is not the catalogue's")
)

// checkFolders checks the folders that the catalogue names. Where nobody knows
// what it names, each folder that is there must be sound, and all be one chain.
func (p *proof) checkFolders() {
	entries, err := os.ReadDir(p.archiveDir)
	if err != nil {
		p.found = append(p.found, fmt.Errorf("archive: %w: %w", errStore, err))
		return
	}
	archived := slices.DeleteFunc(slices.Clone(p.recordings), func(r catalogue.Recording) bool { return r.State != catalogue.StateArchived })
	if !p.catalogued {
		for _, e := range entries {
			if ours(e) {
				archived = append(archived, asFound(filepath.Join(p.archiveDir, e.Name())))
			}
		}
		fmt.Fprintf(p.out, "archive: %d folders, checked without the catalogue\n", len(archived))
	}
	for _, f := range checkArchive(archived) {
		p.found = append(p.found, fmt.Errorf("archive: %w", f))
	}
}

// asFound makes of a folder what the catalogue would have of it.
func asFound(path string) catalogue.Recording {
	r := catalogue.Recording{Path: path}
	data, err := os.ReadFile(filepath.Join(path, archive.ManifestName)) //nolint:gosec // G304: in the operator's archive
	if err != nil {
		return r // checkArchive says so
	}
	r.ManifestSHA256 = fmt.Sprintf("%x", sha256.Sum256(data))
	if m, err := archive.ReadManifest(data); err == nil {
		r.ID, r.Outcome, r.Cause = m.Recording, m.Outcome, m.Cause
	}
	return r
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
		data, err := os.ReadFile(filepath.Join(r.Path, archive.ManifestName))
		if sum := fmt.Sprintf("%x", sha256.Sum256(data)); err != nil || sum != r.ManifestSHA256 {
			faults = append(faults, fmt.Errorf("%s: %w", name, errManifestChanged))
		}
		// What was archived while its call went on tells its own outcome.
		if manifest.Cause != archive.CauseContinues && (manifest.Outcome != r.Outcome || manifest.Cause != r.Cause) {
			faults = append(faults, fmt.Errorf("%s: %w: %q (%s), not %q (%s)", name, errManifestOutcome, manifest.Outcome, manifest.Cause, r.Outcome, r.Cause))
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
