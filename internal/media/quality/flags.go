package quality

import (
	"slices"
	"time"
)

// A Flag is one thing that a person should look at.
type Flag string

// The flags, each with its rule.
const (
	// SilentWhileUnmuted: somebody could be heard for Patience or longer, by the roster,
	// and their track holds no sound at all; of mixed audio, anybody could, and nothing
	// was heard.
	SilentWhileUnmuted Flag = "silentWhileUnmuted"
	// OneWay: at least two could be heard for Patience or longer, and of only one there
	// was any sound.
	OneWay Flag = "oneWay"
	// Clipping: one in ClipShare samples with sound, or more, is clipped.
	Clipping Flag = "clipping"
	// MissingSpeaker: the platform named somebody as speaking, and no roster ever said
	// who that is; or they spoke for Spoken or longer, and where speakers are apart there
	// is no track of theirs.
	MissingSpeaker Flag = "missingSpeaker"
	// VeryShort: shorter than Short, and no piece of something longer.
	VeryShort Flag = "veryShort"
	// GapShare: one in MissingShare samples, or more, is missing.
	GapShare Flag = "gapShare"
)

// The limits of the rules.
const (
	Patience     = 30 * time.Second
	Short        = 2 * time.Second
	Spoken       = 5 * time.Second // less may be the tail of an older word, as a part begins
	ClipShare    = 1000
	MissingShare = 100
)

// Flags are all of them, in order.
func Flags() []Flag {
	return []Flag{SilentWhileUnmuted, OneWay, Clipping, MissingSpeaker, VeryShort, GapShare}
}

// A Track is what is known of one track of audio.
type Track struct {
	Meter

	Mixed   bool
	Audible time.Duration // for how long its source, or anybody in a mix, could be heard
	Bot     bool          // an application's: nobody expects to hear it
	Missing int64         // samples that are missing, idle ones left out
	All     int64         // samples, with those missing; idle ones left out: who is silent misses nothing
}

// A Recording is what flags are found in.
type Recording struct {
	Tracks []Track
	Length time.Duration
	// Unheard is for how long each participant could be heard of whom there is no track,
	// in a recording of speakers apart.
	Unheard []time.Duration
	// Piece: it begins where another recording of its call ended, or ends where another
	// begins, and nothing lies between.
	Piece bool
	// Nameless are the sources told to speak whom no roster named.
	Nameless int
	// Trackless is for how long each source was told to speak of which there is no track,
	// in a recording of speakers apart.
	Trackless []time.Duration
}

// Find returns the flags of a recording, in order.
func Find(r Recording) []Flag {
	found := map[Flag]bool{
		VeryShort:      r.Length < Short && !r.Piece,
		MissingSpeaker: r.Nameless > 0 || slices.ContainsFunc(r.Trackless, func(d time.Duration) bool { return d >= Spoken }),
	}
	heard, expected := 0, 0
	var sounding, clipped, missing, all int64
	for _, t := range r.Tracks {
		sounding, clipped, missing, all = sounding+t.Sounding, clipped+t.Clipped, missing+t.Missing, all+t.All
		patient := t.Audible >= Patience && !t.Bot
		switch {
		case t.Sounding > 0 && !t.Mixed:
			heard++
		case t.Sounding == 0 && patient:
			found[SilentWhileUnmuted] = true
		}
		if patient || t.Sounding > 0 {
			expected++
		}
	}
	for _, audible := range r.Unheard {
		if audible >= Patience {
			found[SilentWhileUnmuted] = true
			expected++
		}
	}
	found[OneWay] = heard == 1 && expected > 1
	found[Clipping] = clipped > 0 && clipped*ClipShare >= sounding
	found[GapShare] = missing > 0 && missing*MissingShare >= all
	return slices.DeleteFunc(Flags(), func(f Flag) bool { return !found[f] })
}
