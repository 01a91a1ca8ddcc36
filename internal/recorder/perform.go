package recorder

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Log keys.
const (
	logCall  = "call"
	logState = "state"
)

// The limits of our own work. The state machine has clocks of its own; these
// make sure that each piece of work ends.
const (
	answerBudget = 5 * time.Second // Graph, call: answer, policy-based recording
	// ledgerTimeout bounds the entries that recording has to wait for, and all that
	// lie between the success reply and the first frame together: law 3 gives two
	// seconds, and a disk shared with others may need one.
	ledgerTimeout = 1400 * time.Millisecond
	ledgerLeast   = 200 * time.Millisecond // for the last of them
	// ledgerHurry is how long a journal that hangs may delay the word that a
	// recording failed: law 3's two seconds weigh more than the entry.
	ledgerHurry = 300 * time.Millisecond
	// ledgerPatience is how long it may delay the word that one ended well: all is
	// sealed, and nothing is lost by waiting. Two of them and the request fit into
	// replyLimit.
	ledgerPatience = 2 * time.Second
	overtakeLimit  = 200 * time.Millisecond
	sessionTimeout = 1500 * time.Millisecond
	// sessionPatience is how long a journal that hangs may delay the answer.
	sessionPatience = 500 * time.Millisecond
	requestTimeout  = 10 * time.Second
	announceWait    = 5 * time.Second
	openTimeout     = 5 * time.Second
	concludeWait    = 30 * time.Second
)

// perform does what a command says. It decides nothing, starts work and
// returns; what comes of it is an event.
func (c *call) perform(ctx context.Context, cmd Command) {
	if err := c.watch.check(cmd); err != nil {
		c.deps.metrics.violations.Inc()
		c.log.Error("command refused", zap.Error(err))
		c.urgent(Crashed{err.Error()})
		return
	}
	switch cmd := cmd.(type) {
	case CreateSession:
		c.createSession(ctx)
	case Reject:
		c.reject(ctx, cmd.Reason)
	case Answer:
		c.answer(ctx, cmd)
	case AskCall:
		c.askCall(ctx)
	case Announce:
		c.announce(ctx, cmd.announcement)
	case Poll:
		c.poll(ctx, cmd)
	case OpenMedia:
		c.open(ctx, cmd.Permit)
	case SealMedia:
		c.seal(ctx, SealOrder(cmd))
	case WithdrawPermit:
		cmd.permit.withdraw()
	case ReleaseMedia:
		c.release(ctx, cmd.Reason)
	case KeepAlive:
		c.keepAlive(ctx)
	case AskRoster:
		c.askRoster(ctx)
	case HangUp:
		c.hangUp(ctx)
	case SetTimer:
		c.setTimer(cmd.Timer, cmd.After)
	case StopTimers:
		c.stopTimers(cmd.Timers)
	case Conclude:
		c.conclude(ctx, cmd.End)
	case Unexpected:
		c.log.Debug("unexpected event", zap.String("event", eventName(cmd.Event)))
	}
}

func (c *call) createSession(ctx context.Context) {
	c.do(ctx, sessionTimeout+sessionPatience, func(ctx context.Context) Event {
		session, err := c.deps.media.CreateSession(ctx, c.inv.Call, Placement{c.inv.Region, c.inv.Policy})
		if c.released.Load() {
			// The call ended meanwhile, and its release found nothing to release.
			c.release(context.WithoutCancel(ctx), CauseCallEnded)
			return nil
		}
		if err != nil {
			c.log.Warn("no media host took the call", zap.Error(err))
			c.note(EntryFault, faultData{"createSession", err.Error()})
			return SessionRefused{CauseNoMediaHost}
		}
		// A later process needs it to take the call over; but the answer comes first.
		if err := c.append(ctx, sessionPatience, c.entry(EntrySession, session)); err != nil {
			c.log.Warn("a media session is not journaled", zap.Error(err))
		}
		return SessionCreated{session}
	})
}

