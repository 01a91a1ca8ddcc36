package referee

import (
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// TestWhoSpoke: what is said twice is said by two processes where one was started in
// between, or where the older one still lived beside the newer at the first.
func TestWhoSpoke(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	l := readLives([]trace.Event{
		{Kind: trace.BotStarted, At: at(0)},
		{Kind: trace.InviteSent, At: at(1)},
		{Kind: trace.BotStarted, At: at(10)}, // beside the first
		{Kind: trace.BotStopped, At: at(20)},
		{Kind: trace.BotStopped, At: at(30)},
		{Kind: trace.BotStarted, At: at(31)},
	})
	for name, tt := range map[string]struct{ from, to, used, want int }{
		"one process":                {2, 9, -1, -1},
		"the old, then the new":      {2, 11, -1, 0},
		"the old beside the new":     {12, 15, -1, 0},
		"the old, the new afterward": {19, 25, -1, 0},
		"the new twice":              {12, 15, 0, -1},
		"the new alone":              {21, 25, -1, -1},
		"the third":                  {25, 32, 0, 1},
		"the third twice":            {32, 33, 1, -1},
		"beside, and then the third": {15, 32, 0, 1},
	} {
		if got := l.another(at(tt.from), at(tt.to), tt.used); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
