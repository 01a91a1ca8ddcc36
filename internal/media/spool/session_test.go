package spool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// TestRandomSessions compares the log with a model over random sessions with
// reopenings, kill -9 and power cuts.
func TestRandomSessions(t *testing.T) {
	t.Parallel()
	ps := permits(t, 2)
	rapid.Check(t, func(t *rapid.T) {
		d := newMemDisk()
		model := make(map[string][]frame.Frame)
		sealed := make(map[string]bool)
		live := make(map[string]*Recording)
		l := open(t, small(d))
		names := func() []string { return sortedKeys(live) }
		next := 0
		reopen := func(nd *memDisk) {
			_ = l.Close(context.Background())
			d, l = nd, open(t, small(nd))
			clear(live)
			if dam := l.Damage(); len(dam) > 0 {
				t.Fatal(dam[0])
			}
			for _, info := range l.Recovered() {
				if !info.Sealed {
					if _, err := l.SealRecovered(context.Background(), info.ID, Seal{Cause: "crash"}); err != nil {
						t.Fatal(err)
					}
					sealed[info.ID] = true
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				next++
				id := fmt.Sprintf("r%d", next)
				live[id] = begin(t, l, ps[next%2], id)
				model[id] = nil
			},
			"store": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip("nothing is open")
				}
				fs := rapid.SliceOfN(drawFrame(), 1, 20).Draw(t, "frames")
				id := rapid.SampledFrom(names()).Draw(t, "recording")
				if err := flush(l, func(b *Batch) {
					for _, f := range fs {
						f.Seq = uint64(len(model[id]) + 1)
						if !b.Frame(live[id], f) {
							t.Fatal("refused")
						}
						model[id] = append(model[id], f)
					}
				}); err != nil {
					t.Fatal(err)
				}
			},
			"seal": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip("nothing is open")
				}
				id := rapid.SampledFrom(names()).Draw(t, "recording")
				seal(t, live[id])
				sealed[id] = true
				delete(live, id)
			},
			"release": func(t *rapid.T) {
				if len(sealed) == 0 {
					t.Skip("nothing is sealed")
				}
				id := rapid.SampledFrom(sortedKeys(sealed)).Draw(t, "recording")
				if err := l.Release(id); err != nil {
					t.Fatal(err)
				}
				delete(sealed, id)
				delete(model, id)
			},
			"restart": func(*rapid.T) { reopen(d) },
			"kill":    func(*rapid.T) { reopen(d.killed()) },
			"power": func(t *rapid.T) {
				rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
				reopen(d.cut(func() bool { return rnd.IntN(2) == 0 }))
			},
			"": func(t *rapid.T) {
				for id, want := range model {
					wantSame(t, l, id, want)
				}
			},
		})
		_ = l.Close(context.Background())
		sound(t, d)
	})
}
