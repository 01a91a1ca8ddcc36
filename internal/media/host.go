package media

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/media/spool"
)

// A host is one media host and our link to it.
type host struct {
	service *Service
	address string
	log     *zap.Logger
	link    *link.Link
	seats   seats        // guarded by Service.places
	writing atomic.Int64 // since when the reader is in the spool, Unix ns; 0: it is not
	wasUp   atomic.Bool
	visit   visit // the reader's
	timed   atomic.Pointer[timed]
	gates   sync.Mutex // guards what the gates of all sessions here need; see doc.go

	mu    sync.Mutex // guards what follows
	noisy map[string]*rate.Sometimes
}

// A timed frame is one whose way to stable storage is being measured: at most
// one for each host at a time, one message in sampleEvery.
type timed struct {
	session *link.Session
	seq     uint64
	at      int64 // when it came, Unix ns
}

const sampleEvery = 16

var _ link.Handler = (*host)(nil)

// logEvery is how often one host may be complained about for one thing.
const logEvery = 10 * time.Second

func newHost(s *Service, address string) (*host, error) {
	h := &host{
		service: s, address: address, log: s.log.With(zap.String("mediaHost", address)),
		noisy: make(map[string]*rate.Sometimes),
	}
	h.visit.host = h
	h.visit.update = h.visit.fill
	l, err := link.New(link.Options{Address: address, TLS: s.opts.TLS, Handler: h, Bridge: s.opts.Bridge, Log: h.log})
	h.link = l
	return h, err
}

// Frames implements link.Handler: one message, one Update, all or nothing in one
// commit. A spool that is behind makes us wait here, which is felt by the host.
func (h *host) Frames(m link.Message) {
	v := &h.visit
	v.message, v.now = m, time.Now()
	v.messages++
	v.sample = v.messages%sampleEvery == 0 && h.timed.Load() == nil
	h.writing.Store(v.now.UnixNano())
	err := h.service.opts.Spool.Update(v.update)
	h.writing.Store(0)
	v.count()
	if err != nil && !errors.Is(err, spool.ErrFailed) {
		// What was admitted is not in the log: nobody knows what else is not.
		h.service.OnFailure(err)
	}
}

// Broken implements link.Handler.
func (h *host) Broken(f link.Fault) {
	h.service.metrics.faults.WithLabelValues(string(f)).Inc()
	h.complain(string(f), "media host broke the contract", zap.String("fault", string(f)))
}

// Changed implements link.Handler.
func (h *host) Changed() {
	state := h.link.State()
	if was := h.wasUp.Swap(state.Up); was && !state.Up {
		h.service.metrics.cuts.Inc()
	}
	h.hearSeats(state)
	h.service.countHosts()
}

// complain logs what a host may do as often as it likes. Never under a lock: a log
// may hang.
func (h *host) complain(key, message string, fields ...zap.Field) {
	h.mu.Lock()
	s := h.noisy[key]
	if s == nil {
		s = &rate.Sometimes{First: 1, Interval: logEvery}
		h.noisy[key] = s
	}
	h.mu.Unlock()
	s.Do(func() { h.log.Warn(message, fields...) })
}

// stop has the host dispose of a session. What does not get through is tried
// again when the link is back; a host that is gone has disposed of it anyway.
func (h *host) stop(ctx context.Context, id, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	err := h.link.StopSession(ctx, id, reason)
	if err != nil {
		h.stopLater(id)
	}
	return err
}

// retryStops is called now and then while the link is up.
func (h *host) retryStops(ctx context.Context) {
	ids := h.takeUnstopped()
	defer h.ended(len(ids))
	for i, id := range ids {
		if h.stop(ctx, id, "left over") != nil {
			for _, id := range ids[i+1:] {
				h.stopLater(id)
			}
			return
		}
	}
}

// A visit takes one message into the spool. It is used again and again, so that
// a message costs no garbage.
type visit struct {
	host      *host
	update    func(*spool.Batch) // fill
	message   link.Message
	now       time.Time
	messages  uint64
	sample    bool        // time the next frame that is stored
	items     []link.Item // of the message
	warm      uint64      // see warmUp
	stored    [frame.Screen + 1]uint64
	discarded [reasons]uint64
	// What is to be complained of, behind the locks.
	wildTimes uint64 // frames whose time was not believed
	wrongGaps uint64 // times of a closed gate that cannot be
	wrongGap  frame.Gap
	fault     error // of a malformed frame
}

// fill is one message's way through the gates: one lock for all its frames.
func (v *visit) fill(b *spool.Batch) {
	v.items = v.message.Items(v.items[:0])
	v.host.gates.Lock()
	defer v.host.gates.Unlock()
	v.warmUp()
	for i := range v.items {
		item := &v.items[i]
		s, _ := item.Owner.(*session)
		switch {
		case item.Fault != nil:
			v.malformed(s, item.Fault)
		case s == nil:
			v.discarded[unknownSession]++
		default:
			v.take(b, s, &item.Frame)
		}
	}
	clear(v.items) // let go of sessions that have ended
}

// warmUp touches what the frames' gates will need. Neighbours in a message are
// of different calls, and what a gate needs lies in many places: taken one after
// the other the misses of the cache are most of a frame's cost; looked at
// beforehand, without depending on each other, they overlap.
func (v *visit) warmUp() {
	for i := range v.items {
		s, ok := v.items[i].Owner.(*session)
		if !ok || s.gate != gateOpen {
			continue
		}
		stored, _ := s.line.Totals()
		v.warm += s.next + uint64(stored) //nolint:gosec // G115: never negative
		if s.recording.Value != nil && s.permit.Live() {
			v.warm++
		}
	}
}

func (v *visit) take(b *spool.Batch, s *session, f *frame.Frame) {
	why, ok := s.take(b, f, v.now)
	if !ok {
		v.discarded[why]++
		return
	}
	v.stored[f.Kind]++
	if v.sample {
		v.sample = false
		v.host.timed.Store(&timed{s.link, f.Seq, v.now.UnixNano()})
	}
}

// malformed counts a frame that could not be read. s may be nil.
func (v *visit) malformed(s *session, err *frame.PackError) {
	v.discarded[malformed]++
	if s != nil {
		s.discarded[malformed]++
	}
	v.fault = err
}

// count moves the numbers of a message to the metrics, and complains.
func (v *visit) count() {
	m := v.host.service.metrics
	for k, n := range v.stored {
		if n > 0 {
			m.stored[k].Add(float64(n))
			v.stored[k] = 0
		}
	}
	for r, n := range v.discarded {
		if n == 0 {
			continue
		}
		m.discarded[r].Add(float64(n))
		v.discarded[r] = 0
		if r := reason(r); r != malformed {
			v.host.complain(r.String(), "frames discarded", zap.Stringer("reason", r), zap.Uint64("frames", n))
		}
	}
	v.complain()
}

// complain says what was wrong with a message besides what was discarded.
func (v *visit) complain() {
	if v.fault != nil {
		v.host.complain("malformed", "media host sent a malformed frame", zap.Error(v.fault))
		v.fault = nil
	}
	if n := v.wildTimes; n > 0 {
		v.wildTimes = 0
		v.host.service.metrics.faults.WithLabelValues(faultTime).Add(float64(n))
		v.host.complain(faultTime, "a media clock jumped further than time can have passed")
	}
	for ; v.wrongGaps > 0; v.wrongGaps-- {
		v.host.impossible(v.wrongGap)
	}
}
