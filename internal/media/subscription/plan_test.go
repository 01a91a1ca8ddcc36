package subscription

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }

func camera1(source, voice uint32) Camera { return Camera{Source: source, Voices: []uint32{voice}} }

func expect(t *testing.T, what string, got []Action, want ...Action) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: asked %+v, want %+v", what, got, want)
	}
}

// TestLife: one camera on one socket, through all that can happen to it.
func TestLife(t *testing.T) {
	t.Parallel()
	p := New(1, false, 720)
	p.Status(0, false, false)
	p.Roster([]Camera{camera1(7, 1)})
	expect(t, "before consent", p.Next(at(0)))
	p.Open(true)
	expect(t, "not active", p.Next(at(0)))
	p.Status(0, false, true)
	subscribe := Action{What: Subscribe, Socket: 0, Source: 7, Height: 720}
	expect(t, "active", p.Next(at(1)), subscribe)
	expect(t, "asked already", p.Next(at(2)))
	p.Result(0, 7, false, at(2))
	expect(t, "refused", p.Next(at(3)))
	expect(t, "again", p.Next(at(7)), subscribe)
	p.Result(0, 7, true, at(7))
	expect(t, "the first frame is a key frame, as a rule", p.Next(at(7.5)))
	expect(t, "and if not", p.Next(at(8)), Action{What: KeyFrame, Socket: 0})
	expect(t, "once a second", p.Next(at(8.5)))
	p.Keys(1)
	expect(t, "decodable", p.Next(at(20)))
	p.Holes(1)
	expect(t, "a hole", p.Next(at(20.5)), Action{What: KeyFrame, Socket: 0})
	p.Keys(1)
	p.Lost(7)
	expect(t, "a gap", p.Next(at(22)), Action{What: KeyFrame, Socket: 0})
	p.Keys(1)
	p.Status(0, false, false)
	expect(t, "inactive", p.Next(at(22.5)))
	p.Status(0, false, true)
	expect(t, "reactivated", p.Next(at(23)), subscribe)
	p.Result(0, 7, true, at(23))
	p.Keys(1)
	p.Attached()
	expect(t, "a new link", p.Next(at(24)), subscribe)
	p.Roster(nil)
	expect(t, "the camera is off", p.Next(at(25)), Action{What: Unsubscribe, Socket: 0})
	expect(t, "nothing more", p.Next(at(60)))
}

// TestWhoSpokeLast: more cameras than sockets.
func TestWhoSpokeLast(t *testing.T) {
	t.Parallel()
	p := New(2, true, 360)
	p.Open(true)
	p.Roster([]Camera{camera1(11, 1), camera1(12, 2), camera1(13, 3), {Source: 90, Screen: true}})
	expect(t, "the roster's order", p.Next(at(0)),
		Action{Subscribe, 0, 11, 360}, Action{Subscribe, 1, 12, 360}, Action{Subscribe, 2, 90, 360})
	p.Speakers([]uint32{2}, at(1))
	p.Speakers([]uint32{3}, at(2))
	expect(t, "nobody is moved at once", p.Next(at(3)))
	expect(t, "who never spoke makes room", p.Next(at(6)), Action{Subscribe, 0, 13, 360})
	p.Speakers([]uint32{1}, at(10))
	expect(t, "who spoke first makes room", p.Next(at(12)), Action{Subscribe, 1, 11, 360})
	p.Status(4, true, false)
	p.Status(4, true, true)
	expect(t, "the screen's number is the platform's", p.Next(at(13)), Action{Subscribe, 4, 90, 360})
}

