package cloud

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The kinds of calls.
const (
	// KindPolicy is an invite by recording policy.
	KindPolicy = "policy"
	// KindOrdinary is a plain incoming call: no incomingContext, and
	// updateRecordingStatus gets 8506.
	KindOrdinary = "ordinary"
)

// A CallSpec says what one call is like. The zero CallSpec is a good policy
// call of the first tenant in a style of the seed's.
type CallSpec struct {
	// Number is the call's place in the scenario, from 1; with the seed it
	// chooses every ID and the style. 0: the next one of this cloud.
	Number int
	// ID is the call's GUID; empty: from the seed.
	ID string
	// Tenant of the recorded user; empty: the first of Options.
	Tenant string
	// Kind is KindPolicy or KindOrdinary; empty: KindPolicy.
	Kind string
	// Region is mediaHostedRegion; empty: "USEA".
	Region string
	// Chain is the callChainId that invites of one conversation share; empty:
	// from the seed.
	Chain string
	// Thread is the chat thread that they share; empty: the seed's, which is told in the
	// wire style alone.
	Thread string
	// Pair is the number of the other invite, where the recorder is invited twice to one
	// conversation: each names the other in botData.pairedRecorders. 0: it is not. Of the
	// Second the conversation and its people are those of the other.
	Pair   int
	Second bool
	// Transferor is the number of the call whose observed user has transferred this one;
	// 0: nobody has.
	Transferor int
	// Style is nil for one of the seed's; Variants are added to it.
	Style    *Style
	Variants Style
	// Webhook is where its invite goes; empty: to that of the cloud.
	Webhook string
	// Media replaces the one of Options for this call; nil: that one.
	Media Media
	// EstablishAfter is the time from the answer to established; default 20 ms.
	// Negative: the call ends 500/7106 without having been established, that
	// time after the answer.
	EstablishAfter time.Duration
	// Linger is how long Graph still knows the call after its end.
	Linger time.Duration
	// Faults are this call's script for the bot's requests.
	Faults []Fault
	// Deliveries are its script for notifications.
	Deliveries []Delivery
	// Observed is the observed user as the roster has him; nil: he sends audio. His ID
	// and object ID are the seed's in any case.
	Observed *Participant
	// Participants beside the observed user and the bot; nil: one other.
	Participants []Participant
	// Sources are those of the audio of the observed user and of the one other, where
	// the two above do not say; 0: the seed's.
	Sources [2]uint32
}

// A Delivery bends the way of a notification. One that is not bent is sent once,
// after the bot has replied to the one before.
type Delivery struct {
	// Of is the notification: invite, establishing, established, roster,
	// operation, state, terminating, deleted, joining, left.
	Of string `yaml:"of"`
	// Times is how many such notifications are bent; default 1, negative: all.
	Times int `yaml:"times"`
	// Lose: it is never sent.
	Lose bool `yaml:"lose"`
	// Copies is how often it is sent again at once.
	Copies int `yaml:"copies"`
	// Delay sends it that much later, while those behind it overtake it.
	Delay time.Duration `yaml:"delay"`
	// Hold keeps it back until the next notification of the call and sends both
	// in one request.
	Hold bool `yaml:"hold"`
	// Forge sends a copy with a forged token first. The bot must refuse it.
	Forge Forgery `yaml:"forge"`
}

// The notifications, as Delivery.Of and trace.Event.Status name them.
const (
	OfInvite       = "invite"
	OfEstablishing = "establishing"
	OfEstablished  = "established"
	OfRoster       = "roster"
	OfOperation    = "operation"
	OfState        = "state"
	OfTerminating  = "terminating"
	OfDeleted      = "deleted"
	OfJoining      = "joining"
	OfLeft         = "left"
)

func (d Delivery) check() error {
	known := []string{OfInvite, OfEstablishing, OfEstablished, OfRoster, OfOperation, OfState, OfTerminating, OfDeleted, OfJoining, OfLeft}
	if !slices.Contains(known, d.Of) {
		return fmt.Errorf("of %q is none of %v", d.Of, known)
	}
	if d.Of == OfInvite && (d.Lose || d.Hold || d.Delay != 0) {
		return errors.New("an invite can't be lost, held or delayed: place the call later instead")
	}
	if d.Forge != ForgeNone && !slices.Contains(Forgeries(), d.Forge) {
		return fmt.Errorf("forge %q is none of %v", d.Forge, Forgeries())
	}
	if d.Lose && (d.Copies != 0 || d.Delay != 0 || d.Hold) {
		return errors.New("what is lost can't be copied, delayed or held")
	}
	return nil
}

