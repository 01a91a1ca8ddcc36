package quality

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func pcm(samples []int16) []byte {
	b := make([]byte, 0, 2*len(samples))
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// TestMeter against the plain rule, in whatever portions the samples come.
func TestMeter(t *testing.T) {
	t.Parallel()
	values := []int16{0, 0, 0, 1, -1, 32766, 32767, 32767, 32767, -32768, -32768, -32768, -32767, 300, 256}
	rapid.Check(t, func(t *rapid.T) {
		var m, want Meter
		run := int64(0)
		for range rapid.IntRange(1, 8).Draw(t, "frames") {
			if n := rapid.Int64Range(0, 2).Draw(t, "missing"); n > 0 {
				m.Silence(n)
				run = 0
			}
			frame := rapid.SliceOfN(rapid.SampledFrom(values), 1, 40).Draw(t, "frame")
			m.Add(pcm(frame))
			want.Samples += int64(len(frame))
			if slices.ContainsFunc(frame, func(s int16) bool { return s != 0 }) {
				want.Sounding += int64(len(frame))
			}
			for _, s := range frame {
				if s != 32767 && s != -32768 {
					run = 0
					continue
				}
				if run++; run == 3 {
					want.Clipped += 3
				} else if run > 3 {
					want.Clipped++
				}
			}
		}
		if m.Samples != want.Samples || m.Sounding != want.Sounding || m.Clipped != want.Clipped {
			t.Fatalf("%+v, want %+v", m, want)
		}
	})
}

func TestFind(t *testing.T) {
	t.Parallel()
	heard := Track{Meter: Meter{Samples: 160000, Sounding: 100000}, Audible: time.Minute, All: 160000}
	with := func(t Track, change func(*Track)) Track { change(&t); return t }
	minute := func(tracks ...Track) Recording { return Recording{Tracks: tracks, Length: time.Minute} }
	for name, tt := range map[string]struct {
		r    Recording
		want []Flag
	}{
		"all is well":        {minute(heard, heard), nil},
		"mixed, and heard":   {minute(with(heard, func(t *Track) { t.Mixed = true })), nil},
		"mixed, and silent":  {minute(with(heard, func(t *Track) { t.Mixed, t.Sounding = true, 0 })), []Flag{SilentWhileUnmuted}},
		"silent":             {minute(heard, heard, with(heard, func(t *Track) { t.Sounding = 0 })), []Flag{SilentWhileUnmuted}},
		"silent, and muted":  {minute(heard, heard, with(heard, func(t *Track) { t.Sounding, t.Audible = 0, Patience-1 })), nil},
		"a silent bot":       {minute(heard, heard, with(heard, func(t *Track) { t.Sounding, t.Bot = 0, true })), nil},
		"one way":            {minute(heard, with(heard, func(t *Track) { t.Sounding = 0 })), []Flag{SilentWhileUnmuted, OneWay}},
		"one way, no track":  {Recording{Tracks: []Track{heard}, Length: time.Minute, Unheard: []time.Duration{Patience}}, []Flag{SilentWhileUnmuted, OneWay}},
		"alone":              {Recording{Tracks: []Track{heard}, Length: time.Minute, Unheard: []time.Duration{Patience - 1}}, nil},
		"clipping":           {minute(heard, with(heard, func(t *Track) { t.Clipped = 200 })), []Flag{Clipping}},
		"nearly clipping":    {minute(heard, with(heard, func(t *Track) { t.Clipped = 199 })), nil},
		"nameless":           {Recording{Tracks: []Track{heard, heard}, Length: time.Minute, Nameless: 1}, []Flag{MissingSpeaker}},
		"a track is missing": {Recording{Tracks: []Track{heard, heard}, Length: time.Minute, Trackless: []time.Duration{0, Spoken}}, []Flag{MissingSpeaker}},
		"hardly said a word": {Recording{Tracks: []Track{heard, heard}, Length: time.Minute, Trackless: []time.Duration{Spoken - 1}}, nil},
		"a short piece":      {Recording{Tracks: []Track{heard, heard}, Length: Short - 1, Piece: true}, nil},
		"short":              {Recording{Tracks: []Track{heard, heard}, Length: Short - 1}, []Flag{VeryShort}},
		"gaps":               {minute(heard, with(heard, func(t *Track) { t.Missing = 3200 })), []Flag{GapShare}},
		"few gaps":           {minute(heard, with(heard, func(t *Track) { t.Missing = 3199 })), nil},
		"nothing":            {Recording{Length: time.Minute}, nil},
	} {
		if got := Find(tt.r); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func BenchmarkMeter(b *testing.B) {
	frame := make([]int16, 320)
	for i := range frame {
		frame[i] = int16(i*97%4000 - 2000)
	}
	data := pcm(frame)
	var m Meter
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		m.Add(data)
	}
}
