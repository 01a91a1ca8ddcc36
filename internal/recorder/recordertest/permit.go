// Package recordertest helps other packages to test what a recorder permits.
//
// Its law: there is no back door. The only way to get a permit is to win one,
// by taking a real call through its announcement.
package recordertest

import (
	"context"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Permit wins a permit for a call. It stays live until the test ends.
func Permit(tb testing.TB, call recorder.CallID) recorder.Permit {
	tb.Helper()
	p, _ := PermitWith(tb, call)
	return p
}

// PermitWith wins a permit, and returns the function that has the recorder
// seal the recording abruptly, which withdraws it.
func PermitWith(tb testing.TB, call recorder.CallID) (recorder.Permit, func()) {
	tb.Helper()
	w := &world{granted: make(chan recorder.Permit, 1), sealed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	r := recorder.NewRegistry(ctx, recorder.Options{Platform: w, Media: w, Ledger: w})
	w.registry = r
	r.Invite(recorder.Invite{
		Call: recorder.CallRef{ID: call, Platform: string(call), Tenant: "t"}, At: time.Now(), ObservedParticipant: "p",
	})
	stop := func() {
		r.StopAll(recorder.CauseStopped, true)
		<-w.sealed
	}
	tb.Cleanup(func() { cancel(); _ = r.Wait(context.Background()) })
	return <-w.granted, stop
}

// world is a platform, a media side and a ledger that say yes.
type world struct {
	registry *recorder.Registry
	granted  chan recorder.Permit
	sealed   chan struct{}
}

func (w *world) Answer(_ context.Context, call recorder.CallRef, _ recorder.Session) (recorder.Receipt, error) {
	return recorder.Receipt{HTTPStatus: 202}, w.registry.Post(call.ID, recorder.Established{})
}

func (w *world) Reject(context.Context, recorder.CallRef, recorder.RejectReason) (recorder.Receipt, error) {
	return recorder.Receipt{HTTPStatus: 202}, nil
}

func (w *world) Announce(_ context.Context, _ recorder.CallRef, _ recorder.RecordingStatus, clientContext string) (recorder.Operation, error) {
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
	return recorder.StandingEstablished, nil
}

func (w *world) AskRoster(context.Context, recorder.CallRef) (recorder.Roster, error) {
	return recorder.Roster{}, nil
}

func (w *world) HangUp(context.Context, recorder.CallRef) (recorder.Receipt, error) {
	return recorder.Receipt{HTTPStatus: 204}, nil
}

func (w *world) CreateSession(context.Context, recorder.CallRef, recorder.Placement) (recorder.Session, error) {
	return recorder.Session{ID: "s", Host: "h", Blob: "b"}, nil
}

func (w *world) Open(_ context.Context, p recorder.Permit) (recorder.Opened, error) {
	w.granted <- p
	return recorder.Opened{Recording: "r"}, nil
}

func (w *world) Seal(_ context.Context, o recorder.SealOrder) (recorder.SealReport, error) {
	o.Withdraw()
	close(w.sealed)
	return recorder.SealReport{Recording: "r"}, nil
}

func (w *world) Release(context.Context, recorder.CallID, string) error { return nil }

func (w *world) Invited(recorder.Invite) {}

func (w *world) Append(context.Context, ...recorder.Entry) error { return nil }

func (w *world) Note(recorder.Entry) bool { return true }

func (w *world) Conclude(context.Context, recorder.Conclusion) error { return nil }
