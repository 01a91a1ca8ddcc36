package catalogue_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// childDir names the folder in which this binary, started again by the crash
// test, appends until it is killed.
const (
	childDir   = "RECORDERBOT_TEST_CATALOGUE"
	childCalls = 8
)

// child is the process that will be killed. It says each acknowledgement on its
// standard output, after the acknowledgement.
func child() bool {
	dir := os.Getenv(childDir)
	if dir == "" {
		return false
	}
	c, err := catalogue.Open(context.Background(), "sqlite:catalogue.db", dir, catalogue.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	round := os.Getenv(childDir + "_ROUND")
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		_, _ = fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	var wg sync.WaitGroup
	for i := range childCalls {
		wg.Go(func() {
			for n := 0; ; n++ {
				life(c, recorder.CallID(fmt.Sprintf("r%s-c%d-%d", round, i, n)), say)
			}
		})
	}
	wg.Wait()
	return true
}

// life takes a call from invite to outcome.
func life(c *catalogue.Catalogue, id recorder.CallID, say func(string, ...any)) {
	c.Invited(recorder.Invite{Call: recorder.CallRef{ID: id}, At: time.Now()})
	for k := 1; k <= 6; k++ {
		c.Note(recorder.Entry{Call: id, Kind: recorder.EntryState, Data: -k})
		if err := c.Append(context.Background(), recorder.Entry{Call: id, Kind: recorder.EntryAnnounce, Data: k}); err != nil {
			say("error %v", err)
			return
		}
		say("appended %s %d", id, k)
	}
	if err := c.Conclude(context.Background(), recorder.Conclusion{Call: id, Outcome: recorder.OutcomeRecorded}); err != nil {
		say("error %v", err)
		return
	}
	say("concluded %s 7", id)
}

// TestKilled kills a process with SIGKILL in the middle of its appends, several
// times over the same file. Everything it acknowledged is there, in order.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acked := map[recorder.CallID]int{}
	for round := range 4 {
		runAndKill(t, dir, round, 60+47*round, acked)
	}
	c, err := catalogue.Open(t.Context(), "sqlite:catalogue.db", dir, catalogue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	unfinished, err := c.Unfinished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open := map[recorder.CallID]bool{}
	for _, u := range unfinished {
		open[u.Invite.Call.ID] = true
	}
	for id, k := range acked {
		checkCall(t, c, id, k, open[id])
	}
	if len(unfinished) == 0 || len(unfinished) > 4*childCalls {
		t.Errorf("%d calls without an outcome after four kills of a process with %d calls at a time", len(unfinished), childCalls)
	}
}

// runAndKill starts a child and kills it after so many acknowledgements.
func runAndKill(t *testing.T, dir string, round, after int, acked map[recorder.CallID]int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s_ROUND=%d", childDir, round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		var word string
		var id recorder.CallID
		var k int
		if _, err := fmt.Sscan(lines.Text(), &word, &id, &k); err != nil || word == "error" {
			t.Fatalf("the child said %q", lines.Text())
		}
		acked[id] = max(acked[id], k)
		if n == after {
			// What is in the pipe by now was acknowledged too, and is read on.
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
}

// checkCall: the acknowledged entries are there, in order, and nothing is
// missing in between. The journal may hold more than was acknowledged.
func checkCall(t *testing.T, c *catalogue.Catalogue, id recorder.CallID, acked int, open bool) {
	t.Helper()
	j, err := c.Journal(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var story []string
	for i, e := range j {
		if e.Seq != int64(i)+1 {
			t.Errorf("%s: entry %d has number %d", id, i+1, e.Seq)
		}
		story = append(story, e.Kind+string(e.Data))
	}
	full := []string{`invite{"platform":""}`}
	for k := 1; k <= 6; k++ {
		full = append(full, fmt.Sprintf("state%d", -k), fmt.Sprintf("announce%d", k))
	}
	full = append(full, `outcome{"outcome":"recorded","cause":""}`)
	if !strings.HasPrefix(strings.Join(full, "\n"), strings.Join(story, "\n")) {
		t.Errorf("%s: %v is not the beginning of %v", id, story, full)
	}
	if want := min(1+2*acked, len(full)); len(story) < want {
		t.Errorf("%s: %d was acknowledged, but only %d of %d entries are there", id, acked, len(story), want)
	}
	if done := len(story) == len(full); done == open {
		t.Errorf("%s: its outcome is in the journal: %v; it is unfinished: %v", id, done, open)
	}
	if (acked == 7) && open {
		t.Errorf("%s: its acknowledged outcome is gone", id)
	}
}

func TestNotACatalogue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := durable.WriteFile(filepath.Join(dir, "catalogue.db"), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := catalogue.Open(t.Context(), "sqlite:catalogue.db", dir, catalogue.Options{}); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("opened: %v", err)
	}
}
