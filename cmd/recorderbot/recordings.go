package main

import (
	"cmp"
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
	"unicode"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

type recordingsCommand struct {
	List   recordingsList   `cmd:"" help:"List what came of each invite, newest call first: its recordings, or why there is none."`
	Show   recordingsShow   `cmd:"" help:"Show a recording, or a call: its order, its outcome and cause."`
	Replay recordingsReplay `cmd:"" help:"Feed a call's journal to the machine again, and compare."`
	Export recordingsExport `cmd:"" help:"Write a track of a recording as WAV."`
	Merge  recordingsMerge  `cmd:"" help:"Write what two recordings of one conversation hold together, as of a pair of bots."`
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

// Run lists what came of invites: no invite is left out because nothing of it was
// recorded.
func (cmd recordingsList) Run(c *console) error {
	filter, err := cmd.filter(time.Now())
	if err != nil {
		return err
	}
	filter.Limit = min(filter.Limit, 1<<30) + 1 // to see whether there is more
	return withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, archiveDir string) error {
		all, err := cat.Invites(c.ctx, filter)
		if err != nil {
			return err
		}
		if len(all) > cmd.Limit {
			all = all[:cmd.Limit]
			fmt.Fprintf(c.errOut, "recorderbot: these are the newest %d, and there are more: ask with a greater --limit, or for less\n", cmd.Limit)
		}
		for i, r := range all {
			all[i].Path = folderOf(archiveDir, r)
		}
		if cmd.JSON {
			return writeJSONLines(c.out, all)
		}
		w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "RECORDING\tINVITED\tLENGTH\tGAPS\tOUTCOME\tCAUSE\tSTATE\tFLAGS\tUSER\tCALL")
		for _, r := range all {
			lasted, missing := "-", "-"
			if r.ID != "" {
				lasted, missing = lengthOf(r), length(r.GapSamples)
			}
			row := []string{r.ID, clockTime(r.InvitedAt), lasted, missing, r.Outcome, string(r.Cause), string(r.State), strings.Join(r.Flags, ","), r.ObservedUser, string(r.Call)}
			for i := range row {
				row[i] = cmp.Or(strings.Map(printable, row[i]), "-")
			}
			fmt.Fprintln(w, strings.Join(row, "\t"))
		}
		return w.Flush()
	})
}

// lengthOf is how long a recording is: by the archive, which knows how its tracks lie
// beside each other. Until it is there its samples are those stored, of all tracks.
func lengthOf(r catalogue.Recording) string {
	if r.State == catalogue.StateArchived && r.EndedAt.After(r.StartedAt) {
		return r.EndedAt.Sub(r.StartedAt).Round(time.Millisecond).String()
	}
	if r.State == catalogue.StateArchived {
		return length(r.Samples)
	}
	return length(r.Samples + r.GapSamples)
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
	whole, rest := samples/frame.SampleRate, samples%frame.SampleRate // of many tracks they are a week
	return (time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/frame.SampleRate).Round(time.Millisecond).String()
}

type recordingsShow struct {
	Config    string `default:"recorderbot.yaml" help:"Configuration file."`
	Recording string `arg:"" help:"The recording's ID, or the call's."`
	Fields    bool   `help:"Show every field of the invite too."`
	Journal   bool   `help:"Show the call's whole journal too."`
}

// Run shows one recording, or all that a call has, and what happened to the call.
func (cmd recordingsShow) Run(c *console) error {
	return withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, archiveDir string) error {
		found, err := cat.Find(c.ctx, cmd.Recording)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
		for i, r := range found {
			if r.ID != "" {
				showRecording(w, r, archiveDir)
			}
			if i+1 < len(found) && found[i+1].Call == r.Call {
				continue // the call comes after the last
			}
			if err := cmd.showCall(c.ctx, w, cat, r); err != nil {
				return err
			}
		}
		return w.Flush()
	})
}

// showRows writes what is known, each on its line: a detail may quote what a
// server said.
func showRows(w io.Writer, rows [][2]string) {
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", row[0], strings.Map(printable, row[1]))
		}
	}
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}

