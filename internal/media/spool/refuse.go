package spool

import (
	"context"
	"fmt"
	"time"
)

// closeLimit is how long Close waits for the disk once the log has given up.
const closeLimit = time.Second

// Refuse ends the log without asking the disk: its owner has given up on it, for
// example because it hangs. Who waits for room or for a commit is told at once, and
// who comes is refused. A commit that is under way may still become durable, and
// is then told as ever; nothing follows it. OnFailure is not called. Refuse may be
// called as often as one likes, and from OnFailure; the first cause counts.
func (l *Log) Refuse(cause error) { l.refuse(fmt.Errorf("%w: %w", ErrFailed, cause)) }

func (l *Log) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil {
		return
	}
	l.failure = err
	if l.err == nil {
		l.err = err
	}
	close(l.refused)
	l.room.Broadcast()
	l.signal()
}

// outcome waits for a commit, and says what became of it; known is false where
// ctx ended first.
func (l *Log) outcome(ctx context.Context, t *ticket) (known bool, err error) {
	select {
	case <-t.done:
		return true, t.err
	case <-l.refused:
	case <-ctx.Done():
		return false, fmt.Errorf("waiting for the disk: %w", context.Cause(ctx))
	}
	select {
	case <-t.done: // it was faster
		return true, t.err
	default:
		return true, l.cause()
	}
}

// cause returns why the log has failed.
func (l *Log) cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// awaitEnd waits for the log's goroutines: until ctx ends, and for closeLimit
// where the log has given up. Whoever hangs in the disk then is left behind; it
// owns nothing but the buffers and the file that it writes, and these stay.
func (l *Log) awaitEnd(ctx context.Context) error {
	refused := l.refused
	late := time.NewTimer(closeLimit)
	late.Stop() // it runs from the moment at which the log gives up
	defer late.Stop()
	for _, ended := range []chan struct{}{l.stopped, l.kept, l.watched} {
		for waiting := true; waiting; {
			select {
			case <-ended:
				waiting = false
			case <-ctx.Done():
				return fmt.Errorf("closing spool: waiting for the disk: %w", context.Cause(ctx))
			case <-refused:
				refused = nil
				late.Reset(closeLimit)
			case <-late.C:
				return fmt.Errorf("closing spool: the disk still hangs: %w", l.cause())
			}
		}
	}
	return nil
}
