package catalogue

import (
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

func TestThin(t *testing.T) {
	t.Parallel()
	c, err := Open(t.Context(), "sqlite:sub dir%41.db", t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Invited(recorder.Invite{Call: recorder.CallRef{ID: "c1", Tenant: "t"}, At: time.Now()})
	if err := c.Append(t.Context(), recorder.Entry{Call: "c1", Kind: recorder.EntryAnnounce, Data: 1}); err != nil {
		t.Fatal(err)
	}
	j, err := c.Journal(t.Context(), "c1")
	t.Log(j, err)
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
