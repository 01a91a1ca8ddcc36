package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childVariable makes the test binary be recorderbot itself: tests that send
// signals or kill need a process of its own.
const (
	childVariable = "RECORDERBOT_TEST_CHILD"
	// childUndumpable makes it say whether it can be dumped, and nothing else.
	childUndumpable = "undumpable"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "":
	case childUndumpable:
		os.Exit(reportDumpable(os.Stdout))
	default:
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, os.Environ()))
	}
	os.Exit(m.Run())
}

// A child is a recorderbot process.
type child struct {
	cmd  *exec.Cmd
	logs *bytes.Buffer
	done chan error
}

func startChild(t *testing.T, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.CommandContext(t.Context(), self, args...), logs: &bytes.Buffer{}, done: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), childVariable+"=1")
	c.cmd.Stdout, c.cmd.Stderr = c.logs, c.logs
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.done <- c.cmd.Wait() }()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("recorderbot said:\n%s", c.logs)
		}
	})
	return c
}

func (c *child) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// wait waits for the process's end.
func (c *child) wait(t *testing.T, most time.Duration) error {
	t.Helper()
	select {
	case err := <-c.done:
		return err
	case <-time.After(most):
		t.Fatal("the process does not end")
		return nil
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	good := writeConfig(t, goodConfig)
	for name, tt := range map[string]struct {
		args []string
		code int
		want string // in what is written
	}{
		"version":             {[]string{"version"}, 0, "recorderbot devel go1."},
		"help":                {[]string{"--help"}, 0, "demo"},
		"nothing":             {nil, 2, "--help"},
		"unknown command":     {[]string{"record"}, 2, "--help"},
		"unknown flag":        {[]string{"serve", "--colour"}, 2, "--colour"},
		"good config":         {[]string{"check-config", "--config", good}, 0, "https://bot.example.com/api/calls"},
		"missing config":      {[]string{"check-config", "--config", "nowhere.yaml"}, 1, "nowhere.yaml: no such file"},
		"demo too long":       {[]string{"demo", "--length", "48h"}, 1, "between 1s and 1h"},
		"simulate unknown":    {[]string{"simulate", "--scenario", "doom", "--dir", t.TempDir()}, 1, "--list"},
		"simulate list":       {[]string{"simulate", "--list"}, 0, "hundred-calls"},
		"recordings, none":    {[]string{"recordings", "list", "--config", good}, 1, "made by"},
		"recordings, limit":   {[]string{"recordings", "list", "--config", good, "--limit=0"}, 1, "--limit 0 is not 1 or more"},
		"recordings, less":    {[]string{"recordings", "list", "--config", good, "--limit=-1"}, 1, "--limit -1 is not 1 or more"},
		"recordings, since":   {[]string{"recordings", "list", "--config", good, "--since=-5h"}, 1, "--since -5h0m0s is in the future"},
		"recordings, help":    {[]string{"recordings", "list", "--help"}, 0, "rejected"},
		"recordings, outcome": {[]string{"recordings", "list", "--config", good, "--outcome", "lost"}, 1, "recordedWithGaps"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if code := run(tt.args, &out, &out, nil); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if !strings.Contains(out.String(), tt.want) {
				t.Errorf("%q is not in:\n%s", tt.want, &out)
			}
		})
	}
}

// TestServeWithoutConfig: in a process of its own, for it forbids dumps for good, which
// other tests want of their children.
func TestServeWithoutConfig(t *testing.T) {
	t.Parallel()
	c := startChild(t, "serve", "--config", "nowhere.yaml")
	if err := c.wait(t, 20*time.Second); err == nil || !strings.Contains(c.logs.String(), "no such file") {
		t.Errorf("%v: %s", err, c.logs)
	}
}
