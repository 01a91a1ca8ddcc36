package catalogue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// File returns the file that a catalogue's URL names, as Open finds it.
func File(url, baseDir string) (string, error) { return sqlitePath(url, baseDir) }

// sqlitePath returns the file that a catalogue URL names, made absolute under
// baseDir. Errors never repeat the URL: it may hold a password.
func sqlitePath(rawURL, baseDir string) (string, error) {
	scheme, rest, ok := strings.Cut(rawURL, ":")
	switch {
	case rawURL == "":
		return "", errors.New("catalogue: no url; use \"sqlite:FILE\"")
	case !ok:
		return "", errors.New("catalogue: the url has no scheme; use \"sqlite:FILE\"")
	case scheme == "postgres", scheme == "postgresql":
		return "", errors.New("catalogue: PostgreSQL is not in this version; use \"sqlite:FILE\" and one replica")
	case scheme != "sqlite":
		return "", fmt.Errorf("catalogue: unknown scheme %q; use \"sqlite:FILE\"", scheme)
	}
	file := rest
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return "", errors.New("catalogue: \"sqlite://\" must be followed by an absolute path; for a relative one write \"sqlite:FILE\"")
		}
		file = after
	}
	switch {
	case file == "" || strings.HasSuffix(file, "/"):
		return "", errors.New("catalogue: the url names no file; use \"sqlite:FILE\"")
	case strings.Contains(file, ":memory:"):
		return "", errors.New("catalogue: a catalogue in memory would not survive; use \"sqlite:FILE\"")
	case strings.ContainsAny(file, "?#\x00"):
		return "", errors.New("catalogue: the file's name may not contain '?' or '#'; options can't be set in the url")
	case !filepath.IsAbs(file):
		file = filepath.Join(baseDir, file)
	}
	return filepath.Abs(file)
}

// dsn is the driver's name for the file. busy_timeout is first: setting the
// journal mode may already meet a lock. Readers can't write by mistake.
func dsn(path string, write bool) string {
	q := "_pragma=busy_timeout(5000)"
	if write {
		q += "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=journal_size_limit(67108864)&_txlock=immediate"
	} else {
		q += "&_pragma=query_only(1)"
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q
}

// openReaders opens the connections that only read. In WAL mode they neither
// wait for the writer nor hold it up.
func openReaders(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, false))
	if err != nil {
		return nil, fmt.Errorf("catalogue: open %s: %w", path, err)
	}
	db.SetMaxOpenConns(4)
	return db, nil
}

// openWriter opens the one connection that writes, and sees to it that its
// commits are durable.
func openWriter(ctx context.Context, path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, true))
	if err != nil {
		return nil, fmt.Errorf("catalogue: open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	if err := checkDurable(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("catalogue: open %s: %w", path, err), db.Close())
	}
	return db, nil
}

// checkDurable asks the database itself: a pragma that is not understood is
// silently ignored, and a file system without shared memory refuses WAL.
func checkDurable(ctx context.Context, db *sql.DB) error {
	var mode string
	var sync int
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync); err != nil {
		return err
	}
	if mode != "wal" || sync != 2 {
		return fmt.Errorf("journal_mode is %q and synchronous is %d, not wal and 2 (FULL): the file system does not support it; use a local disk", mode, sync)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// create makes an empty file, which is a catalogue without a schema, and its
// folder. SQLite would make it too, readable by all.
func create(path string) error {
	if exists(path) {
		return nil
	}
	return durable.WriteFile(path, nil, 0o600)
}
