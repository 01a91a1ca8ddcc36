package catalogue_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/recorderbot/recorderbot/internal/catalogue/catalogtest"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	// Histories are long and every step is an fsync: fewer of them than rapid's
	// hundred. The command line still wins.
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	catalogtest.Run(t, func(tb testing.TB) (url, baseDir string) {
		tb.Helper()
		return "sqlite:catalogue.db", tb.TempDir()
	})
}
