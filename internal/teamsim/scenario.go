package teamsim

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

//go:embed scenarios/*.yaml
var builtin embed.FS

// A Scenario is what happens in one run. Its YAML is read strictly: unknown and
// repeated keys are refused.
type Scenario struct {
	Name string `yaml:"name"`
	// About says, for people, what happens and what a good bot does.
	About string `yaml:"about"`
	// Seed chooses every ID, style and jitter.
	Seed uint64 `yaml:"seed"`
	// Tenants is how many tenants have consented; default 1.
	Tenants int `yaml:"tenants"`
	// Credential is what the bot is given: secret (default) or certificate.
	Credential string `yaml:"credential"`
	Timing     Timing `yaml:"timing"`
	// RefuseEarlyStatus refuses announcements before established.
	RefuseEarlyStatus bool `yaml:"refuseEarlyStatus"`
	// Faults are of the cloud as a whole: token endpoint, keys, or every call.
	Faults []cloud.Fault `yaml:"faults"`
	Media  Media         `yaml:"media"`
	// Recording is what the bot is told to record.
	Recording Recording `yaml:"recording"`
	Calls     []Group   `yaml:"calls"`
	// Settle bounds how long a run waits, after the last call, for the bot to
	// dispose of its media sessions; default 10 s.
	Settle time.Duration `yaml:"settle"`
}

// Timing overrides the cloud's times; see cloud.Options.
type Timing struct {
	AnswerWithin          time.Duration `yaml:"answerWithin"`
	KeepAliveWindow       time.Duration `yaml:"keepAliveWindow"`
	AccessTokenLifetime   time.Duration `yaml:"accessTokenLifetime"`
	CallbackTokenLifetime time.Duration `yaml:"callbackTokenLifetime"`
}

// Recording is the part of the bot's configuration that says what is recorded, written
// as it stands here; what is missing is left to the bot.
type Recording struct {
	Audio       string `yaml:"audio"` // mixed (default) or unmixed
	Video       string `yaml:"video"` // how many lines at most, such as 360p
	Cameras     int    `yaml:"cameras"`
	ScreenShare bool   `yaml:"screenShare"`
	OnFailure   string `yaml:"onFailure"` // leave (default) or stay
	// PartLength is how long a recording may become before its call goes on in another.
	PartLength time.Duration `yaml:"partLength"`
}

// Media is what the media hosts are like.
type Media struct {
	// Hosts is how many there are; default 1.
	Hosts int `yaml:"hosts"`
	// Capacity is how many sessions each host has; default 10 000.
	Capacity uint32 `yaml:"capacity"`
	// Speed is how many seconds of media pass in one; default 1.
	Speed float64 `yaml:"speed"`
	// Jitter delays frames by up to this much.
	Jitter time.Duration `yaml:"jitter"`
	// Memory is for how long a host keeps audio that was not acknowledged; default
	// 30 s, short for tests.
	Memory time.Duration `yaml:"memory"`
	// VideoMemory is the same for video; default 2 s.
	VideoMemory time.Duration `yaml:"videoMemory"`
	// VideoDelay is how long a picture is on its way.
	VideoDelay time.Duration `yaml:"videoDelay"`
	// Faults befall every session of every host.
	Faults []host.Fault `yaml:"faults"`
}

// A Group is calls of one kind.
type Group struct {
	// Count is how many; default 1.
	Count int `yaml:"count"`
	// At is when the first is placed, from the beginning of the run; the others
	// follow at Rate calls a second (0: all at once), whether the bot keeps up or
	// not.
	At   time.Duration `yaml:"at"`
	Rate float64       `yaml:"rate"`
	// Kind is policy (default) or ordinary.
	Kind string `yaml:"kind"`
	// Tenant is the number of the recorded user's tenant, from 0.
	Tenant int    `yaml:"tenant"`
	Region string `yaml:"region"`
	// Together: all calls of the group share one call chain.
	Together bool `yaml:"together"`
	// Chain and Thread are names: calls of one name, also of other groups, share the call
	// chain, or the chat thread.
	Chain  string `yaml:"chain"`
	Thread string `yaml:"thread"`
	// Transferor is the number of the call, from 1 on in the order of this file, whose
	// observed user has transferred these calls; 0: nobody.
	Transferor int `yaml:"transferor"`
	// Pair: each call is two invites to the recorder (ConcurrentInvitationCount 2), of one
	// conversation with one observed user; each names the other in
	// botData.pairedRecorders, and is a call of its own with the next number. Missing: one.
	Pair *Pair `yaml:"pair"`
	// EstablishAfter and Linger are as in cloud.CallSpec.
	EstablishAfter time.Duration `yaml:"establishAfter"`
	Linger         time.Duration `yaml:"linger"`
	// Style is seed (default) or documented; Variants are added to it.
	Style    string      `yaml:"style"`
	Variants cloud.Style `yaml:"variants"`
	// Faults and Deliveries are each call's scripts.
	Faults     []cloud.Fault    `yaml:"faults"`
	Deliveries []cloud.Delivery `yaml:"deliveries"`
	// Attacks are forged invites before each call; "all" stands for all kinds.
	Attacks []cloud.Forgery `yaml:"attacks"`
	// People are who is in each call; default: the observed user and another one, who
	// talk with each other and have no cameras.
	People []Person `yaml:"people"`
	// Receive is when the sockets of video become able to receive; default: all of them,
	// 200 ms after the answer.
	Receive []Receive `yaml:"receive"`
	// Media are faults of each call's session, or of its host.
	Media []host.Fault `yaml:"media"`
	// Events are what else happens to each call.
	Events []Happening `yaml:"events"`
	End    End         `yaml:"end"`
}

