package archive

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Directory returns the directory that an archive's URL names, there or not. A
// relative one is relative to baseDir.
func Directory(url, baseDir string) (string, error) {
	scheme, rest, ok := strings.Cut(url, ":")
	switch {
	case url == "":
		return "", errors.New("archive: no url; use \"file:DIRECTORY\"")
	case !ok:
		return "", errors.New("archive: the url has no scheme; use \"file:DIRECTORY\"")
	case scheme == "azblob" || scheme == "s3":
		return "", fmt.Errorf("archive: %s is not in this version; use \"file:DIRECTORY\"", scheme)
	case scheme != "file":
		return "", fmt.Errorf("archive: unknown scheme %.20q; use \"file:DIRECTORY\"", scheme)
	}
	dir := rest
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return "", errors.New("archive: \"file://\" must be followed by an absolute path; for a relative one write \"file:DIRECTORY\"")
		}
		dir = after
	}
	switch {
	case dir == "":
		return "", errors.New("archive: the url names no directory; use \"file:DIRECTORY\"")
	case strings.ContainsAny(dir, "?#\x00"):
		return "", errors.New("archive: the directory's name may not contain '?' or '#'")
	case !filepath.IsAbs(dir):
		dir = filepath.Join(baseDir, dir)
	}
	return filepath.Abs(dir)
}

// Folder returns where a recording's folder is in the archive's directory, from
// what was entered of it when it was published. Its name counts alone: catalogues
// hold whole paths from before, and the archive may have been moved or copied.
func Folder(dir, entered string) string {
	name := filepath.Base(entered)
	if !validID(name) {
		name = "." // nothing of ours: the directory itself, which is no recording
	}
	return filepath.Join(dir, name)
}
