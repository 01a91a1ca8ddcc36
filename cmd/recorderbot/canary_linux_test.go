package main

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/durable/durabletest"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// canaryCalls: media hosts that misbehave play the canary for more than a second before
// consent, which comes late, or never, and after the end.
const canaryCalls = `
name: canary
seed: 77
calls:
  - kind: policy
    faults: [{op: updateRecordingStatus, status: recording, delay: 2500ms}]
    media: [{kind: early, frames: 60}, {kind: late, frames: 60}]
    end: {when: recording, after: 4s}
  - kind: policy
    faults: [{op: updateRecordingStatus, status: recording, times: -1, http: 403, code: "8506"}]
    media: [{kind: early, frames: 60}]
    end: {never: true, atMost: 6s}
  - count: 30 # so that messages are large, too
    faults: [{op: updateRecordingStatus, status: recording, times: -1, body: running, later: {progress: failed, after: 2s}}]
    media: [{kind: early, frames: 60}]
    end: {never: true, atMost: 6s}
`

const earlyFrames = 60

// A thread that is interrupted while it decrypts or copies leaves its vector registers
// on its signal stack, where they stay until its next signal: of the sixteen of 16
// bytes, AES-GCM has eight full of what it decrypted, 4 ms of audio. No program in
// Go can prevent that; it happens in few runs, to few threads.
const (
	registers       = 16 * 16
	mostInterrupted = 3
)

// TestNoTraceBeforeConsent: law 1. What came without consent is on no disk, in no
// log, in no metric, in no catalogue, and in no memory of the process.
func TestNoTraceBeforeConsent(t *testing.T) {
	t.Parallel()
	c := newCanary(10 * 16_000)
	c.speaker = strconv.Itoa(host.OutsideSpeaker)
	s, err := teamsim.ReadScenario([]byte(canaryCalls))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{dir: durabletest.Dir(t)}
	sims := t.TempDir()
	if r.sim, err = teamsim.Start(s, teamsim.Options{Dir: sims, Outside: c.pcm}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.sim.Close() })
	if r.config, err = r.sim.WriteBotConfig(r.dir, teamsim.BotOptions{SegmentSize: "4MiB"}); err != nil {
		t.Fatal(err)
	}
	bot, cwd := startDumpable(t, "serve", "--config", r.config.File)
	if err := waitOps(t.Context(), r.config.Ops, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	done := make(chan teamsim.Result, 1)
	go func() {
		result, err := r.sim.Run(t.Context(), r.config.URL)
		if err != nil {
			t.Error(err)
		}
		done <- result
	}()
	r.awaitOutside(t, 31*earlyFrames) // those of the refused call may be cut short
	c.notInMemory(t, bot, "before consent")
	result := <-done
	c.notInMemory(t, bot, "after the calls")
	metrics := r.fetchMetrics(t)
	c.notIn(t, "metrics", []byte(metrics))
	if !strings.Contains(metrics, `recorderbot_media_frames_discarded_total{reason="beforeConsent"} `) ||
		strings.Contains(metrics, `recorderbot_media_frames_discarded_total{reason="beforeConsent"} 0`) {
		t.Error("no frame came before consent: nothing was tried")
	}
	waitArchive(t.Context(), r.config, 1, 20*time.Second)
	bot.signal(t, syscall.SIGABRT) // it leaves what a crash leaves: a log of all stacks, databases as they are
	if err := bot.wait(t, 20*time.Second); err == nil {
		t.Error("it ended well")
	}
	c.notIn(t, "log", bot.logs.Bytes())
	for _, word := range []string{`"level":"debug"`, "SIGABRT", "goroutine "} {
		if !strings.Contains(bot.logs.String(), word) {
			t.Errorf("the log has no %s: it is not that of debugging, and of a crash", word)
		}
	}
	if n := c.inFiles(t, r.dir) + c.inFiles(t, cwd); n < 4 {
		t.Errorf("%d files were looked through", n)
	}
	if found, err := filepath.Glob(filepath.Join(r.config.Archive, "*", "manifest.json")); err != nil || len(found) != 1 {
		t.Errorf("archived: %v, %v; one of %d calls has a recording", found, err, len(result.Calls))
	}
}

var errFew = errors.New("few frames were sent")

// awaitOutside waits until so many frames went out that must not.
func (r *rig) awaitOutside(t *testing.T, frames uint64) {
	t.Helper()
	err := poll(t.Context(), 5*time.Millisecond, func() error {
		sent := uint64(0)
		for _, s := range r.sim.Sessions() {
			sent += outside(s)
		}
		if sent < frames {
			return errFew
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(200 * time.Millisecond) // the last are on their way
}

func outside(s host.SessionRecord) (n uint64) {
	for _, run := range s.Runs {
		if run.Outside {
			n += run.Count
		}
	}
	return n
}

func (c *canary) notInMemory(t *testing.T, bot *child, when string) {
	t.Helper()
	if !mayTraceAll(t) {
		t.Log("the memory of another process can be read by root only: not looked at")
		return
	}
	found, size := c.inMemory(t, bot.cmd.Process.Pid)
	t.Logf("%s: %d MiB of memory", when, size>>20)
	for _, f := range found {
		if f.bytes > registers || f.form != formRaw {
			t.Errorf("memory, %s: %s", when, f)
		} else {
			t.Logf("memory, %s, in what was a thread's registers: %s", when, f)
		}
	}
	if len(found) > mostInterrupted {
		t.Errorf("memory, %s: %d pieces: %v", when, len(found), found)
	}
}
