package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// Options say which seeds are played.
type Options struct {
	// Bot is the program, of Build.
	Bot string
	// Dir is where each seed gets a folder; empty: in memory, where there is one.
	Dir string
	// First and Count are the seeds; AtOnce how many are played at the same time.
	First  uint64
	Count  int
	AtOnce int
	// Again plays the first seed Count times: threads and network interleave in
	// another way each time.
	Again bool
	// Draw makes a seed's plan; nil: the Draw of this package.
	Draw func(seed uint64) Plan
	// Over gets each seed when it is over. It may be nil.
	Over func(Verdict)
	// Each gets how many seeds are over. It may be nil.
	Each func(done int)
}

// A Summary is of all seeds.
type Summary struct {
	Seeds, Violations, Without int
	Lost                       int64
	// Calls, Recorded and Deaths are how much was tried.
	Calls, Recorded, Deaths, Orders, Obeyed, Replayed int
	// Tracks are those of all recordings; Sent counts the samples that hosts captured
	// while open, and Account says where all have gone.
	Tracks int
	// Unrecorded are the calls of which something was sent, and that were not recorded.
	Unrecorded int
	Sent       int64
	Account    referee.Account
	// FramesSent and FramesStored are of video.
	FramesSent, FramesStored int64
	// Told is how long it took from each fault that a process lived through until
	// failed was on the wire (law 3).
	Told []time.Duration
}

// Good tells whether nothing went wrong.
func (s Summary) Good() bool { return s.Violations == 0 && s.Without == 0 && s.Lost == 0 }

// String is the line that a run ends with.
func (s Summary) String() string {
	return fmt.Sprintf("chaos: %d seeds, %d violations, %d samples lost unrecorded, %d calls without outcome", s.Seeds, s.Violations, s.Lost, s.Without)
}

// Tried are the lines before it: how much was tried, and law 3 as it was measured.
// The machine may have been busy: what is a limit is the referee's.
func (s Summary) Tried() string {
	text := fmt.Sprintf("%d calls, %d recorded, %d deaths, %d of %d orders done, %d steps of the machine replayed",
		s.Calls, s.Recorded, s.Deaths, s.Obeyed, s.Orders, s.Replayed)
	if n := len(s.Told); n > 0 {
		all := slices.Sorted(slices.Values(s.Told))
		text += fmt.Sprintf("\n%d faults lived through, failed on the wire after: median %v, 99 %% %v, longest %v", n,
			all[n/2].Round(time.Millisecond), all[(n-1)*99/100].Round(time.Millisecond), all[n-1].Round(time.Millisecond))
	}
	return text
}

// Exact is the line of a run of DrawPeace.
func (s Summary) Exact() string {
	a := &s.Account
	return fmt.Sprintf("exact: %d calls, %d tracks, %d samples sent after consent, %d stored, %d in gaps, %d paused, %d wrong, accounting error %d",
		s.Calls, s.Tracks, s.Sent, a.Stored, a.Missing(), a.Paused, a.Wrong, a.Error)
}

// IsExact tells whether every call was recorded, to the sample.
func (s Summary) IsExact() bool {
	a := &s.Account
	return s.Good() && s.Recorded > 0 && s.Unrecorded == 0 && a.Wrong == 0 && a.Error == 0 && a.Untold == 0 && a.Stored == s.Sent && a.Sum() == a.Samples
}

// mostKept is how many folders of bad seeds are kept: they may lie in memory.
const mostKept = 20

// Run plays the seeds. Its error is about what could not be tried.
func Run(ctx context.Context, o Options) (Summary, error) {
	dir, err := ground(o.Dir)
	if err != nil {
		return Summary{}, err
	}
	pki, err := teamsim.WritePKI(filepath.Join(dir, "tls"))
	if err != nil {
		return Summary{}, err
	}
	r := &runner{Options: o, dir: dir, pki: pki}
	seeds := make(chan uint64)
	var workers sync.WaitGroup
	for range max(1, o.AtOnce) {
		workers.Go(func() {
			for seed := range seeds {
				r.seed(ctx, seed)
			}
		})
	}
	for i := range o.Count {
		if ctx.Err() != nil {
			break
		}
		if o.Again {
			i = 0
		}
		seeds <- o.First + uint64(i)
	}
	close(seeds)
	workers.Wait()
	if r.kept == 0 {
		r.errs = append(r.errs, remove(dir))
	}
	return r.summary, errors.Join(append(r.errs, context.Cause(ctx))...)
}

// ground makes the folder of a run.
func ground(dir string) (string, error) {
	if dir == "" {
		const memory, enough = "/dev/shm", 4 << 30 // what the bot needs to take calls, and some
		dir = os.TempDir()
		if room, err := durable.Available(memory); err == nil && room >= enough {
			dir = memory
		}
	}
	dir, err := os.MkdirTemp(dir, "recorderbot-chaos-")
	if err != nil {
		return "", fmt.Errorf("make the folder of the run: %w", err)
	}
	return dir, nil
}

type runner struct {
	Options

	dir string
	pki *teamsim.PKI

	mu      sync.Mutex // guards what follows
	summary Summary
	kept    int
	errs    []error
}

func (r *runner) seed(ctx context.Context, seed uint64) {
	dir, err := os.MkdirTemp(r.dir, fmt.Sprintf("seed-%d-", seed))
	var v Verdict
	if err == nil {
		draw := r.Draw
		if draw == nil {
			draw = Draw
		}
		v, err = playSeed(ctx, r.Bot, dir, r.pki, draw(seed))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.errs = append(r.errs, err)
		r.kept++
		return
	}
	s := &r.summary
	s.Seeds++
	s.Violations += len(v.Violations)
	s.Without += len(v.Without)
	s.Lost += v.Lost
	s.Calls, s.Recorded, s.Deaths = s.Calls+v.Calls, s.Recorded+v.Recorded, s.Deaths+v.Deaths
	s.Orders, s.Obeyed, s.Replayed = s.Orders+v.Orders, s.Obeyed+v.Obeyed, s.Replayed+v.Replayed
	s.Tracks, s.Sent = s.Tracks+v.Report.Tracks, s.Sent+v.Report.SamplesSent
	s.FramesSent, s.FramesStored = s.FramesSent+v.Report.FramesSent, s.FramesStored+v.Report.FramesStored
	s.Account.Add(v.Report.Account)
	for i := range v.Report.Calls {
		if c := &v.Report.Calls[i]; c.SamplesSent+c.FramesSent > 0 && !strings.HasPrefix(c.Catalogued, "recorded") {
			s.Unrecorded++
		}
	}
	for _, f := range v.Told {
		s.Told = append(s.Told, f.Took)
	}
	if r.Over != nil {
		r.Over(v)
	}
	if v.Good() || r.kept >= mostKept {
		r.errs = append(r.errs, remove(dir))
	} else {
		r.kept++
	}
	if r.Each != nil {
		r.Each(s.Seeds)
	}
}
