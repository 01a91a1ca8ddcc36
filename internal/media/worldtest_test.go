package media

import (
	"bytes"
	"context"
	"crypto/tls"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/durable/durabletest"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(runChild())
	}
	goleak.VerifyTestMain(m)
}

// A world is a recorder with everything real but the platform and the
// catalogue: registry, service, spool, and media hosts over TLS.
type world struct {
	tb       testing.TB
	dir      string
	spool    *spool.Log
	service  *Service
	registry *recorder.Registry
	reg      *prometheus.Registry
	hosts    []*testHost
	stop     context.CancelFunc
	done     chan struct{}

	mu      sync.Mutex
	said    []string // what the platform was told, and what we saw then
	rosters int      // how often it was asked for one
	ends    map[recorder.CallID]recorder.Conclusion
	seals   map[recorder.CallID]recorder.SealReport
	notes   []recorder.Entry
	consent chan struct{} // announce(recording) waits for it
	onEnd   func(recorder.CallID)

	onPermit func()        // between consent and Open
	broken   []error       // what Options.OnFailure was told
	still    chan struct{} // not nil: commits wait until it is closed
	late     []recorder.SealReport
}

type worldOptions struct {
	hosts      int
	bridge     time.Duration
	streams    Streams
	partLength time.Duration
	asks       bool // consent must be given with w.agree
	log        *zap.Logger
}

// blankWorld is a world in which nothing has begun.
func blankWorld(tb testing.TB, o worldOptions) *world {
	tb.Helper()
	w := &world{
		tb: tb, dir: durabletest.Dir(tb), reg: prometheus.NewRegistry(), done: make(chan struct{}), consent: make(chan struct{}),
		ends: map[recorder.CallID]recorder.Conclusion{}, seals: map[recorder.CallID]recorder.SealReport{},
	}
	if !o.asks {
		close(w.consent)
	}
	return w
}

func newWorld(tb testing.TB, o worldOptions) *world {
	tb.Helper()
	w := blankWorld(tb, o)
	ca := newAuthority(tb)
	var addresses []string
	for i := range max(o.hosts, 1) {
		h := newTestHost(tb, ca, "host-"+string(rune('a'+i)))
		w.hosts = append(w.hosts, h)
		addresses = append(addresses, h.addr)
	}
	w.begin(addresses, ca.client(tb), o, spool.Options{SegmentSize: 4 << 20, CommitInterval: 5 * time.Millisecond})
	return w
}

