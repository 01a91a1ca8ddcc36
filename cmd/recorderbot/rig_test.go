package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"github.com/recorderbot/recorderbot/internal/media"
	"github.com/recorderbot/recorderbot/internal/media/durable/durabletest"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// A rig is the whole bot beside the whole simulator: the wiring of serve, real
// sockets, real files.
type rig struct {
	dir    string
	sim    *teamsim.Sim
	config teamsim.BotConfig
	cfg    *Config
	bot    *bot
}

// newRig starts a simulator and writes the bot's configuration.
func newRig(t *testing.T, s teamsim.Scenario, change func(*Config)) *rig {
	t.Helper()
	r := &rig{dir: durabletest.Dir(t)}
	var err error
	if r.sim, err = teamsim.Start(s, teamsim.Options{Dir: filepath.Join(r.dir, "simulator")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.sim.Close() })
	if r.config, err = r.sim.WriteBotConfig(r.dir, teamsim.BotOptions{SegmentSize: "4MiB"}); err != nil {
		t.Fatal(err)
	}
	if r.cfg, err = loadConfig(r.config.File, nil); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r.cfg)
	}
	return r
}

// start starts the bot and waits until it is ready.
func (r *rig) start(t *testing.T) {
	t.Helper()
	b, err := newBot(t.Context(), r.cfg, zaptest.NewLogger(t, zaptest.Level(zapcore.InfoLevel)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err = b.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.bot = b
	t.Cleanup(func() { _ = b.close() })
	err = poll(t.Context(), 5*time.Millisecond, func() error {
		// One host is enough to be ready; a scenario counts on all of its own.
		away := slices.ContainsFunc(b.media.Health(), func(h media.HostHealth) bool { return !h.Up })
		if reply := readiness(b.readyChecks()); !reply.Ready || away {
			return errNotReady
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run plays the scenario, archives all, stops the bot, and returns what was
// seen.
func (r *rig) run(t *testing.T) (teamsim.Result, referee.Report) {
	t.Helper()
	result, err := r.sim.Run(t.Context(), r.config.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Faults {
		t.Errorf("the simulation itself: %s", f)
	}
	r.stop(t)
	result.Trace, result.Sessions = r.sim.Trace.Events(), r.sim.Sessions()
	return result, r.judge(result)
}

func (r *rig) judge(teamsim.Result) referee.Report {
	return r.sim.Judge(r.config.Archive, nil, referee.Limits{})
}

// stop drains the bot as SIGTERM does: live calls end by themselves.
func (r *rig) stop(t *testing.T) {
	t.Helper()
	if err := r.bot.shutdown(nil); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// outcomes reads the catalogue after the bot has closed it.
func (r *rig) outcomes(t *testing.T) map[string]int {
	t.Helper()
	var counts map[string]int
	r.read(t, func(ctx context.Context, c catalogueReader) (err error) {
		counts, err = c.CountOutcomes(ctx)
		return err
	})
	return counts
}

// proof checks spool, journals and archive from the disk, as check does.
func (r *rig) proof(t *testing.T) {
	t.Helper()
	p := proof{out: t.Output(), spoolDir: r.cfg.path(r.cfg.Spool.Dir), archiveDir: r.config.Archive}
	p.checkSpool()
	r.read(t, func(ctx context.Context, c catalogueReader) error {
		return errors.Join(p.checkCatalogue(ctx, c), replayAll(ctx, c))
	})
	p.checkFolders()
	p.checkWaiting()
	for _, f := range p.found {
		t.Error(f)
	}
}

// replayAll replays every journal: the machine did what it would do again.
func replayAll(ctx context.Context, c catalogueReader) error {
	ids, err := c.Calls(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		steps, err := replayCall(ctx, c, id)
		if err != nil {
			return err
		}
		for _, s := range steps {
			if s.Differs != "" {
				return fmt.Errorf("call %s, entry %d, %s: %s", id, s.Seq, s.Event, s.Differs)
			}
		}
	}
	return nil
}

// awaitReadyz waits until /readyz gives a reason that begins with the word.
func (r *rig) awaitReadyz(t *testing.T, word string) error {
	t.Helper()
	return poll(t.Context(), 10*time.Millisecond, func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.config.Ops+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		var reply readyReply
		if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
			return err
		}
		for _, reason := range reply.Reasons {
			if strings.HasPrefix(reason, word) {
				return nil
			}
		}
		return errNotReady
	})
}