// A Pair is what is other of the second invite; the rest is as of the first. What is
// heard and seen is the same at the same media time. Where the run has a second bot
// (Sim.Paired), the second invite is its.
type Pair struct {
	// After is how much later it comes.
	After time.Duration `yaml:"after"`
	// Ahead is by how much the clock of its media is ahead of the first one's; negative:
	// behind.
	Ahead time.Duration `yaml:"ahead"`
	// EstablishAfter, Faults, Deliveries and Media are as of a group; missing: none.
	EstablishAfter time.Duration    `yaml:"establishAfter"`
	Faults         []cloud.Fault    `yaml:"faults"`
	Deliveries     []cloud.Delivery `yaml:"deliveries"`
	Media          []host.Fault     `yaml:"media"`
	// Events and End are the second call's own; missing: no events, and the first one's
	// end.
	Events []Happening `yaml:"events"`
	End    *End        `yaml:"end"`
}

// legs are the calls that one of the group consists of: two of a pair.
func (g *Group) legs() int {
	if g.Pair != nil {
		return 2
	}
	return 1
}

// second is the group as its second invites have it.
func (g *Group) second() Group {
	s, p := *g, g.Pair
	s.EstablishAfter, s.Faults, s.Deliveries, s.Media, s.Events, s.Attacks = p.EstablishAfter, p.Faults, p.Deliveries, p.Media, p.Events, nil
	if p.End != nil {
		s.End = *p.End
	}
	return s
}

// End says when a call ends on the platform's side.
type End struct {
	// When is the milestone from which After counts: invited, answered,
	// established, recording (default), notRecording, failed.
	When cloud.Milestone `yaml:"when"`
	// After is the time from there; default 2 s where When is not given either,
	// else at once.
	After time.Duration `yaml:"after"`
	// Never: only the bot, or the platform by its own rules, ends it.
	Never bool `yaml:"never"`
	// AtMost bounds the call's life in any case; default 30 s.
	AtMost time.Duration `yaml:"atMost"`
	// Code, Subcode and Message are resultInfo; default 200/5001.
	Code    int    `yaml:"code"`
	Subcode int    `yaml:"subcode"`
	Message string `yaml:"message"`
}

// A Happening is something that befalls a call while it lives.
type Happening struct {
	When  cloud.Milestone `yaml:"when"` // default established
	After time.Duration   `yaml:"after"`
	// Do is hold, resume, phoneJoins, phoneLeaves, share, unshare, group (another
	// participant of the policy joins), leave (that one leaves), transfer (the states
	// transferring and transferAccepted are told), rotateKeys or replaceKeys.
	Do string `yaml:"do"`
}

func doings() []string {
	return []string{"hold", "resume", "phoneJoins", "phoneLeaves", "share", "unshare", "group", "leave", "transfer", "rotateKeys", "replaceKeys"}
}

// ReadScenario reads a scenario strictly and says all that is wrong with it.
func ReadScenario(data []byte) (Scenario, error) {
	var s Scenario
	if err := yaml.UnmarshalWithOptions(data, &s, yaml.Strict()); err != nil {
		return Scenario{}, fmt.Errorf("read the scenario: %w", err)
	}
	s.complete()
	if err := s.check(); err != nil {
		return Scenario{}, fmt.Errorf("scenario %q: %w", s.Name, err)
	}
	return s, nil
}

// Builtin returns one of the built-in scenarios.
func Builtin(name string) (Scenario, error) {
	data, err := builtin.ReadFile("scenarios/" + name + ".yaml")
	if errors.Is(err, fs.ErrNotExist) {
		return Scenario{}, fmt.Errorf("there is no built-in scenario %q: use one of %s", name, strings.Join(BuiltinNames(), ", "))
	}
	if err != nil {
		return Scenario{}, fmt.Errorf("read the built-in scenario %q: %w", name, err)
	}
	return ReadScenario(data)
}

// BuiltinNames lists the built-in scenarios.
func BuiltinNames() []string {
	files, err := fs.Glob(builtin, "scenarios/*.yaml")
	if err != nil {
		return nil // the pattern is good
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(path.Base(f), ".yaml")
	}
	return files
}