// TestAnyOrder: whatever happens, no source is on two sockets, no inactive socket is
// asked for anything, key frames are asked for once a second at most, and when all is
// quiet the sockets are with those who spoke last.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sockets := rapid.IntRange(1, 4).Draw(t, "sockets")
		p := New(sockets, false, 720)
		p.Open(true)
		now := start
		inactive := map[uint8]bool{}
		on := map[uint8]uint32{}
		keyed := map[uint8]time.Time{}
		spoke := map[uint32]time.Time{}
		var cameras []Camera
		apply := func() {
			for _, a := range p.Next(now) {
				if inactive[a.Socket] {
					t.Fatalf("socket %d is inactive: %+v", a.Socket, a)
				}
				switch a.What {
				case Subscribe:
					on[a.Socket] = a.Source
				case Unsubscribe:
					delete(on, a.Socket)
				case KeyFrame:
					if last, ok := keyed[a.Socket]; ok && now.Sub(last) < keyEvery {
						t.Fatalf("socket %d was asked for a key frame %v ago", a.Socket, now.Sub(last))
					}
					keyed[a.Socket] = now
				}
			}
			seen := map[uint32]bool{}
			for _, source := range on {
				if seen[source] {
					t.Fatalf("source %d is on two sockets: %v", source, on)
				}
				seen[source] = true
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 8000).Draw(t, "ms")) * time.Millisecond)
			number := uint8(rapid.IntRange(0, sockets-1).Draw(t, "socket"))
			source := uint32(rapid.IntRange(1, 8).Draw(t, "source"))
			switch rapid.IntRange(0, 7).Draw(t, "event") {
			case 0, 1:
				active := rapid.Bool().Draw(t, "active")
				p.Status(number, false, active)
				if inactive[number] = !active; !active {
					delete(on, number)
				}
			case 2:
				cameras = nil
				for _, s := range rapid.SliceOfDistinct(rapid.Uint32Range(1, 8), func(s uint32) uint32 { return s }).Draw(t, "roster") {
					cameras = append(cameras, camera1(s, 100+s))
				}
				p.Roster(cameras)
				for s := range spoke {
					if !slices.ContainsFunc(cameras, func(c Camera) bool { return c.Source == s }) {
						delete(spoke, s)
					}
				}
			case 3:
				p.Speakers([]uint32{100 + source}, now)
				if slices.ContainsFunc(cameras, func(c Camera) bool { return c.Source == source }) {
					spoke[source] = now
				}
			case 4:
				p.Result(number, source, rapid.Bool().Draw(t, "ok"), now)
			case 5:
				p.Lost(source)
			case 6:
				p.Keys(rapid.Uint32Range(0, 15).Draw(t, "keys"))
				p.Holes(rapid.Uint32Range(0, 15).Draw(t, "holes"))
			case 7:
				p.Attached()
			}
			apply()
		}
		for i := range sockets {
			p.Status(uint8(i), false, true)
			delete(inactive, uint8(i))
		}
		for range 10 {
			now = now.Add(10 * time.Second)
			apply()
		}
		if len(on) != min(sockets, len(cameras)) {
			t.Fatalf("%d of %d cameras on %d sockets: %v", len(on), len(cameras), sockets, on)
		}
		for _, c := range cameras {
			for _, source := range on {
				if !slices.Contains(values(on), c.Source) && spoke[c.Source].After(spoke[source]) {
					t.Fatalf("source %d spoke at %v and has no socket, %d spoke at %v and has", c.Source, spoke[c.Source], source, spoke[source])
				}
			}
		}
	})
}

func values(m map[uint8]uint32) (all []uint32) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// TestCameraAndScreenOfOneNumber are two: each media type has numbers of its own.
func TestCameraAndScreenOfOneNumber(t *testing.T) {
	t.Parallel()
	p := New(1, true, 720)
	p.Open(true)
	screen := camera1(7, 1)
	screen.Screen = true
	p.Roster([]Camera{camera1(7, 1), screen})
	p.Speakers([]uint32{1}, at(0))
	p.Roster([]Camera{camera1(7, 1), screen, camera1(8, 2)})
	expect(t, "both", p.Next(at(1)), Action{What: Subscribe, Socket: 0, Source: 7, Height: 720}, Action{What: Subscribe, Socket: 1, Source: 7, Height: 720})
	p.Speakers([]uint32{2}, at(10))
	expect(t, "another one speaks", p.Next(at(20)), Action{What: Subscribe, Socket: 0, Source: 8, Height: 720})
	p.Roster([]Camera{screen, camera1(8, 2)})
	expect(t, "only the camera is off", p.Next(at(30)))
}
