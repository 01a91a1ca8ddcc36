package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
)

type recordingsMerge struct {
	Config string `default:"recorderbot.yaml" help:"Configuration file."`
	First  string `arg:"" help:"A recording's ID, or that of a call with one. Where both have a sample, it is this one's."`
	Second string `arg:"" help:"Another recording of the same conversation, as of the other bot of a pair."`
	Out    string `required:"" help:"The folder to write; it must not exist."`
}

// Run writes the union of two recordings: a gap remains only where both have one.
func (cmd recordingsMerge) Run(c *console) error {
	return withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, archiveDir string) error {
		var folders []string
		for _, id := range []string{cmd.First, cmd.Second} {
			r, err := only(cat.Find(c.ctx, id))
			if err != nil {
				return err
			}
			if r.State != catalogue.StateArchived {
				return fmt.Errorf("recording %s is %s, not archived; try again when its call is over", r.ID, r.State)
			}
			folders = append(folders, folderOf(archiveDir, r))
		}
		u, err := archive.Unite(c.ctx, folders[0], folders[1], cmd.Out)
		switch {
		case errors.Is(err, fs.ErrExist):
			return fmt.Errorf("--out %s is there already; name another folder, or remove it", cmd.Out)
		case errors.Is(err, archive.ErrNotOneConversation):
			return fmt.Errorf("%w; recordings show RECORDING tells what is related", err)
		case err != nil:
			return err
		}
		for _, t := range u.Tracks {
			fmt.Fprintf(c.out, "%s: %s, %s missing in both, %d parts\n", t.ID, length(t.Samples), length(t.GapSamples), len(t.Parts))
		}
		_, err = fmt.Fprintln(c.out, cmd.Out)
		return err
	})
}
