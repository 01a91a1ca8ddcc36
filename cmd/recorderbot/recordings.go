package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

type recordingsCommand struct {
	List   recordingsList   `cmd:"" help:"List recordings, newest call first."`
	Show   recordingsShow   `cmd:"" help:"Show one recording: its call, its order, its files."`
	Export recordingsExport `cmd:"" help:"Write a track of a recording as WAV."`
}

// withCatalogue opens the catalogue of a configuration for reading, beside a
// running service.
func withCatalogue(c *console, config string, f func(cat *catalogue.Catalogue, archiveDir string) error) error {
	cfg, err := loadConfig(config, c.environ)
	if err != nil {
		return err
	}
	dir, err := cfg.archiveDir()
	if err != nil {
		return err
	}
	cat, err := catalogue.Open(c.ctx, cfg.Catalogue.URL, filepath.Dir(cfg.file), catalogue.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = cat.Close(context.WithoutCancel(c.ctx)) }()
	return f(cat, dir)
}

// archiveDir is where the configuration's archive is.
func (c *Config) archiveDir() (string, error) {
	return archive.Directory(c.Archive.URL, filepath.Dir(c.file))
}

// folderOf is a recording's folder in an archive, wherever it was when it was
// published: a copied state is read as the copy. Empty: it has none.
func folderOf(archiveDir string, r catalogue.Recording) string {
	if r.Path == "" {
		return ""
	}
	return archive.Folder(archiveDir, r.Path)
}

type recordingsList struct {
	Config  string        `default:"recorderbot.yaml" help:"Configuration file."`
	Call    string        `help:"Only of this call."`
	User    string        `help:"Only of this observed user (object ID)."`
	Tenant  string        `help:"Only of this tenant."`
	Outcome string        `help:"Only with this outcome (recorded, recordedWithGaps, notRecorded, failed)."`
	Since   time.Duration `help:"Only of calls of the last such time, as 24h."`
	Limit   int           `default:"100" help:"How many at most."`
	JSON    bool          `help:"Write JSON lines."`
}

// Run lists recordings.
func (cmd recordingsList) Run(c *console) error {
	if cmd.Outcome != "" {
		if _, ok := recorder.ParseOutcome(cmd.Outcome); !ok {
			return fmt.Errorf("--outcome %q is not known; it is one of recorded, recordedWithGaps, notRecorded, failed, rejected", cmd.Outcome)
		}
	}
	filter := catalogue.Filter{
		Call: recorder.CallID(cmd.Call), ObservedUser: cmd.User, Tenant: cmd.Tenant, Outcome: cmd.Outcome, Limit: cmd.Limit,
	}
	if cmd.Since > 0 {
		filter.Since = time.Now().Add(-cmd.Since)
	}
	return withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, archiveDir string) error {
		all, err := cat.Recordings(c.ctx, filter)
		if err != nil {
			return err
		}
		for i, r := range all {
			all[i].Path = folderOf(archiveDir, r)
		}
		if cmd.JSON {
			return writeJSONLines(c.out, all)
		}
		w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "RECORDING\tSTARTED\tLENGTH\tGAPS\tOUTCOME\tSTATE\tUSER\tCALL")
		for _, r := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, clockTime(r.StartedAt), length(r.Samples+gapsBeyond(r)), length(r.GapSamples),
				r.Outcome, r.State, r.ObservedUser, r.Call)
		}
		return w.Flush()
	})
}

// gapsBeyond is what the gaps add to the stored samples while a recording is
// not archived: then its samples are those stored, and later all of them.
func gapsBeyond(r catalogue.Recording) int64 {
	if r.State == catalogue.StateArchived {
		return 0
	}
	return r.GapSamples
}

