package teamsim_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// A watcher takes one session's media and asks for all cameras that it is told of.
type watcher struct {
	t       *testing.T
	cameras map[uint32]uint32 // socket → source to ask for
	rosters []string          // what the bot was told, when the run is over

	link pb.MediaHost_LinkClient
	mu   sync.Mutex
	came map[host.Stream]int // frames
	done chan struct{}
}

func (w *watcher) attach(c pb.MediaHostClient, session string) {
	link, err := c.Link(context.Background())
	if err != nil {
		w.t.Error(err)
		return
	}
	w.link, w.came, w.done = link, map[host.Stream]int{}, make(chan struct{})
	w.send(&pb.ToHost{Message: &pb.ToHost_Attach{Attach: &pb.Attach{SessionId: session, Handle: 1, Lease: 1, FromSeq: 1}}})
	go w.read()
}

func (w *watcher) open() {
	w.send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: 1}}})
}

func (w *watcher) send(m *pb.ToHost) {
	if err := w.link.Send(m); err != nil {
		w.t.Error(err)
	}
}

func (w *watcher) read() {
	defer close(w.done)
	for {
		m, err := w.link.Recv()
		if err != nil || m.GetSessionClosed() != nil {
			_ = w.link.CloseSend()
			return
		}
		if s := m.GetReceiveStatus(); s.GetActive() {
			w.send(&pb.ToHost{Message: &pb.ToHost_Subscribe{Subscribe: &pb.Subscribe{Handle: 1, Socket: s.GetSocket(), SourceId: w.cameras[s.GetSocket()], Height: 720}}})
		}
		if r := m.GetSubscribeResult(); r.GetError() != "" {
			w.t.Errorf("subscribing: %v", r)
		}
		w.mu.Lock()
		for b := m.GetFrames().GetPacked(); len(b) > 0; b = b[48+binary.LittleEndian.Uint32(b):] {
			w.came[host.Stream{Kind: b[36], Source: binary.LittleEndian.Uint32(b[32:])}]++
		}
		w.mu.Unlock()
	}
}

const carried = `
name: carried
seed: 9
recording: {audio: unmixed, video: 360p, cameras: 2, screenShare: true}
media: {speed: 4, videoDelay: 40ms}
calls:
  - variants: {delta: true}
    people:
      - {name: Ada, audio: 11, speaks: [{from: 0s}], cameras: [{source: 12, clip: sync}]}
      - {name: Gus, kind: guest, joins: 2s, audio: 21, speaks: [{from: 0s}], cameras: [{source: 22}]}
      - {name: Ghost, hidden: true, audio: 51, voice: beep}
      - {name: Late, audio: 31, silent: true, named: 5s, screens: [{source: 32, from: 1s, to: 7s}]}
    deliveries: [{of: roster, copies: 1}]
    end: {when: recording, after: 3s}
`

// TestEverythingACallCarries: speakers, cameras, a screen, and the roster that tells
// whose they are.
func TestEverythingACallCarries(t *testing.T) {
	t.Parallel()
	w := &watcher{cameras: map[uint32]uint32{0: 12, 1: 22, 2: 32}}
	r, _ := playWatched(t, scenario(t, carried), w)
	if len(r.Violations) != 0 || len(r.Faults) != 0 || len(r.Sessions) != 1 {
		t.Fatalf("violations %v, faults %v, %d sessions", r.Violations, r.Faults, len(r.Sessions))
	}
	select {
	case <-w.done:
	case <-time.After(5 * time.Second):
		t.Fatal("the session was not closed")
	}
	start := r.Sessions[0].MediaStart
	sent := map[host.Stream]int{}
	for _, run := range r.Sessions[0].Runs {
		sent[run.Stream] += int(run.Count)
		at := time.Duration(run.Time-start) * 100
		if run.Stream.Source/10 == 2 && at < 2*time.Second || run.Stream.Source == 32 && (at < time.Second || at >= 7*time.Second) {
			t.Errorf("%v is there at %v", run.Stream, at)
		}
	}
	for _, want := range []host.Stream{{Kind: 2, Source: 11}, {Kind: 2, Source: 21}, {Kind: 2, Source: 51}, {Kind: 3, Source: 12}, {Kind: 3, Source: 22}, {Kind: 4, Source: 32}} {
		if sent[want] < 20 || w.came[want] < sent[want]*9/10 {
			t.Errorf("%v: %d frames were sent, %d came", want, sent[want], w.came[want])
		}
	}
	if len(sent) != 6 {
		t.Errorf("streams %v", sent)
	}
	checkRosters(t, w.rosters)
}

// checkRosters: deltas, twice each, name all sources but the ghost's, the late one's
// late.
func checkRosters(t *testing.T, bodies []string) {
	t.Helper()
	var sequences []int64
	named := map[uint64]int64{} // source → sequence
	for _, body := range bodies {
		var d struct {
			SequenceNumber int64
			Participants   []struct{ MediaStreams []struct{ SourceID string } }
		}
		text := strings.TrimSuffix(strings.TrimPrefix(body, "["), "]")
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		sequences = append(sequences, d.SequenceNumber)
		for _, p := range d.Participants {
			for _, s := range p.MediaStreams {
				id, err := strconv.ParseUint(s.SourceID, 10, 32)
				if _, known := named[id]; err == nil && !known {
					named[id] = d.SequenceNumber
				}
			}
		}
	}
	slices.Sort(sequences)
	if !slices.Equal(slices.Compact(slices.Clone(sequences)), []int64{1, 2, 3, 4, 5}) || len(sequences) != 6 {
		t.Errorf("sequences %v: want 1 twice, then 2 to 5", sequences)
	}
	if len(named) != 6 || named[12] != 1 || named[21] <= 1 || named[31] <= named[21] || named[51] != 0 {
		t.Errorf("sources by the sequence that named them: %v", named)
	}
}