func (c *call) reject(ctx context.Context, reason RejectReason) {
	c.do(ctx, requestTimeout, func(ctx context.Context) Event {
		receipt, err := c.deps.platform.Reject(ctx, c.inv.Call, reason)
		c.note(EntryReject, replyData(receipt, err, reason.String()))
		return Rejected{faultOf(err)}
	})
}

// answer is given what is left of the five seconds.
func (c *call) answer(ctx context.Context, cmd Answer) {
	left := answerBudget - time.Since(c.inv.At)
	if cmd.Again && left <= 0 {
		late := Fault{Kind: FaultRefused, Cause: CauseAnswerTooLate, Message: "no answer was taken within five seconds"}
		c.do(ctx, requestTimeout, func(context.Context) Event { return AnswerFaulted{late} })
		return
	}
	ask, cut := context.WithCancel(ctx)
	over := make(chan struct{})
	c.cutAnswer, c.answered = cut, over
	c.do(ask, max(left, 100*time.Millisecond), func(ctx context.Context) Event {
		receipt, err := func() (Receipt, error) {
			defer close(over)
			return c.deps.platform.Answer(ctx, c.inv.Call, cmd.Session)
		}()
		took := time.Since(c.inv.At)
		c.deps.metrics.answer.Observe(took.Seconds())
		c.note(EntryAnswer, replyData(receipt, err, ""))
		if f := faultOf(err); f != nil {
			c.log.Warn("answer refused", zap.Error(err))
			return AnswerFaulted{*f}
		}
		return AnswerAccepted{}
	})
}

func (c *call) askCall(ctx context.Context) {
	c.do(ctx, requestTimeout, func(ctx context.Context) Event {
		standing, err := c.deps.platform.AskCall(ctx, c.inv.Call)
		if f := faultOf(err); f != nil {
			return CallAsked{Gone: f.Kind == FaultGone}
		}
		return CallAsked{Standing: standing}
	})
}

func (c *call) append(ctx context.Context, limit time.Duration, e Entry) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.deps.ledger.Append(ctx, e)
}

func (c *call) poll(ctx context.Context, cmd Poll) {
	c.do(ctx, requestTimeout+ledgerTimeout, func(ctx context.Context) Event {
		ask, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		op, err := c.deps.platform.PollOperation(ask, c.inv.Call, cmd.Operation)
		if f := faultOf(err); f != nil {
			return PollFaulted{cmd.announcement.context, *f}
		}
		if op.Context == "" && op.ID == cmd.Operation {
			op.Context = cmd.announcement.context // it is the one that we asked for
		}
		if op.Context != cmd.announcement.context {
			return PollFaulted{cmd.announcement.context, Fault{Kind: FaultUnknown, Message: "the operation answers another request"}}
		}
		if op.Progress != Running {
			if err := c.keep(ctx, cmd.announcement, c.entry(EntryAnnounced, announced(op))); err != nil {
				return LedgerFailed{err.Error()}
			}
		}
		op.Receipt = Receipt{} // of the question: it says nothing of the announcement
		return StatusReplied{op}
	})
}

// open: the evidence is in the journal, then in the spool, then the gate opens.
func (c *call) open(ctx context.Context, permit Permit) {
	c.do(ctx, ledgerTimeout+openTimeout, func(ctx context.Context) Event {
		evidence, err := permit.Evidence()
		if err != nil {
			return nil // withdrawn meanwhile: the seal under way says the rest
		}
		left := max(ledgerTimeout-time.Since(evidence.At), ledgerLeast)
		if err = c.append(ctx, left, c.entry(EntryPermit, evidence)); err != nil {
			return LedgerFailed{err.Error()}
		}
		opened, err := c.deps.media.Open(ctx, permit)
		switch {
		case err == nil:
		case permit.ends():
			// An operator's pause, or the end, came in between. That is no failure of a
			// call that is to be kept; the seal under way says the rest.
			return nil
		default:
			c.log.Error("opening the recording", zap.Error(err))
			return MediaFailed{openCause(err), err.Error()}
		}
		c.note(EntryOpened, opened)
		return MediaOpened{opened}
	})
}

