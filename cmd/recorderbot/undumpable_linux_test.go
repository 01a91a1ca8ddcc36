package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startDumpable starts recorderbot in a folder of its own where the kernel may put a
// core file of any size, and the runtime is asked to make one.
func startDumpable(t *testing.T, args ...string) (c *child, dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	shell := append([]string{"-c", `ulimit -c unlimited && exec "$0" "$@"`, self}, args...)
	c = &child{cmd: exec.CommandContext(t.Context(), "/bin/sh", shell...), logs: &bytes.Buffer{}, done: make(chan error, 1)}
	c.cmd.Dir = dir
	c.cmd.Env = append(os.Environ(), childVariable+"=1", "GOTRACEBACK=crash", "RECORDERBOT_LOG_LEVEL=debug")
	c.cmd.Stdout, c.cmd.Stderr = c.logs, c.logs
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.done <- c.cmd.Wait() }()
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	return c, dir
}

// coresIn lists the core files of a folder.
func coresIn(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "core*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// makesCores tells whether this machine writes core files where we look.
func makesCores(t *testing.T) bool {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "ulimit -c unlimited && kill -ABRT $$")
	cmd.Dir = dir
	_ = cmd.Run() // it is killed
	return len(coresIn(t, dir)) > 0
}

// TestNoCoreFile: however the process is killed, and whatever the limits and the
// runtime are set to, no dump is left.
func TestNoCoreFile(t *testing.T) {
	t.Parallel()
	looks := makesCores(t)
	for _, s := range []syscall.Signal{syscall.SIGABRT, syscall.SIGQUIT, syscall.SIGSEGV} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, endless(t, 1), nil)
			c, dir := startDumpable(t, "serve", "--config", r.config.File)
			if err := waitOps(t.Context(), r.config.Ops, 20*time.Second); err != nil {
				t.Fatalf("%v\n%s", err, c.logs)
			}
			c.noLimit(t)
			c.signal(t, s)
			if err := c.wait(t, 20*time.Second); err == nil {
				t.Error("it ended well")
			}
			if found := coresIn(t, dir); len(found) > 0 {
				t.Errorf("dumped: %v", found)
			}
			if !looks {
				t.Log("this machine puts core files elsewhere; only the limits were looked at")
			}
		})
	}
}

// TestUndumpable: where the limit does not count, as with a pipe in core_pattern, the
// other lock holds. It is of a whole process, so another one tries it.
func TestUndumpable(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childVariable+"="+childUndumpable)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "0" {
		t.Errorf("PR_GET_DUMPABLE says %q, %v", out, err)
	}
}

// mayTraceAll: CAP_SYS_PTRACE, number 19, is effective.
func mayTraceAll(t *testing.T) bool {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "CapEff:"); ok {
			caps, err := strconv.ParseUint(strings.TrimSpace(rest), 16, 64)
			return err == nil && caps&(1<<19) != 0
		}
	}
	return false
}

// noLimit checks what the kernel says of the process: its files can be of no size.
func (c *child) noLimit(t *testing.T) {
	t.Helper()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if rest, ok := strings.CutPrefix(line, "Max core file size"); ok {
			if got := strings.Fields(rest); got[0] != "0" || got[1] != "0" {
				t.Errorf("core file size: %v", got)
			}
			return
		}
	}
	t.Errorf("no limit of core files in:\n%s", limits)
}

// fetchMetrics reads what is exported.
func (r *rig) fetchMetrics(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.config.Ops+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
