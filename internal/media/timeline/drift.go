package timeline

// knownAfter is how many frames make the clock known well enough to see it drift.
const knownAfter = 256

// Adrift returns by how many ticks at most the media clock of a track of audio has moved
// against its samples since it was known. By so much its sound is off what cameras and
// screens show, for those are laid out by their times. 0: there is nothing to be seen.
func (t *Timeline) Adrift() (most int64) {
	seen := false
	for _, tr := range t.tracks {
		switch {
		case !tr.audio:
			seen = seen || tr.Frames > 0
		default:
			most = max(most, tr.clock.adrift())
		}
	}
	if !seen {
		return 0
	}
	return most
}

// adrift is that of one clock, either way.
func (c *clock) adrift() int64 {
	off := c.anew
	if c.isKnown && c.seen >= knownAfter {
		off += c.base>>8 - c.known
	}
	return max(off, -off)
}
