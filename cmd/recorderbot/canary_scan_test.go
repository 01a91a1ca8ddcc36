package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A canary is a waveform that occurs nowhere else, and how to find any 32 bytes of
// it, as it is or as a log, a database or an encoder would write it.
type canary struct {
	pcm     []int16
	speaker string // who is said to speak in it
	forms   []form
	index   map[uint64][]spot // words that begin at a multiple of wordEvery
	some    []uint64          // bits: whether a word can be in the index
}

// A form is the canary in one notation, as long as it is.
type form struct {
	name string
	data []byte
}

type spot struct {
	form int
	at   int
}

const (
	canaryWindow = 32 // bytes that nobody guesses
	wordEvery    = 16 // each window holds a whole word that is in the index
	someBits     = 24
	formRaw      = "raw" // as frames carry it
	// mostSightings in one place are enough to act on.
	mostSightings = 10
)

// newCanary makes noise of the given length, and its index.
func newCanary(samples int) *canary {
	rng := rand.New(rand.NewPCG(0xCA, 0xAA))
	c := &canary{pcm: make([]int16, samples), index: map[uint64][]spot{}, some: make([]uint64, 1<<(someBits-6))}
	little, big, wide := []byte{}, []byte{}, []byte{}
	for i := range c.pcm {
		s := int16(rng.Uint32())
		c.pcm[i] = s
		little = binary.LittleEndian.AppendUint16(little, uint16(s))
		big = binary.BigEndian.AppendUint16(big, uint16(s))
		wide = binary.LittleEndian.AppendUint32(wide, uint32(int32(s)))
	}
	hexed := []byte(hex.EncodeToString(little))
	decimals := []byte(strings.Trim(fmt.Sprintf("%d", little), "[]"))
	c.forms = []form{
		{formRaw, little},
		{"big-endian", big}, // FLAC's verbatim samples, AIFF
		{"32 bits", wide},   // a decoder's or encoder's samples
		{"hex", hexed},
		{"HEX", bytes.ToUpper(hexed)},
		{"decimals", decimals},
		{"JSON", bytes.ReplaceAll(decimals, []byte(" "), []byte(","))},
	}
	for shift := range 3 { // the three places in which a byte may stand
		c.forms = append(c.forms, form{"base64", []byte(base64.StdEncoding.EncodeToString(little[shift:]))})
	}
	for n, f := range c.forms {
		for at := 0; at+8 <= len(f.data); at += wordEvery {
			w := binary.LittleEndian.Uint64(f.data[at:])
			c.index[w] = append(c.index[w], spot{n, at})
			h := someHash(w)
			c.some[h>>6] |= 1 << (h & 63)
		}
	}
	return c
}

func someHash(w uint64) uint64 { return (w * 0x9E3779B97F4A7C15) >> (64 - someBits) }

// A sighting is a piece of the canary.
type sighting struct {
	form  string
	bytes int
	at    int
}

// String is for people.
func (s sighting) String() string { return fmt.Sprintf("%d bytes, %s, at %#x", s.bytes, s.form, s.at) }

// find returns where in data pieces of the canary are; the first few.
func (c *canary) find(data []byte) (found []sighting) {
	for at := 0; at+8 <= len(data); at++ {
		w := binary.LittleEndian.Uint64(data[at:])
		if h := someHash(w); c.some[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		longest, name := 0, ""
		for _, s := range c.index[w] {
			f := c.forms[s.form]
			if n := alike(data, at, f.data, s.at); n > longest {
				longest, name = n, f.name
			}
		}
		if longest >= canaryWindow {
			found = append(found, sighting{name, longest, at})
			if len(found) == mostSightings {
				return found
			}
			at += longest
		}
	}
	return found
}

// alike is how many bytes around the two places are the same.
func alike(a []byte, i int, b []byte, k int) (n int) {
	for i > 0 && k > 0 && a[i-1] == b[k-1] {
		i, k = i-1, k-1
	}
	for i+n < len(a) && k+n < len(b) && a[i+n] == b[k+n] {
		n++
	}
	return n
}

// notIn reports what there is of the canary, and of what is derived from it.
func (c *canary) notIn(t *testing.T, where string, data []byte) {
	t.Helper()
	for _, f := range c.find(data) {
		t.Errorf("%s: %s", where, f)
	}
	if c.speaker != "" && bytes.Contains(data, []byte(c.speaker)) {
		t.Errorf("%s: who spoke in it", where)
	}
}

// inFiles looks through every file below dir, written to its end or not.
func (c *canary) inFiles(t *testing.T, dir string) (files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		c.notIn(t, path, data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCanaryIsFound: in any notation, wherever it begins, in any surroundings; and
// in nothing else.
func TestCanaryIsFound(t *testing.T) {
	t.Parallel()
	c := newCanary(16_000)
	noise := make([]byte, 1<<20)
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	if found := c.find(noise); len(found) > 0 {
		t.Errorf("found in noise: %v", found)
	}
	for _, f := range c.forms {
		for _, from := range []int{0, 1, 7, 15, 1001} {
			planted := bytes.Clone(noise[:4096])
			copy(planted[1234+from%3:], f.data[from:from+canaryWindow])
			if len(c.find(planted)) != 1 {
				t.Errorf("%s from %d on is not found", f.name, from)
			}
		}
	}
}
