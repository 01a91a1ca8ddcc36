package frame

import "testing"

// TestBehind: what is left of a gap begins later, by as much as is gone.
func TestBehind(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ g, want Gap }{
		"audio":     {Gap{Kind: UnmixedAudio, FirstSeq: 5, Count: 4, FromTime: 1000, ToTime: 9000}, Gap{Kind: UnmixedAudio, FirstSeq: 7, Count: 2, FromTime: 1000 + 2*TicksPerFrame, ToTime: 9000}},
		"video":     {Gap{Kind: Video, FirstSeq: 5, Count: 4, FromTime: 1000}, Gap{Kind: Video, FirstSeq: 7, Count: 2, FromTime: 1000}},
		"no time":   {Gap{Kind: MixedAudio, FirstSeq: 5, Count: 4}, Gap{Kind: MixedAudio, FirstSeq: 7, Count: 2}},
		"all of it": {Gap{Kind: MixedAudio, FirstSeq: 8, Count: 4, FromTime: 1000}, Gap{Kind: MixedAudio, FirstSeq: 8, Count: 4, FromTime: 1000}},
	} {
		if got := tt.g.Behind(7); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
