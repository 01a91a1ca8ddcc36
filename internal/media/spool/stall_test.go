package spool

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A disk that hangs is seen from the first moment, by whoever asks, and by the
// metric after a second; when it goes on, nothing has happened.
func TestStalled(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		o := small(d)
		reg := prometheus.NewRegistry()
		o.Registerer = reg
		l := open(t, o)
		r := begin(t, l, ps[0], "rec")
		want := func(least, most time.Duration, alert float64) {
			t.Helper()
			if got := l.Stalled(); got < least || got > most {
				t.Errorf("stalled for %v, want %v to %v", got, least, most)
			}
			if got := gauge(t, reg, "recorderbot_spool_commit_stalled"); got != alert {
				t.Errorf("the metric says %v, want %v", got, alert)
			}
		}
		want(0, 0, 0)
		letGo := hung(d)
		if err := l.Update(func(b *Batch) { b.Frame(r, audio(1)) }); err != nil {
			t.Fatal(err)
		}
		<-time.After(900 * time.Millisecond)
		synctest.Wait()
		want(800*time.Millisecond, 900*time.Millisecond, 0)
		<-time.After(300 * time.Millisecond)
		want(1100*time.Millisecond, 1200*time.Millisecond, 1)
		letGo()
		synctest.Wait()
		want(0, 0, 0)
		seal(t, r)
		shut(t, l)
		want(0, 0, 0)
	})
}

func gauge(tb testing.TB, reg *prometheus.Registry, name string) float64 {
	tb.Helper()
	all, err := reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	tb.Fatalf("there is no %s", name)
	return 0
}
