package format_test

import (
	"context"
	"errors"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/format/formattest"
)

// What the header could not count is refused before it is encoded.
func TestFLACTooLong(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is not refused ends here
	w, err := format.NewFLACWriter(&formattest.Memory{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.PCM(make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int64]error{
		format.MaxSamples - 1: context.Canceled, format.MaxSamples: format.ErrFLACTooLong, 1<<63 - 1: format.ErrFLACTooLong,
	} {
		if err := w.Silence(ctx, n); !errors.Is(err, want) {
			t.Errorf("%d samples after one: error %v, want %v", n, err, want)
		}
	}
	if n := w.Samples(); n != 1 {
		t.Errorf("%d samples, want 1", n)
	}
}

// A day of silence does not hold up a shutdown.
func TestFLACSilenceIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := &cancelling{cancel: cancel}
	w, err := format.NewFLACWriter(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	const lots = 1 << 33
	if err := w.Silence(ctx, lots); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
	if n := w.Samples(); n == 0 || n > lots/100 {
		t.Errorf("%d samples were encoded", n)
	}
}

// cancelling cancels as soon as it is written to.
type cancelling struct {
	formattest.Memory

	cancel func()
}

func (c *cancelling) Write(p []byte) (int, error) {
	c.cancel()
	return c.Memory.Write(p)
}
