package catalogue

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"go.uber.org/zap"
)

//go:embed migrations/*.sql
var migrations embed.FS

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