// begin starts everything on this side.
func (w *world) begin(addresses []string, conf *tls.Config, o worldOptions, so spool.Options) {
	tb := w.tb
	tb.Helper()
	hooks := &Hooks{}
	so.Dir, so.OnFailure, so.Registerer = filepath.Join(w.dir, "spool"), hooks.OnFailure, w.reg
	so.OnDurable = func(ds []spool.Durable) {
		w.mu.Lock()
		still := w.still
		w.mu.Unlock()
		if still != nil {
			<-still
		}
		hooks.OnDurable(ds)
	}
	log := o.log
	if log == nil {
		log = zap.NewNop()
	}
	var err error
	if w.spool, err = spool.Open(tb.Context(), so); err != nil {
		tb.Fatal(err)
	}
	w.service, err = New(Options{
		Hosts: addresses, TLS: conf, Spool: w.spool, Streams: o.streams, PartLength: o.partLength, Hooks: hooks, Bridge: o.bridge, OnFailure: w.fail,
		Registerer: w.reg, Log: log, Note: w.Note, LateSeal: w.sealedLate,
		Post: func(id recorder.CallID, ev recorder.Event) { _ = w.registry.Urge(id, ev) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	w.registry = recorder.NewRegistry(ctx, recorder.Options{Platform: w, Media: w.service, Ledger: w})
	go func() { defer close(w.done); _ = w.service.Run(ctx) }()
	tb.Cleanup(w.close)
	eventually(tb, "links", func() bool {
		return !slices.ContainsFunc(w.service.Health(), func(h HostHealth) bool { return !h.Up })
	})
}

// sealedLate is Options.LateSeal.
func (w *world) sealedLate(_ recorder.CallID, r recorder.SealReport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = append(w.late, r)
}

// fail is Options.OnFailure; what it calls shows that nothing is locked.
func (w *world) fail(err error) {
	if w.service != nil {
		_ = w.service.Failed()
		_ = w.service.Health()
		w.service.all()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, err)
}

func (w *world) close() {
	w.stop()
	<-w.done
	_ = w.registry.Wait(context.Background())
	_ = w.service.Close(context.Background())
	_ = w.spool.Close(context.Background())
}

// invite starts a call; with consent it goes on to recording.
func (w *world) invite(id recorder.CallID) {
	w.registry.Invite(recorder.Invite{
		Call: recorder.CallRef{ID: id, Platform: string(id), Tenant: "t"}, At: time.Now(), ObservedParticipant: "p", Region: "EUNO",
	})
}

// record starts a call and waits until its gate is open.
func (w *world) record(id recorder.CallID) (*session, *testSession) {
	w.tb.Helper()
	w.invite(id)
	return w.opened(id)
}

func (w *world) opened(id recorder.CallID) (*session, *testSession) {
	w.tb.Helper()
	var s *session
	eventually(w.tb, "an open gate", func() bool {
		if s = w.service.session(id); s == nil {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.gate == gateOpen
	})
	return s, w.onHost(s)
}

// placed waits until a call has its session.
func (w *world) placed(id recorder.CallID) *session {
	w.tb.Helper()
	eventually(w.tb, "a session", func() bool { return w.service.session(id) != nil })
	return w.service.session(id)
}

// onHost is the host's side of a session.
func (w *world) onHost(s *session) *testSession {
	w.tb.Helper()
	for _, h := range w.hosts {
		h.mu.Lock()
		one := h.sessions[s.id]
		h.mu.Unlock()
		if one != nil {
			return one
		}
	}
	w.tb.Fatal("no host has the session")
	return nil
}

// hangUp ends a call in good order.
func (w *world) hangUp(id recorder.CallID) { _ = w.registry.Post(id, recorder.CallEnded{Code: 200}) }

// end waits for a call's outcome.
func (w *world) end(id recorder.CallID) recorder.Conclusion {
	w.tb.Helper()
	var c recorder.Conclusion
	eventually(w.tb, "an outcome", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		var ok bool
		c, ok = w.ends[id]
		return ok
	})
	return c
}

// stored waits until the spool was handed everything up to seq.
func (w *world) stored(s *session, seq uint64) {
	w.tb.Helper()
	eventually(w.tb, "frames in the spool", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.next > seq
	})
}

// refused waits until so many frames of a session were discarded for a reason.
func (w *world) refused(s *session, why reason, n uint64) {
	w.tb.Helper()
	eventually(w.tb, "refused frames", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.discarded[why] >= n
	})
}

func (w *world) Answer(_ context.Context, call recorder.CallRef, _ recorder.Session) (recorder.Receipt, error) {
	return recorder.Receipt{HTTPStatus: 202}, w.registry.Post(call.ID, recorder.Established{})
}

func (w *world) Reject(context.Context, recorder.CallRef, recorder.RejectReason) (recorder.Receipt, error) {
	return recorder.Receipt{HTTPStatus: 202}, nil
}

func (w *world) Announce(_ context.Context, call recorder.CallRef, status recorder.RecordingStatus, clientContext string) (recorder.Operation, error) {
	if status == recorder.StatusRecording {
		<-w.consent
	} else if w.onEnd != nil {
		w.onEnd(call.ID)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, string(call.ID)+" "+status.String())
	return recorder.Operation{
		ID: "op", Context: clientContext, Progress: recorder.Completed, At: time.Now(), Receipt: recorder.Receipt{HTTPStatus: 200},
	}, nil
}

func (w *world) PollOperation(context.Context, recorder.CallRef, recorder.OperationID) (recorder.Operation, error) {
	return recorder.Operation{}, &recorder.Fault{Kind: recorder.FaultUnknown}
}

func (w *world) KeepAlive(context.Context, recorder.CallRef) (recorder.Receipt, error) {
	return recorder.Receipt{HTTPStatus: 200}, nil
}

func (w *world) AskCall(context.Context, recorder.CallRef) (recorder.Standing, error) {
	return recorder.StandingUnknown, &recorder.Fault{Kind: recorder.FaultGone}
}

func (w *world) AskRoster(context.Context, recorder.CallRef) (recorder.Roster, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rosters++
	return recorder.Roster{}, nil
}

func (w *world) HangUp(context.Context, recorder.CallRef) (recorder.Receipt, error) {
	return recorder.Receipt{HTTPStatus: 204}, nil
}

func (w *world) Invited(recorder.Invite) {}

func (w *world) Append(_ context.Context, es ...recorder.Entry) error {
	for _, e := range es {
		if e.Kind == recorder.EntryPermit && w.onPermit != nil {
			w.onPermit()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range es {
		if r, ok := e.Data.(recorder.SealReport); ok {
			w.seals[e.Call] = r
		}
	}
	return nil
}

func (w *world) Note(e recorder.Entry) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, e)
	return true
}

func (w *world) Conclude(_ context.Context, c recorder.Conclusion) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends[c.Call] = c
	return nil
}

func (w *world) heard(status string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.said, status)
}

// report is what was sealed of a call.
func (w *world) report(id recorder.CallID) recorder.SealReport {
	w.tb.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.seals[id]
	if !ok {
		w.tb.Fatalf("call %s was not sealed: %+v", id, w.ends[id])
	}
	return r
}

// A kept is what the spool has of a recording.
type kept struct {
	seqs []uint64
	data [][]byte
	gaps []spool.Record
	seal *spool.SealRecord
}

func (w *world) kept(id string) kept {
	w.tb.Helper()
	var k kept
	for r, err := range w.spool.Read(id) {
		if err != nil {
			w.tb.Fatal(err)
		}
		switch r.Type {
		case spool.FrameType:
			k.seqs = append(k.seqs, r.Header.Seq)
			k.data = append(k.data, bytes.Clone(r.Payload))
		case spool.GapType:
			k.gaps = append(k.gaps, r)
		case spool.SealType:
			k.seal = r.Seal
		case spool.PermitType, spool.NoteType:
		}
	}
	return k
}

// onDisk reports whether the spool's files hold these bytes anywhere.
func (w *world) onDisk(b []byte) bool {
	w.tb.Helper()
	found := false
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all, err := os.ReadFile(path)
		found = found || bytes.Contains(all, b)
		return err
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	return found
}