func writeJSONLines[T any](out io.Writer, all []T) error {
	e := json.NewEncoder(out)
	for _, v := range all {
		if err := e.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

func clockTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func length(samples int64) string {
	return (time.Duration(samples) * time.Second / frame.SampleRate).Round(time.Millisecond).String()
}

type recordingsShow struct {
	Config    string `default:"recorderbot.yaml" help:"Configuration file."`
	Recording string `arg:"" help:"The recording's ID."`
	Journal   bool   `help:"Show the call's whole journal too."`
}

// Run shows one recording.
func (cmd recordingsShow) Run(c *console) error {
	return withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, archiveDir string) error {
		r, err := cat.Recording(c.ctx, cmd.Recording)
		if err != nil {
			return err
		}
		call, err := cat.Call(c.ctx, r.Call)
		if err != nil {
			return err
		}
		journal, err := cat.Journal(c.ctx, r.Call)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
		for _, row := range [][2]string{
			{"recording", r.ID},
			{"state", string(r.State)},
			{"path", folderOf(archiveDir, r)},
			{"manifest", r.ManifestSHA256},
			{"started", clockTime(r.StartedAt)},
			{"length", length(r.Samples + gapsBeyond(r))},
			{"gaps", length(r.GapSamples)},
			{"discarded frames", fmt.Sprint(r.Discarded)},
			{"call", string(r.Call)},
			{"call chain", call.Invite.CallChain},
			{"tenant", r.Tenant},
			{"observed user", r.ObservedUser},
			{"observed participant", call.Invite.ObservedParticipant},
			{"policy", r.Policy},
			{"direction", r.Direction},
			{"outcome", r.Outcome},
			{"cause", string(r.Cause)},
		} {
			if row[1] != "" {
				fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
			}
		}
		fmt.Fprintln(w, "\norder\t")
		for _, e := range journal {
			if cmd.Journal || orderKind(recorder.EntryKind(e.Kind)) {
				fmt.Fprintf(w, "%s\t%s\t%s\n", clockTime(e.At), e.Kind, brief(e.Data, cmd.Journal))
			}
		}
		return w.Flush()
	})
}

// orderKind says whether an entry belongs to the order.
func orderKind(k recorder.EntryKind) bool {
	switch k {
	case recorder.EntryInvite, recorder.EntryAnswer, recorder.EntryReject, recorder.EntryAnnounce, recorder.EntryAnnounced,
		recorder.EntryPermit, recorder.EntryOpened, recorder.EntrySealed, recorder.EntryHangUp, recorder.EntryOutcome:
		return true
	case recorder.EntrySession, recorder.EntryEstablished, recorder.EntryKeepAlive, recorder.EntryRoster, recorder.EntryNotification,
		recorder.EntryMedia, recorder.EntryFault, recorder.EntryState:
	}
	return false
}

// brief shortens an entry's data to the members that tell the order.
func brief(data json.RawMessage, whole bool) string {
	if whole {
		return string(data)
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(data, &m) != nil {
		return ""
	}
	var s strings.Builder
	for _, k := range []string{"status", "progress", "clientContext", "operation", "recording", "frames", "lastSeq", "outcome", "cause", "fault"} {
		if v := string(m[k]); v != "" && v != `""` {
			s.WriteString(k + "=" + v + " ")
		}
	}
	return s.String()
}

type recordingsExport struct {
	Config    string `default:"recorderbot.yaml" help:"Configuration file."`
	Recording string `arg:"" help:"The recording's ID."`
	Track     string `default:"audio-mixed" help:"The track's ID in the manifest."`
	Out       string `required:"" help:"The WAV file to write; it must not exist."`
}

// Run writes a track as WAV.
func (cmd recordingsExport) Run(c *console) error {
	return withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, archiveDir string) error {
		r, err := cat.Recording(c.ctx, cmd.Recording)
		if err != nil {
			return err
		}
		if r.State != catalogue.StateArchived {
			return fmt.Errorf("recording %s is %s, not archived; try again when its call is over", r.ID, r.State)
		}
		err = archive.ExportWAV(c.ctx, folderOf(archiveDir, r), r.ManifestSHA256, cmd.Track, cmd.Out)
		switch {
		case errors.Is(err, fs.ErrExist):
			return fmt.Errorf("--out %s is there already; name another file, or remove it", cmd.Out)
		case errors.Is(err, archive.ErrChanged):
			return fmt.Errorf("recording %s is not exported; recorderbot check says all that is wrong with it: %w", r.ID, err)
		case err != nil:
			return err
		}
		_, err = fmt.Fprintln(c.out, cmd.Out)
		return err
	})
}
