package catalogue

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"go.uber.org/zap"
)

//go:embed migrations/*.sql
var migrations embed.FS

// newest is the version of the schema that this program knows.
func newest() (version int64, err error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	for _, name := range names {
		n, bad := goose.NumericComponent(name)
		version, err = max(version, n), errors.Join(err, bad)
	}
	return version, err
}

// readable reports whether the schema is the one that this program reads: who only
// reads can't change it.
func readable(ctx context.Context, db *sql.DB) error {
	want, err := newest()
	if err != nil {
		return fmt.Errorf("catalogue: migrations: %w", err)
	}
	var have int64
	err = db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`).Scan(&have)
	switch {
	case err != nil:
		return fmt.Errorf("catalogue: read the schema's version: %w", err)
	case have < want:
		return fmt.Errorf("catalogue: the file's schema is version %d, this program reads %d; start \"recorderbot serve\" of this version once, it brings it up to date", have, want)
	case have > want:
		return fmt.Errorf("catalogue: the file's schema is version %d, this program knows %d: a newer recorderbot has written it; run that one", have, want)
	}
	return nil
}

// migrate brings the schema up to this version. Each migration is one
// transaction: a crash in the middle leaves the schema before it.
func migrate(ctx context.Context, db *sql.DB, log *zap.Logger) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("catalogue: migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("catalogue: migrations: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("catalogue: read the schema's version: %w", err)
	case have > want:
		return fmt.Errorf("catalogue: the file's schema is version %d, this program knows %d: a newer recorderbot has written it; run that one", have, want)
	case have == want:
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("catalogue: bring the schema from version %d to %d: %w", have, want, err)
	}
	log.Info("catalogue's schema is up to date", zap.Int64("from", have), zap.Int64("to", want))
	return nil
}