// complete fills in the defaults.
func (s *Scenario) complete() {
	orDefault(&s.Seed, 1)
	orDefault(&s.Tenants, 1)
	orDefault(&s.Credential, "secret")
	orDefault(&s.Settle, 10*time.Second)
	orDefault(&s.Media.Hosts, 1)
	orDefault(&s.Media.Speed, 1)
	orDefault(&s.Media.Memory, 30*time.Second)
	orDefault(&s.Media.VideoMemory, 2*time.Second)
	orDefault(&s.Recording.Audio, "mixed")
	orDefault(&s.Recording.OnFailure, "leave")
	for i := range s.Calls {
		g := &s.Calls[i]
		orDefault(&g.Count, 1)
		orDefault(&g.Kind, cloud.KindPolicy)
		orDefault(&g.Style, "seed")
		g.End.complete()
		completePeople(g.People)
		completeEvents(g.Events)
		if p := g.Pair; p != nil {
			completeEvents(p.Events)
			if p.End != nil {
				p.End.complete()
			}
		}
		if slices.Contains(g.Attacks, "all") {
			g.Attacks = cloud.Forgeries()
		}
	}
}

func (e *End) complete() {
	if e.When == "" {
		e.When = cloud.Recording
		orDefault(&e.After, 2*time.Second)
	}
	orDefault(&e.AtMost, 30*time.Second)
}

func completeEvents(events []Happening) {
	for k := range events {
		orDefault(&events[k].When, cloud.Established)
	}
}

// check says what is wrong; what cloud and host check themselves is left to
// them.
func (s *Scenario) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.Name == "" {
		fault("it has no name")
	}
	if s.Tenants < 1 || s.Tenants > 1000 {
		fault("tenants: %d is not 1 to 1000", s.Tenants)
	}
	if s.Credential != "secret" && s.Credential != "certificate" {
		fault("credential: %q is neither secret nor certificate", s.Credential)
	}
	if s.Media.Hosts < 1 || s.Media.Speed <= 0 {
		fault("media: hosts and speed must be positive")
	}
	if m := min(s.Media.Memory, s.Media.VideoMemory); m < 20*time.Millisecond {
		fault("media: memory: %v is less than a frame", m)
	}
	if s.Recording.Audio != "mixed" && s.Recording.Audio != "unmixed" {
		fault("recording: audio: %q is neither mixed nor unmixed", s.Recording.Audio)
	}
	if len(s.Calls) == 0 {
		fault("it has no calls")
	}
	number := 1
	for i, g := range s.Calls {
		if err := g.check(s.Tenants); err != nil {
			fault("calls[%d]: %w", i, err)
		}
		if g.Transferor < 0 || g.Transferor >= number {
			fault("calls[%d]: transferor: %d is not the number of a call before", i, g.Transferor)
		}
		number += g.Count * g.legs()
	}
	return errors.Join(faults...)
}

func (g *Group) check(tenants int) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if g.Count < 1 || g.Rate < 0 || g.At < 0 {
		fault("count must be at least 1, rate and at can't be negative")
	}
	if g.Kind != cloud.KindPolicy && g.Kind != cloud.KindOrdinary {
		fault("kind: %q is neither policy nor ordinary", g.Kind)
	}
	if g.Tenant < 0 || g.Tenant >= tenants {
		fault("tenant: %d, but there are %d", g.Tenant, tenants)
	}
	if g.Style != "seed" && g.Style != "documented" {
		fault("style: %q is neither seed nor documented", g.Style)
	}
	for _, a := range g.Attacks {
		if !slices.Contains(cloud.Forgeries(), a) {
			fault("attacks: %q is none of %v", a, cloud.Forgeries())
		}
	}
	if g.Together && (g.Chain != "" || g.Pair != nil) {
		fault("together: the calls share a chain of theirs, and can have no other one, nor be pairs")
	}
	faults = append(faults, checkPeople(g.People), g.checkCourse())
	if p := g.Pair; p != nil {
		second := g.second()
		if p.After < 0 || p.Ahead.Abs() > time.Hour {
			fault("pair: after can't be negative, and ahead is at most an hour")
		}
		if err := second.checkCourse(); err != nil {
			fault("pair: %w", err)
		}
	}
	return errors.Join(faults...)
}

// checkCourse says what is wrong with what happens, and with the end.
func (g *Group) checkCourse() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for i, h := range g.Events {
		if !slices.Contains(doings(), h.Do) {
			fault("events[%d]: do %q is none of %v", i, h.Do, doings())
		}
		if !slices.Contains(milestones(), h.When) {
			fault("events[%d]: when %q is none of %v", i, h.When, milestones())
		}
	}
	if !slices.Contains(milestones(), g.End.When) {
		fault("end: when %q is none of %v", g.End.When, milestones())
	}
	return errors.Join(faults...)
}

func milestones() []cloud.Milestone {
	return []cloud.Milestone{cloud.Invited, cloud.Answered, cloud.Established, cloud.Recording, cloud.NotRecording, cloud.Failed}
}

func orDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}
