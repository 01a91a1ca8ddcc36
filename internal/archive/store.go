package archive

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// directory returns the directory that an archive's URL names.
func directory(url, baseDir string) (string, error) {
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
