package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/frame"
)

type recordingsMerge struct {
	Config       string `default:"recorderbot.yaml" help:"Configuration file."`
	SecondConfig string `placeholder:"FILE" help:"Configuration file of the bot that has the second one, where that is another."`
	First        string `arg:"" help:"A call's ID, for all its recordings; a recording's; or the path of a recording's folder, with a slash in it. Where both have a sample, it is this one's."`
	Second       string `arg:"" help:"Another of the same conversation, as of the other bot of a pair, given in the same ways."`
	Out          string `required:"" help:"The folder to write; it must not exist."`
	ByClock      bool   `help:"Lay them beside each other by their media times alone, not by what is heard in both."`
}

// Help says what the command makes of what it is given.
func (recordingsMerge) Help() string {
	return `Writes what two recordings of one conversation hold together: a gap remains only where both have one.
Neither of them is changed.

The folder holds a FLAC for each track of audio and an mp4 for each camera and screen, mix.flac where the
speakers are apart, and union.json: the recordings it is made of, with their hashes, the participants, and
for each track from which recording each stretch is. All parts of a long call are taken, and what lies
between two of them: where one bot was paused, the other's recording fills the pause, too.

What is heard in both tells how they lie beside each other (up to 2 s off the media times); where nothing
is heard in both, their media times do. Video changes from one to the other at key frames, so that each
picture can be shown; what can only be shown damaged is left out.

Refused: recordings of different conversations, of different times, one of mixed audio and one of speakers
apart, and folders that are not what was published.`
}

// Run writes the union of two recordings: a gap remains only where both have one.
func (cmd recordingsMerge) Run(c *console) error {
	first, err := unionOf(c, cmd.Config, cmd.First)
	if err != nil {
		return err
	}
	second, err := unionOf(c, cmp.Or(cmd.SecondConfig, cmd.Config), cmd.Second)
	if err != nil {
		return err
	}
	u, err := archive.Unite(c.ctx, first, second, cmd.Out, cmd.ByClock)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("--out %s is there already; name another folder, or remove it", cmd.Out)
	case errors.Is(err, archive.ErrNotOneConversation):
		return fmt.Errorf("%w; recordings show CALL tells what is related", err)
	case errors.Is(err, archive.ErrNotAlike):
		return fmt.Errorf("%w; --by-clock lays them beside each other by their media times all the same", err)
	case err != nil:
		return err
	}
	return tellUnion(c.out, u, cmd.Out)
}

// unionOf finds the recordings that an argument names.
func unionOf(c *console, config, arg string) ([]archive.UnionFolder, error) {
	if strings.ContainsAny(arg, `/`+string(os.PathSeparator)) {
		if info, lost := os.Stat(arg); lost != nil || !info.IsDir() {
			return nil, fmt.Errorf("%s is no folder of a recording", arg)
		}
		return []archive.UnionFolder{{Path: arg}}, nil
	}
	var all []archive.UnionFolder
	err := withCatalogue(c, config, func(cat *catalogue.Catalogue, archiveDir string) error {
		found, lost := cat.Find(c.ctx, arg)
		if lost != nil {
			return lost
		}
		for _, r := range found {
			switch {
			case r.ID == "":
				return fmt.Errorf("call %s has no recording; recordings show says why", r.Call)
			case r.State != catalogue.StateArchived:
				return fmt.Errorf("recording %s is %s, not archived; try again when its call is over", r.ID, r.State)
			}
			all = append(all, archive.UnionFolder{Path: folderOf(archiveDir, r), ManifestSHA256: r.ManifestSHA256})
		}
		return nil
	})
	return all, err
}

func tellUnion(w io.Writer, u *archive.Union, out string) error {
	for _, t := range u.Tracks {
		if t.Kind == "audio" {
			fmt.Fprintf(w, "%s: %s, %s missing in both, %d parts\n", t.ID, length(t.Samples), length(t.GapSamples), len(t.Parts))
			continue
		}
		fmt.Fprintf(w, "%s: %v, %d frames, %d scenes\n", t.ID, (time.Duration(t.DurationTicks) * 100).Round(time.Millisecond), t.Frames, len(t.Scenes))
	}
	k := u.Clock
	if k.ShiftSamples != 0 {
		fmt.Fprintf(w, "the second was moved by %s, for so both sound alike\n", length(k.ShiftSamples))
	}
	if k.SpreadSamples > frame.SampleRate/50 {
		fmt.Fprintf(w, "their clocks drift: at a change from one to the other, up to %s may be heard twice or not at all\n", length(k.SpreadSamples))
	}
	_, err := fmt.Fprintln(w, out)
	return err
}
