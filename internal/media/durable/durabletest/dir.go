// Package durabletest gives tests a place for files whose speed no other test,
// and no neighbour of the machine, decides.
//
// The law: what a test proves about the order must not depend on how long this
// machine's disk takes. The product fails a recording when its disk says nothing
// for one and a half seconds, as it must; on a shared machine under a full test
// run a disk does that now and then, and the test of a good call then sees a
// call that failed, rightly. What a power cut leaves is proven elsewhere, with
// disks that forget (spool) and a process that is killed on a real one.
package durabletest

import (
	"os"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// memory is where Linux keeps files in memory, and enough the room that a bot
// under test needs to take calls.
const (
	memory = "/dev/shm"
	enough = 4 << 30
)

// Dir returns an empty directory in memory, removed after the test. Where the
// machine has none with room it is one of the disk's.
func Dir(tb testing.TB) string {
	tb.Helper()
	if room, err := durable.Available(memory); err != nil || room < enough {
		return tb.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "recorderbot-test-") //nolint:usetesting // its TempDir is on the disk
	if err != nil {
		return tb.TempDir() // not ours to write
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("removing the test's directory: %v", err)
		}
	})
	return dir
}
