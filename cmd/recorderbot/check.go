package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	p := &proof{out: c.out, spoolDir: cfg.path(cfg.Spool.Dir)}
	if p.archiveDir, err = cfg.archiveDir(); err != nil {
		return err
	}
	cat, err := catalogue.Open(c.ctx, cfg.Catalogue.URL, filepath.Dir(cfg.file), catalogue.Options{ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) && hollow(p.spoolDir) && hollow(p.archiveDir) {
		return errors.New("nothing to check yet: spool, catalogue and archive are made by the first \"recorderbot serve\"")
	}
	p.checkSpool()
	if err == nil {
		err = p.checkCatalogue(c.ctx, cat)
		_ = cat.Close(context.WithoutCancel(c.ctx)) // it was only read
	}
	if err != nil {
		p.found = append(p.found, fmt.Errorf("catalogue: %w: %w", errStore, err))
	}
	p.checkFolders()
	p.checkWaiting()
	if err = c.ctx.Err(); err != nil {
		return err // what was found means nothing
	}
	for _, f := range p.found {
		fmt.Fprintln(c.out, "VIOLATION", f)
	}
	if len(p.found) > 0 {
		return fmt.Errorf("%d violations", len(p.found))
	}
	_, err = fmt.Fprintln(c.out, "no violation")
	return err
}

// A proof goes through the stores, one after the other. A store that is missing or
// can't be read is a finding and hides none of the others'.
type proof struct {
	out                  io.Writer
	spoolDir, archiveDir string
	found                []error
	// spooled is nil where nobody could look: a live service has it, or it is
	// unreadable.
	spooled *spool.Report
	// recordings are the catalogue's, each with its folder in this archive.
	recordings []catalogue.Recording
	catalogued bool // recordings could be read
}

// The findings of the stores, and of recordings between them.
var (
	errStore         = errors.New("law 6: it is missing or can't be read, and proves nothing")
	errRecordingLost = errors.New("law 4: neither in the spool nor in the archive")
	errGivenUp       = errors.New("law 4: not archived, and given up")
	errSealLost      = errors.New("law 2: the seal that the catalogue was told of is neither in the spool nor in the archive")
)

// hollow reports whether a store's folder has nothing in it yet: it is not there,
// or somebody has made it for us.
func hollow(dir string) bool {
	entries, err := os.ReadDir(dir)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !slices.ContainsFunc(entries, ours)
}

// ours reports whether an entry of a store's folder may be one of ours: not the
// filesystem's own, and nothing hidden.
func ours(e fs.DirEntry) bool { return e.Name() != "lost+found" && !strings.HasPrefix(e.Name(), ".") }

func (p *proof) checkSpool() {
	report, err := spool.Check(p.spoolDir)
	switch {
	case errors.Is(err, durable.ErrLocked):
		fmt.Fprintln(p.out, "spool: in use by a running recorderbot, and not checked; stop it, or check a copy")
		return
	case err != nil:
		p.found = append(p.found, fmt.Errorf("spool: %w: %w", errStore, err))
		if hollow(p.spoolDir) || errors.Is(err, spool.ErrNoLog) {
			p.spooled = &spool.Report{} // what is not there holds nothing
		}
		return
	}
	p.spooled = &report
	for _, f := range report.Findings {
		p.found = append(p.found, fmt.Errorf("spool: %w", &spool.FindingError{Finding: f}))
	}
	fmt.Fprintf(p.out, "spool: %d commits, %d frames, %d recordings not yet released\n", report.Commits, report.Frames, len(report.Recordings))
}

// checkCatalogue checks every call's journal and outcome.
func (p *proof) checkCatalogue(ctx context.Context, cat *catalogue.Catalogue) error {
	all, err := cat.Recordings(ctx, catalogue.Filter{Limit: 1 << 30})
	if err != nil {
		return err
	}
	archived := 0
	for i, r := range all {
		all[i].Path = folderOf(p.archiveDir, r)
		if r.State == catalogue.StateArchived {
			archived++
		}
	}
	p.recordings, p.catalogued = all, true
	ids, err := cat.Calls(ctx)
	if err != nil {
		return err
	}
	sealedAt := seals(all)
	for _, id := range ids {
		journal, end, err := lookUp(ctx, cat, id)
		if err != nil {
			return err
		}
		faults := append(checkJournal(journal, sealedAt), checkOutcome(journal, end)...)
		if _, err = cat.Call(ctx, id); errors.Is(err, catalogue.ErrUnknown) {
			faults = append(faults, errCallGone)
		}
		for _, f := range faults {
			p.found = append(p.found, fmt.Errorf("call %s: %w", id, f))
		}
	}
	fmt.Fprintf(p.out, "catalogue: %d calls, %d archived recordings\n", len(ids), archived)
	return nil
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

// checkWaiting holds the recordings that are not archived against the spool: it
// has each that was begun, and each seal that the catalogue knows of. What archiving
// has given up is told, too: nobody tries again.
func (p *proof) checkWaiting() {
	kept := make(map[string]spool.Held)
	if p.spooled != nil {
		for _, h := range p.spooled.Recordings {
			kept[h.ID] = h
		}
	}
	for _, r := range p.recordings {
		var fault error
		held, ok := kept[r.ID]
		switch {
		case r.State == catalogue.StateFailed:
			fault = fmt.Errorf("%w: %s", errGivenUp, r.Detail)
		case r.State == catalogue.StateArchived, p.spooled == nil: // checkFolders asks for its folder; nobody knows
		case published(p.archiveDir, r.ID): // and not entered yet
		case !ok:
			fault = fmt.Errorf("%w: the catalogue has it as %s", errRecordingLost, r.State)
		case !r.SealedAt.IsZero() && held.SealedAt.IsZero():
			fault = errSealLost
		}
		if fault != nil {
			p.found = append(p.found, fmt.Errorf("recording %s of call %s: %w", r.ID, r.Call, fault))
		}
	}
}

// published reports whether the archive has the folder of a recording.
func published(dir, recording string) bool {
	_, err := os.Lstat(archive.Folder(dir, recording))
	return err == nil
}
