package link

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// The watchdog's clocks.
const (
	watchEvery = 500 * time.Millisecond
	// silent is how long a host with attached sessions may say nothing before it
	// is asked whether it is there. Open sessions send every 20 ms, and the host
	// speaks every 10 s in any case.
	silentFor = 3 * time.Second
	probeWait = 2 * time.Second
	// muteFor is how long it may say nothing on the stream though it is there.
	muteFor = 15 * time.Second
)

// Run connects and serves until ctx ends. It returns nil.
func (l *Link) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer func() {
		wg.Wait()
		l.Close()
	}()
	wg.Go(func() { l.watch(ctx) })
	wait := firstBackOff
	for ctx.Err() == nil {
		began := time.Now()
		err := l.serve(ctx)
		l.cut(ctx, err)
		if time.Since(began) > 5*time.Second {
			wait = firstBackOff
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, mostBackOff)
	}
	return nil
}

// serve is one connection's life. It returns why it ended.
func (l *Link) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	info, err := l.askInfo(ctx)
	if err != nil {
		return err
	}
	l.checkEpoch(info)
	stream, err := l.conn.NewStream(ctx, &mediahostv1.MediaHost_ServiceDesc.Streams[0], mediahostv1.MediaHost_Link_FullMethodName,
		grpc.ForceCodecV2(newCodec()), grpc.MaxCallRecvMsgSize(maxReceive))
	if err != nil {
		return fmt.Errorf("open the stream: %w", err)
	}
	l.rise(info)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if err := l.sendAll(ctx, stream); err != nil {
			cancel(err) // ends the reader too
		}
	})
	wg.Go(func() { l.probe(ctx, cancel) })
	defer cancel(nil)
	in := &inbound{}
	for {
		if err := stream.RecvMsg(in); err != nil {
			if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
				return cause
			}
			return fmt.Errorf("read from the media host: %w", err)
		}
		l.heard.Store(time.Now().UnixNano())
		if in.message == nil {
			l.opts.Handler.Frames(Message{l, in.packed})
		} else {
			l.hear(in.message)
		}
		in.scrub()
	}
}

func (l *Link) askInfo(ctx context.Context) (Info, error) {
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	m, err := l.client.GetInfo(ctx, &mediahostv1.GetInfoRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return Info{}, fmt.Errorf("ask the media host who it is: %w", err)
	}
	return infoOf(m), nil
}

// checkEpoch: another epoch is another process, and the sessions of the old one
// went with it.
func (l *Link) checkEpoch(info Info) {
	l.mu.Lock()
	changed := l.known && l.info.Epoch != info.Epoch
	l.known, l.info = true, info
	l.infos++
	l.mu.Unlock()
	if !changed {
		return
	}
	for _, s := range l.live() {
		l.lose(s, Loss{LossEpoch, "the media host's process was restarted"})
	}
	l.log.Warn("media host restarted", zap.String("host", info.HostID))
}

// rise marks the link as up and attaches all sessions.
func (l *Link) rise(info Info) {
	l.heard.Store(time.Now().UnixNano())
	l.mu.Lock()
	// Whoever comes to be attached from here on sees that the link is up; whoever
	// came before is in the list.
	l.up, l.since = true, time.Now()
	all := l.liveLocked()
	for _, s := range all {
		l.attach(s)
	}
	l.mu.Unlock()
	l.log.Info("media host connected", zap.String("host", info.HostID), zap.String("epoch", info.Epoch), zap.Int("sessions", len(all)))
	l.opts.Handler.Changed()
}

// cut marks the link as down. No frame can come from here on.
func (l *Link) cut(ctx context.Context, why error) {
	l.mu.Lock()
	was := l.up
	l.up, l.queue = false, nil
	if was {
		l.since = time.Now()
	}
	var cut []*Session
	for _, s := range l.sessions {
		if s.handle != 0 {
			l.table.unbind(s.handle)
			s.handle = 0
		}
		s.ackAs.Store(0)
		s.settled = false
		if s.attached {
			s.attached, s.again, s.since = false, true, time.Now()
			cut = append(cut, s)
		}
	}
	l.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	for _, s := range cut {
		s.owner.Cut(why.Error())
	}
	if !was {
		l.log.Debug("media host not reached", zap.Error(why))
		return
	}
	l.opts.Handler.Changed()
	l.log.Warn("link to the media host cut", zap.Int("sessions", len(cut)), zap.Error(why))
}

// sendAll is the connection's sender: control messages in order, then what is
// to be acknowledged.
func (l *Link) sendAll(ctx context.Context, stream grpc.ClientStream) error {
	var queue []*mediahostv1.ToHost
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		}
		l.mu.Lock()
		queue, l.queue = l.queue, queue[:0]
		l.mu.Unlock()
		for _, m := range queue {
			if err := stream.SendMsg(m); err != nil {
				return fmt.Errorf("send to the media host: %w", err)
			}
		}
		clear(queue)
		if news := l.acks.take(); news != nil {
			if err := stream.SendMsg(news); err != nil {
				return fmt.Errorf("acknowledge to the media host: %w", err)
			}
			l.acks.sent()
		}
	}
}

// probe cuts a connection that stands but says nothing.
func (l *Link) probe(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		quiet := time.Since(time.Unix(0, l.heard.Load()))
		switch {
		case quiet > muteFor:
			cancel(fmt.Errorf("the media host said nothing for %v", quiet.Round(time.Second)))
			return
		case quiet > silentFor && l.State().Attached > 0:
			ask, done := context.WithTimeout(ctx, probeWait)
			_, err := l.client.GetInfo(ask, &mediahostv1.GetInfoRequest{})
			done()
			if err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("the media host said nothing for %v, and does not answer: %w", quiet.Round(time.Second), err))
				return
			}
		}
	}
}

// watch ends sessions that were without attachment for too long.
func (l *Link) watch(ctx context.Context) {
	tick := time.NewTicker(min(watchEvery, l.opts.Bridge/4))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, s := range l.live() {
			l.mu.Lock()
			late := !s.over && !s.attached && time.Since(s.since) > l.opts.Bridge
			l.mu.Unlock()
			if late {
				l.lose(s, Loss{LossCut, fmt.Sprintf("not attached for %v", l.opts.Bridge)})
			}
		}
	}
}

// packedLength is how long the packed frame at the start of b claims to be,
// faulty or not.
func packedLength(b []byte) int {
	if len(b) < frame.HeaderBytes {
		return len(b)
	}
	return frame.HeaderBytes + int(binary.LittleEndian.Uint32(b))
}
