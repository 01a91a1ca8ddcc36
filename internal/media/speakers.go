package media

import (
	"encoding/json"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/subscription"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Bounds of what a host may say of who speaks: it is a note for each word.
const (
	maxSpeakers     = 64 // at a time; the platform has few
	speakersASecond = 10
	speakersAtOnce  = 50
)

func newSpeakersLimit() *rate.Limiter { return rate.NewLimiter(speakersASecond, speakersAtOnce) }

const noteSpeakersKind = "speakers"

// speakersNote is the data of the note of that kind.
type speakersNote struct {
	BeforeSeq uint64   `json:"beforeSeq"`
	Sources   []uint32 `json:"sources"`
	Dominant  uint32   `json:"dominant"`
}

// Speakers implements link.Owner. Who speaks is derived from media: it goes the
// same way, under the same permit.
func (s *session) Speakers(before uint64, sources []uint32, dominant uint32) {
	if len(sources) > maxSpeakers || !s.speakers.Allow() {
		s.service.metrics.faults.WithLabelValues(faultSpeakers).Inc()
		s.host.complain(faultSpeakers, "media host said too much of who speaks", zap.Int("sources", len(sources)))
		return
	}
	note := speakersNote{before, sources, dominant}
	data, err := json.Marshal(note)
	if err != nil {
		return // three numbers always marshal
	}
	kept := false
	s.write(func(b *spool.Batch) {
		kept = s.gate == gateOpen && s.permit.Live() && before >= s.first && b.Note(s.recording, noteSpeakersKind, data)
		if kept {
			s.spoke = note
		}
	})
	if kept && !s.viewer.named(sources) {
		s.service.opts.Post(s.call.ID, recorder.UnknownSource{}) // somebody should ask who that is
	}
	if kept {
		s.replan(func(p *subscription.Plan) { p.Speakers(sources, time.Now()) })
	}
}

// speakOn writes into the next part who speaks as it begins: the host tells of changes
// alone. Under mu.
func (s *session) speakOn(b *spool.Batch, next *spool.Recording) {
	if len(s.spoke.Sources) == 0 {
		return
	}
	note := s.spoke
	note.BeforeSeq = s.next
	if data, err := json.Marshal(note); err == nil { // three numbers always marshal
		b.Note(next, noteSpeakersKind, data)
	}
}

// strangers has somebody ask who was heard whom no roster names. The host tells of who
// speaks too, and may not: frames come of whoever does.
func (s *session) strangers() {
	s.mu.Lock()
	var heard []uint32
	if s.gate == gateOpen {
		heard, s.looked = s.line.Heard(s.looked), s.next
	}
	s.mu.Unlock()
	if !s.viewer.named(heard) {
		s.service.opts.Post(s.call.ID, recorder.UnknownSource{})
	}
}

// watchSpeakers looks at the speakers of all sessions.
func (s *Service) watchSpeakers() {
	for _, one := range s.all() {
		one.strangers()
	}
}
