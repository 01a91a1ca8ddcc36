package archive_test

import (
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// What a run that panicked has left can be swept away; what is published stays.
func TestSweep(t *testing.T) {
	t.Parallel()
	for _, step := range steps() {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			a, s := open(t), ordinary(t)
			if err := run(t, a, s.job(t, recorder.OutcomeRecordedWithGaps), step, true); !errors.Is(err, errInjected) {
				t.Fatalf("error %v, want the injected one", err)
			}
			there := a.There(recording)
			if err := a.Sweep(recording); err != nil {
				t.Fatal(err)
			}
			if published := step == "check" || step == "done"; there != published || a.There(recording) != published {
				t.Errorf("the folder is there: before %v, after %v; want %v", there, a.There(recording), published)
			} else if !published {
				empty(t, a.Dir())
			}
		})
	}
	if err := open(t).Sweep("../x"); err != nil {
		t.Error(err)
	}
}

// A panic counts as a failure, for it is one: an alert rests on that.
func TestPanicIsCounted(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	a, err := archive.Open("file:archive", t.TempDir(), archive.Options{Registerer: metrics})
	if err != nil {
		t.Fatal(err)
	}
	_ = run(t, a, ordinary(t).job(t, recorder.OutcomeRecordedWithGaps), "events", true)
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "recorderbot_archive_upload_seconds" && m.GetLabel()[0].GetValue() == "failed" && m.GetHistogram().GetSampleCount() == 1 {
				return
			}
		}
	}
	t.Errorf("no failure is counted: %v", families)
}
