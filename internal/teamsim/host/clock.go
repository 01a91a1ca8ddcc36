package host

import "time"

// ntpEpoch is 1970-01-01 in ticks since 1900-01-01.
const ntpEpoch = 2_208_988_800 * 10_000_000

// Ticks converts a time to 100 ns ticks since 1900-01-01T00:00:00Z.
func Ticks(t time.Time) int64 { return ntpEpoch + t.UnixNano()/100 }

// ticksLong is how long so many ticks are.
func ticksLong(ticks int64) time.Duration { return time.Duration(ticks) * 100 }

// A clock knows two times: that of the wall, for holding times, and that of
// media, which may run faster. A manual clock stands still but for advance.
type clock struct {
	begin  time.Time
	speed  float64
	manual bool
	passed time.Duration // manual only
}

func newClock(manual bool, speed float64) clock {
	return clock{begin: time.Now(), speed: speed, manual: manual}
}

// wall is the time that holding times are measured in.
func (c *clock) wall() time.Time {
	if c.manual {
		return c.begin.Add(c.passed)
	}
	return time.Now()
}

// media is how much media time has passed since the host began.
func (c *clock) media() time.Duration {
	if c.manual {
		return c.passed
	}
	return time.Duration(float64(time.Since(c.begin)) * c.speed)
}

// ticks is the media clock as the platform would tell it, in whole
// milliseconds.
func (c *clock) ticks() int64 {
	return Ticks(c.begin.Add(c.media()).Truncate(time.Millisecond))
}

// A window is a time with a beginning; a zero end means for ever.
type window struct{ from, until time.Time }

func (w window) has(t time.Time) bool {
	return !w.from.IsZero() && !t.Before(w.from) && (w.until.IsZero() || t.Before(w.until))
}

// windowFor begins now; length 0 is for ever.
func windowFor(now time.Time, length time.Duration) window {
	if length == 0 {
		return window{from: now}
	}
	return window{from: now, until: now.Add(length)}
}
