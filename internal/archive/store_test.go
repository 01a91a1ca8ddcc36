package archive_test

import (
	"path/filepath"
	"testing"

	"github.com/recorderbot/recorderbot/internal/archive"
)

// TestFolder: what was entered of a folder leads to the archive that is asked
// for, and never out of it.
func TestFolder(t *testing.T) {
	t.Parallel()
	for entered, want := range map[string]string{
		"r1":                 "/new/archive/r1",
		"/old/archive/r1":    "/new/archive/r1",
		"/old/archive/r1/":   "/new/archive/r1",
		"":                   "/new/archive",
		"..":                 "/new/archive",
		"/":                  "/new/archive",
		"/old/archive/.part": "/new/archive",
	} {
		if got := archive.Folder("/new/archive", entered); got != filepath.FromSlash(want) {
			t.Errorf("%q leads to %s, want %s", entered, got, want)
		}
	}
}