// A Participant of a call's roster.
type Participant struct {
	ID          string
	User        string // object ID
	Name        string
	Phone       string // E.164, instead of User
	Guest       string // ID of a guest, instead of User
	Application string // ID of an application, instead of User
	SourceID    uint32 // MSI of main-audio; 0: none
	Inactive    bool   // on hold: direction inactive instead of sendReceive
	Muted       bool
	ServerMuted bool
	InLobby     bool
	Streams     []Stream // beside main-audio
	Removed     bool     // only told where the roster is a delta
}

// A Stream of a participant, as the roster has it.
type Stream struct {
	Type      string // audio, video, videoBasedScreenSharing or data
	Label     string // empty: null
	SourceID  uint32
	Direction string // sendReceive, sendOnly, receiveOnly or inactive
}

// Check says what is wrong with a call before it is placed.
func (c *Cloud) Check(spec CallSpec) error { return spec.complete(c) }

// complete fills in the defaults and says all that is wrong.
func (s *CallSpec) complete(c *Cloud) error {
	orDefault(&s.Kind, KindPolicy)
	orDefault(&s.Region, "USEA")
	orDefault(&s.Tenant, c.opts.Tenants[0])
	orDefault(&s.EstablishAfter, 20*time.Millisecond)
	if s.Media == nil {
		s.Media = c.opts.Media
	}
	var faults []error
	if s.Kind != KindPolicy && s.Kind != KindOrdinary {
		faults = append(faults, fmt.Errorf("kind %q is neither %s nor %s", s.Kind, KindPolicy, KindOrdinary))
	}
	for i, f := range s.Faults {
		if err := f.check(); err != nil {
			faults = append(faults, fmt.Errorf("fault %d: %w", i, err))
		}
	}
	for i, d := range s.Deliveries {
		if err := d.check(); err != nil {
			faults = append(faults, fmt.Errorf("delivery %d: %w", i, err))
		}
	}
	if s.Pair == s.Number && s.Pair != 0 || s.Second && s.Pair == 0 {
		faults = append(faults, fmt.Errorf("pair: %d is not the number of another call", s.Pair))
	}
	if s.ID != "" {
		id, err := canonical(s.ID)
		if err != nil {
			faults = append(faults, err)
		}
		s.ID = id
	}
	return errors.Join(faults...)
}

// identities are a call's IDs, all from the seed and the call's number.
type identities struct {
	call, chain, myParticipant, observed, observedUser string
	other, otherUser, instance, thread                 string
	requestToken                                       string
	paired                                             string // the other bot's participant
	transferor                                         string // object ID
}

// identitiesOf are the IDs of a call as it is placed, and what they have from others.
func (c *Cloud) identitiesOf(r *rand.Rand, spec CallSpec) identities {
	ids := newIdentities(r, spec)
	of := func(number int, s CallSpec) identities { return newIdentities(c.random(number), s) }
	if spec.Pair != 0 {
		twin := of(spec.Pair, CallSpec{Chain: spec.Chain, Thread: spec.Thread})
		ids.paired = twin.myParticipant
		if spec.Second {
			ids.chain, ids.thread = twin.chain, twin.thread
			ids.observed, ids.observedUser, ids.other, ids.otherUser = twin.observed, twin.observedUser, twin.other, twin.otherUser
		}
	}
	if spec.Transferor != 0 {
		ids.transferor = of(spec.Transferor, CallSpec{}).observedUser
	}
	return ids
}

// random is the source of all that the seed chooses for a call.
func (c *Cloud) random(number int) *rand.Rand {
	return rand.New(rand.NewPCG(c.opts.Seed, uint64(number))) //nolint:gosec // reproducible by seed, on purpose
}

func newIdentities(r *rand.Rand, spec CallSpec) identities {
	ids := identities{
		call:          guid(r),
		chain:         guid(r),
		myParticipant: guid(r),
		observed:      guid(r),
		observedUser:  guid(r),
		other:         guid(r),
		otherUser:     guid(r),
		instance:      guid(r),
		thread:        "19:" + guid(r) + "@thread.tacv2",
		requestToken:  guid(r) + guid(r),
	}
	if spec.ID != "" {
		ids.call = spec.ID
	}
	if spec.Chain != "" {
		ids.chain = spec.Chain
	}
	if spec.Thread != "" {
		ids.thread = spec.Thread
	}
	return ids
}

// guid draws a random (version 4) UUID.
func guid(r *rand.Rand) string {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:8], r.Uint64())
	binary.BigEndian.PutUint64(u[8:], r.Uint64())
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}
