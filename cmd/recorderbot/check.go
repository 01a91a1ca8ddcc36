package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

type checkCommand struct {
	Config string `default:"recorderbot.yaml" help:"Configuration file."`
}

// Run reads back what is on disk and says all that breaks a law. It writes
// nothing, and may run beside a live service: what is under way is no finding.
func (cmd checkCommand) Run(c *console) error {
	cfg, err := loadConfig(cmd.Config, c.environ)
	if err != nil {
		return err
	}
	var found []error
	report, err := spool.Check(cfg.path(cfg.Spool.Dir))
	if err != nil {
		return fmt.Errorf("check the spool: %w", err)
	}
	for _, f := range report.Findings {
		found = append(found, fmt.Errorf("spool: %w", &spool.FindingError{Finding: f}))
	}
	fmt.Fprintf(c.out, "spool: %d commits, %d frames, %d recordings not yet released\n", report.Commits, report.Frames, report.Sealed+report.Unsealed)
	err = withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, _ *Config) error {
		calls, recordings, faults, catErr := checkCatalogue(c.ctx, cat)
		found = append(found, faults...)
		fmt.Fprintf(c.out, "catalogue: %d calls, %d archived recordings\n", calls, recordings)
		return catErr
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
	for _, r := range all {
		_, findings := archive.CheckFolder(r.Path)
		for _, f := range findings {
			faults = append(faults, fmt.Errorf("archive: %s: %w", filepath.Base(r.Path), f))
		}
	}
	return len(ids), len(all), faults, nil
}

// The findings of a journal.
var (
	errSaidUnasked   = errors.New("law 5: an announcement's outcome without its intention")
	errPermitUnbased = errors.New("law 1: a permit without a completed recording announcement")
	errEndUnsealed   = errors.New("law 2: notRecording was announced before the seal")
	errReopened      = errors.New("law 1: a recording was opened without a permit")
	errManyOutcomes  = errors.New("law 4: more than one outcome")
)

// checkJournal proves the order from one call's journal alone.
func checkJournal(journal []catalogue.JournalEntry) (faults []error) {
	intended, completed := map[string]string{}, map[string]bool{}
	permitted, open, outcomes := false, false, 0
	for _, e := range journal {
		var d struct{ Status, ClientContext, Progress string }
		if err := json.Unmarshal(e.Data, &d); err != nil {
			d.Status = "" // entries of other shapes
		}
		switch recorder.EntryKind(e.Kind) {
		case recorder.EntryAnnounce:
			intended[d.ClientContext] = d.Status
			if d.Status == recorder.StatusNotRecording.String() && open {
				faults = append(faults, fmt.Errorf("%w (entry %d)", errEndUnsealed, e.Seq))
			}
		case recorder.EntryAnnounced:
			if _, ok := intended[d.ClientContext]; !ok && d.Status != "" {
				faults = append(faults, fmt.Errorf("%w (entry %d)", errSaidUnasked, e.Seq))
			}
			if d.Progress == recorder.Completed.String() {
				completed[d.ClientContext] = true
			}
		case recorder.EntryPermit:
			if !completed[d.ClientContext] || intended[d.ClientContext] != recorder.StatusRecording.String() {
				faults = append(faults, fmt.Errorf("%w (entry %d)", errPermitUnbased, e.Seq))
			}
			permitted = true
		case recorder.EntryOpened:
			if !permitted {
				faults = append(faults, fmt.Errorf("%w (entry %d)", errReopened, e.Seq))
			}
			permitted, open = false, true
		case recorder.EntrySealed:
			open = false
		case recorder.EntryOutcome:
			if outcomes++; outcomes > 1 {
				faults = append(faults, fmt.Errorf("%w (entry %d)", errManyOutcomes, e.Seq))
			}
		case recorder.EntryInvite, recorder.EntrySession, recorder.EntryAnswer, recorder.EntryReject, recorder.EntryEstablished,
			recorder.EntryKeepAlive, recorder.EntryHangUp, recorder.EntryRoster, recorder.EntryNotification, recorder.EntryMedia,
			recorder.EntryFault, recorder.EntryState:
			// The order does not rest on these.
		}
	}
	return faults
}
