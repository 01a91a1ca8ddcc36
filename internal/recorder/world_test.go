package recorder

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A world is a platform, a media side and a ledger with scripts: it says yes
// unless told otherwise, and writes down what it was asked in order.
type world struct {
	registry *Registry

	mu          sync.Mutex
	seen        []string
	entries     []Entry
	conclusions []Conclusion
	orders      []SealOrder
	permits     []Permit
	announces   int

	pollReply     func(OperationID) (Operation, error)
	announceReply func(n int, status RecordingStatus, context string) (Operation, error)
	answerErr     error
	answerWait    func(context.Context)
	sessionErr    error
	openErr       error
	sealErr       error
	appendErr     func(Entry) error
	sealBlock     chan struct{}
	onAnswer      func(CallRef)
	panicOnOpen   bool
	standing      Standing
	standingErr   error
	previous      bool // opening, or sealing, finds what a dead process has left
	keepAliveErr  error
}

func (w *world) saw(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, s)
}

func (w *world) log() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

func (w *world) ends() []Conclusion {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.conclusions)
}

func (w *world) Answer(ctx context.Context, call CallRef, blob Session) (Receipt, error) {
	w.saw("answer " + blob.Blob)
	if w.answerWait != nil {
		w.answerWait(ctx)
	}
	if w.onAnswer != nil {
		w.onAnswer(call)
	}
	return Receipt{HTTPStatus: 202}, w.answerErr
}

func (w *world) Reject(_ context.Context, _ CallRef, reason RejectReason) (Receipt, error) {
	w.saw("reject " + reason.String())
	return Receipt{HTTPStatus: 202}, nil
}

func (w *world) Announce(_ context.Context, _ CallRef, status RecordingStatus, clientContext string) (Operation, error) {
	w.saw("announce " + status.String())
	w.mu.Lock()
	w.announces++
	n := w.announces
	w.mu.Unlock()
	if w.announceReply != nil {
		return w.announceReply(n, status, clientContext)
	}
	return Operation{ID: "op", Context: clientContext, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
}

func (w *world) PollOperation(_ context.Context, _ CallRef, id OperationID) (Operation, error) {
	w.saw("poll")
	if w.pollReply != nil {
		return w.pollReply(id)
	}
	return Operation{}, &Fault{Kind: FaultGone}
}

func (w *world) KeepAlive(context.Context, CallRef) (Receipt, error) {
	w.saw("keepAlive")
	w.mu.Lock()
	defer w.mu.Unlock()
	return Receipt{}, w.keepAliveErr
}

func (w *world) AskCall(context.Context, CallRef) (Standing, error) {
	w.saw("askCall")
	return w.standing, w.standingErr
}

func (w *world) AskRoster(context.Context, CallRef) (Roster, error) {
	return Roster{Participants: []Participant{{ID: "p"}}}, nil
}

func (w *world) HangUp(context.Context, CallRef) (Receipt, error) {
	w.saw("hangUp")
	return Receipt{HTTPStatus: 204}, nil
}

func (w *world) CreateSession(context.Context, CallRef, Placement) (Session, error) {
	w.saw("createSession")
	return Session{ID: "s", Host: "h", Blob: "blob"}, w.sessionErr
}

func (w *world) Open(_ context.Context, p Permit) (Opened, error) {
	w.saw("open")
	if w.panicOnOpen {
		panic("planted")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.permits = append(w.permits, p)
	return Opened{Recording: "r", Previous: w.left()}, w.openErr
}

func (w *world) Seal(ctx context.Context, o SealOrder) (SealReport, error) {
	w.saw("seal")
	w.mu.Lock()
	w.orders = append(w.orders, o)
	w.mu.Unlock()
	if w.sealBlock != nil {
		select {
		case <-w.sealBlock:
		case <-ctx.Done():
			return SealReport{}, ctx.Err()
		}
	}
	return SealReport{Recording: "r", Frames: 10, Samples: 3200}, w.sealErr
}

func (w *world) left() *SealReport {
	if !w.previous {
		return nil
	}
	return &SealReport{Recording: "left", Frames: 5, Samples: 1600}
}

func (w *world) Release(context.Context, CallID, string) error { w.saw("release"); return nil }

func (w *world) Invited(Invite) {}

func (w *world) Append(_ context.Context, es ...Entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range es {
		if w.appendErr != nil {
			if err := w.appendErr(e); err != nil {
				return err
			}
		}
		w.entries = append(w.entries, e)
		w.seen = append(w.seen, "journal "+string(e.Kind))
	}
	return nil
}

func (w *world) Note(e Entry) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries = append(w.entries, e)
	return true
}

func (w *world) Conclude(_ context.Context, c Conclusion) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conclusions = append(w.conclusions, c)
	w.seen = append(w.seen, "conclude "+c.Outcome.String())
	return nil
}

// begin starts a registry on this world inside a synctest bubble.
func (w *world) begin(ctx context.Context, o Options) *Registry {
	o.Platform, o.Media, o.Ledger = w, w, w
	w.registry = NewRegistry(ctx, o)
	return w.registry
}

// pass lets time pass. In a synctest bubble it is virtual: nothing waits.
func pass(d time.Duration) { <-time.After(d) }

func testInvite(id CallID) Invite {
	return Invite{Call: CallRef{ID: id, Platform: string(id), Tenant: "t"}, At: time.Now(), ObservedParticipant: "p"}
}

// set changes the script while the call runs.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// granted reports whether the first permit that was given is live.
func (w *world) granted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.permits) > 0 && w.permits[0].Live()
}
