package host_test

import (
	"errors"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

func TestBlobsFindTheirHost(t *testing.T) {
	t.Parallel()
	one, two := newHost(t, host.Options{ID: "one"}), newHost(t, host.Options{ID: "two"})
	all := host.Hosts{one, two}
	create(t, dial(t, one), "s1")
	blob := create(t, dial(t, two), "s2")
	if err := all.Connect(blob); err != nil {
		t.Error(err)
	}
	if err := all.Inject(blob, host.Fault{Kind: host.FaultHole, For: time.Second}); err != nil {
		t.Error(err)
	}
	all.Disconnect(blob)
	rs := all.Records()
	if len(rs) != 2 || rs[0].Host != "one" || !rs[0].Disconnected.IsZero() || rs[1].Disconnected.IsZero() {
		t.Errorf("records %+v", rs)
	}
	stranger := host.Blob{Host: "three", Epoch: "1", Session: "s"}.String()
	if err := all.Connect(stranger); !errors.Is(err, host.ErrNoSession) {
		t.Errorf("a stranger's blob: %v", err)
	}
	if err := all.Inject("no blob"); err == nil {
		t.Error("nonsense was taken for a blob")
	}
}
