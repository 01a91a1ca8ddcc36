package spool

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// TestKilledProcess kills a process -9 while it records on the real disk. What it
// has said is durable must be there, and nothing else.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	const id = "rec"
	if dir := os.Getenv("SPOOL_VICTIM"); dir != "" {
		victim(t, dir, id)
		return
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), "SPOOL_VICTIM="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acked uint64
	lines := bufio.NewScanner(out)
	for acked < 2000 && lines.Scan() { // several segments
		if n, ok := strings.CutPrefix(lines.Text(), "durable "); ok {
			if acked, err = strconv.ParseUint(n, 10, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err = cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it still had said
		if n, ok := strings.CutPrefix(lines.Text(), "durable "); ok {
			acked, _ = strconv.ParseUint(n, 10, 64)
		}
	}
	_ = cmd.Wait() // it was killed
	if acked < 2000 {
		t.Fatalf("the victim ended by itself after %d frames", acked)
	}
	l := open(t, Options{Dir: dir, SegmentSize: 256 << 10})
	infos := l.Recovered()
	if len(infos) != 1 || len(l.Damage()) != 0 || infos[0].LastSeq < acked || infos[0].Sealed {
		t.Fatalf("%d acknowledged; recovered %+v, damage %v", acked, infos, l.Damage())
	}
	wantFrames(t, l, id, 1, infos[0].LastSeq)
	shut(t, l)
	if rep, err := Check(dir); err != nil || len(rep.Findings) > 0 {
		t.Fatalf("%v, %v", rep.Err(), err)
	}
}

// victim records until it is killed.
func victim(t *testing.T, dir, id string) {
	t.Helper()
	l := open(t, Options{Dir: dir, SegmentSize: 256 << 10, OnDurable: func(ds []Durable) {
		_, _ = fmt.Fprintf(os.Stdout, "durable %d\n", ds[0].Seq)
	}})
	r := begin(t, l, recordertest.Permit(t, "call"), id)
	for seq := uint64(1); seq < 1_000_000; seq++ {
		if err := l.Update(func(b *Batch) { b.Frame(r, audio(seq)) }); err != nil {
			t.Fatal(err)
		}
	}
}
