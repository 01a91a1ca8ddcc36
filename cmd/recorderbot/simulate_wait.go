package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// waitOps waits until the bot whose ops listener this is says that it is
// ready.
func waitOps(ctx context.Context, address string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second}
	return poll(ctx, 200*time.Millisecond, func() error { return askReady(ctx, client, address) })
}

// askReady asks once.
func askReady(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the bot is not ready: /readyz says %s", resp.Status)
	}
	return nil
}

// errWaiting: the archive does not have all yet.
var errWaiting = errors.New("not all are there")

// waitArchive waits until the archive has a folder for each call and the bot says
// that nothing waits (a call may have several recordings), or for the given time:
// calls that are not recorded get none.
func waitArchive(ctx context.Context, config teamsim.BotConfig, calls int, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	_ = poll(ctx, 100*time.Millisecond, func() error {
		found, err := filepath.Glob(filepath.Join(config.Archive, "*", "manifest.json"))
		if err == nil && (len(found) < calls || backlogged(ctx, config.Ops)) {
			err = errWaiting
		}
		return err
	})
}

// backlogged reports whether the bot says that recordings wait for the archive. One
// that can't be asked is not waited for.
func backlogged(ctx context.Context, ops string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ops+"/metrics", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	const name = "recorderbot_archive_backlog_bytes "
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name); ok {
			return value != "0"
		}
	}
	return false
}

// lifeEvery is shorter than the time from a process's first open port to its first
// word to the platform.
const lifeEvery = 20 * time.Millisecond

// watchLives tells the referee when the bot's process is gone and when there is one
// again, by its port: what a bot may do depends on it. Of a handover nothing is seen.
func watchLives(ctx context.Context, ops string, sim *teamsim.Sim) {
	tick := time.NewTicker(lifeEvery)
	defer tick.Stop()
	for lives := true; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", ops)
		if err == nil {
			_ = conn.Close()
		}
		switch refused := errors.Is(err, syscall.ECONNREFUSED); {
		case lives && refused:
			sim.BotStopped("its port is closed")
			lives = false
		case !lives && err == nil:
			sim.BotStarted("its port is open again")
			lives = true
		}
	}
}

// poll asks until there is no error, or ctx ends; then it returns the last
// error.
func poll(ctx context.Context, every time.Duration, ask func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}