func showRecording(w io.Writer, r catalogue.Recording, archiveDir string) {
	showRows(w, [][2]string{
		{"recording", r.ID},
		{"state", string(r.State)},
		{"why", r.Detail},
		{"path", folderOf(archiveDir, r)},
		{"manifest", r.ManifestSHA256},
		{"started", clockTime(r.StartedAt)},
		{"length", lengthOf(r)},
		{"gaps", length(r.GapSamples)},
		{"discarded frames", fmt.Sprint(r.Discarded)},
		{"flags", strings.Join(r.Flags, ", ")},
	})
}

// showCall shows the call that r is of, and its order.
func (cmd recordingsShow) showCall(ctx context.Context, w io.Writer, cat *catalogue.Catalogue, r catalogue.Recording) error {
	call, err := cat.Call(ctx, r.Call)
	if err != nil && !errors.Is(err, catalogue.ErrUnknown) { // its row may be lost; check says so
		return err
	}
	journal, err := cat.Journal(ctx, r.Call)
	if err != nil {
		return err
	}
	showRows(w, [][2]string{
		{"call", string(r.Call)},
		{"invited", clockTime(r.InvitedAt)},
		{"call chain", call.Invite.CallChain},
		{"tenant", r.Tenant},
		{"observed user", r.ObservedUser},
		{"observed participant", call.Invite.ObservedParticipant},
		{"policy", r.Policy},
		{"direction", r.Direction},
		{"outcome", cmp.Or(r.Outcome, "none yet")},
		{"cause", string(r.Cause)},
		{"detail", r.OutcomeDetail},
	})
	call.Invite.Call.ID = r.Call // where its row is lost
	if err := cmd.showConversation(ctx, w, cat, call, journal); err != nil {
		return err
	}
	fmt.Fprintln(w, "\norder\t")
	for _, e := range journal {
		if cmd.Journal || orderKind(recorder.EntryKind(e.Kind)) {
			fmt.Fprintf(w, "%s\t%s\t%s\n", clockTime(e.At), e.Kind, brief(e.Data, cmd.Journal))
		}
	}
	return nil
}

// orderKind says whether an entry belongs to the order.
func orderKind(k recorder.EntryKind) bool {
	switch k {
	case recorder.EntryInvite, recorder.EntryAnswer, recorder.EntryReject, recorder.EntryAnnounce, recorder.EntryAnnounced,
		recorder.EntryPermit, recorder.EntryOpened, recorder.EntrySealed, recorder.EntryHangUp, recorder.EntryOutcome, recorder.EntryOperator:
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
	for _, k := range []string{"action", "status", "progress", "clientContext", "operation", "recording", "frames", "lastSeq", "outcome", "cause", "reason", "fault"} {
		if v := string(m[k]); v != "" && v != `""` {
			s.WriteString(k + "=" + v + " ")
		}
	}
	return s.String()
}

type recordingsExport struct {
	Config    string `default:"recorderbot.yaml" help:"Configuration file."`
	Recording string `arg:"" help:"The recording's ID, or that of a call with one."`
	Track     string `help:"The track's ID in the manifest, or mix. Without it: all speakers together."`
	Out       string `required:"" help:"The WAV file to write; it must not exist."`
}

// Run writes a track as WAV.
func (cmd recordingsExport) Run(c *console) error {
	return withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, archiveDir string) error {
		r, err := only(cat.Find(c.ctx, cmd.Recording))
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

// only is the one recording that was found.
func only(found []catalogue.Recording, err error) (catalogue.Recording, error) {
	switch {
	case err != nil:
		return catalogue.Recording{}, err
	case found[0].ID == "":
		return catalogue.Recording{}, fmt.Errorf("call %s has no recording; recordings show says why", found[0].Call)
	case len(found) > 1:
		var ids []string
		for _, r := range found {
			ids = append(ids, r.ID)
		}
		return catalogue.Recording{}, fmt.Errorf("which recording? there are %s", strings.Join(ids, ", "))
	}
	return found[0], nil
}