func openCause(err error) Cause {
	if errors.Is(err, context.DeadlineExceeded) {
		return CauseMediaSilentAtOpen
	}
	return CauseMediaLost
}

// seal: once the media side has returned, nothing more can be stored, and the
// permit is withdrawn in any case.
func (c *call) seal(ctx context.Context, order SealOrder) {
	order.permit.end()
	c.do(ctx, concludeWait+ledgerPatience, func(ctx context.Context) Event {
		report, err := c.deps.media.Seal(ctx, order)
		order.Withdraw()
		if err != nil {
			c.log.Error("sealing the recording", zap.Error(err))
			c.note(EntryFault, faultData{"seal", err.Error()})
			return SealFaulted{err.Error()}
		}
		limit := ledgerHurry
		if order.Graceful {
			limit = ledgerPatience
		}
		if err := c.append(ctx, limit, c.entry(EntrySealed, report)); err != nil {
			c.log.Error("a seal is not journaled; the spool has it", zap.Error(err))
			c.deps.metrics.unjournaled.Inc()
		}
		return MediaSealed{report}
	})
}

func (c *call) release(ctx context.Context, reason Cause) {
	c.released.Store(true)
	c.unanswer(ctx)
	c.do(ctx, requestTimeout, func(ctx context.Context) Event {
		if err := c.deps.media.Release(ctx, c.inv.Call.ID, string(reason)); err != nil {
			c.log.Warn("releasing the media session", zap.Error(err))
		}
		return nil
	})
}

// unanswer cuts an answer that is under way, and may be tried again: taken after we
// have left, it would leave a leg behind that nobody knows. What it returns waits, not
// for long, until that is so.
func (c *call) unanswer(ctx context.Context) (wait func()) {
	if c.cutAnswer == nil {
		return func() {}
	}
	c.cutAnswer()
	over := c.answered
	return func() {
		limit := time.NewTimer(overtakeLimit)
		defer limit.Stop()
		select {
		case <-over:
		case <-limit.C:
		case <-ctx.Done():
		}
	}
}

func (c *call) hangUp(ctx context.Context) {
	wait := c.unanswer(ctx)
	c.do(ctx, requestTimeout, func(ctx context.Context) Event {
		wait()
		receipt, err := c.deps.platform.HangUp(ctx, c.inv.Call)
		c.note(EntryHangUp, replyData(receipt, err, ""))
		return HungUp{faultOf(err)}
	})
}

// conclude waits: the call is not over before its outcome is durable. Should
// the catalogue fail for long, the next start finds the call without an
// outcome.
func (c *call) conclude(ctx context.Context, end Conclusion) {
	end.At = time.Now()
	end.Detail = strings.ToValidUTF8(end.Detail, "?")
	ctx, cancel := context.WithTimeout(ctx, concludeWait)
	defer cancel()
	err := c.entered(ctx, end)
	switch {
	case errors.Is(err, ErrConcluded):
		c.log.Warn("the call had an outcome already")
		return
	case err != nil:
		c.log.Error("the outcome is not catalogued; the next start will see to it", zap.Error(err))
		c.deps.metrics.unjournaled.Inc()
		return
	}
	c.deps.metrics.concluded(end)
	c.log.Info("call over", zap.Stringer("outcome", end.Outcome), zap.String("cause", string(end.Cause)), zap.String("detail", end.Detail))
	if c.deps.concluded != nil {
		c.deps.concluded(c.inv, end)
	}
}

// entered tries until the outcome is in the catalogue or ctx ends.
func (c *call) entered(ctx context.Context, end Conclusion) error {
	for tries := 0; ; tries++ {
		err := c.deps.ledger.Conclude(ctx, end)
		if err == nil || errors.Is(err, ErrConcluded) {
			return err
		}
		pause := time.NewTimer(backOff(tries))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

func faultOf(err error) *Fault {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{Kind: FaultUnknown, Message: "no reply", Err: err}
}
