package chaos

import (
	"fmt"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// A Plan is what happens in one seed.
type Plan struct {
	Seed     uint64
	Scenario teamsim.Scenario
	// Lives are of the processes, in order. Where all are lived, the last one more is
	// left in peace.
	Lives []Life
	// Orders are what operators want of the calls.
	Orders []Order
}

// An Order is what an operator tells a call, through the console.
type Order struct {
	// Do is pause, resume or stop.
	Do string
	// Call is the number of the call, from 1.
	Call int
	// On the Nth event of a kind that the call meets, and After that, it is given: by
	// so many Hands at once.
	On    trace.Kind
	Nth   int
	After time.Duration
	Hands int
}

// String tells the order to a person.
func (o Order) String() string {
	return fmt.Sprintf("%s call %d, %v after its event %d of %s, by %d at once", o.Do, o.Call, o.After, o.Nth, o.On, o.Hands)
}

// A Life says how a process ends before its time. The zero Life is left in peace.
type Life struct {
	// Kill and Fail are what befalls its disk: see durable's step_chaos.go.
	Kill, Fail string
	// Slow is how long each of its syncs takes more than the machine's.
	Slow time.Duration
	// On the Nth event of a kind since it was started, and After that, it is killed,
	// or where Drain is set, told to drain.
	On    trace.Kind
	Nth   int
	After time.Duration
	Drain bool
	// Handover: instead, the next one takes over from it, and lives its life from the
	// first step of that.
	Handover bool
	// Hurry, where it is not 0, is how long after that it is told a second time: then
	// it does not wait for its calls.
	Hurry time.Duration
	// Last is what all its calls are ordered to do Ahead of its death, whatever came of
	// it by then; First what those that it finds are ordered when it is ready. Empty:
	// nothing.
	Last, First string
	Ahead       time.Duration
	// Cut: the power fails with it.
	Cut bool
	// Down is how long nobody starts another.
	Down time.Duration
}

// String says how the life ends.
func (l Life) String() string {
	var s []string
	if l.Kill != "" {
		s = append(s, "kills itself at disk step "+l.Kill)
	}
	if l.Fail != "" {
		s = append(s, "disk step fails: "+l.Fail)
	}
	if l.On != "" {
		how := "is killed"
		if l.Drain {
			how = "is told to drain"
		}
		if l.Handover {
			how = "hands over"
		}
		if l.Hurry > 0 {
			how += fmt.Sprintf(", and again %v later,", l.Hurry)
		}
		s = append(s, fmt.Sprintf("%s %v after event %d of %s", how, l.After, l.Nth, l.On))
	}
	if l.First != "" {
		s = append(s, "its calls are ordered to "+l.First+" when it is ready")
	}
	if l.Last != "" {
		s = append(s, fmt.Sprintf("and to %s %v ahead of its end", l.Last, l.Ahead))
	}
	if l.Slow > 0 {
		s = append(s, fmt.Sprintf("syncs take %v", l.Slow))
	}
	if len(s) == 0 {
		return "is left in peace"
	}
	if l.Cut {
		s = append(s, "the power fails with it")
	}
	return strings.Join(s, ", ") + fmt.Sprintf(", started again after %v", l.Down)
}

// Words tells the plan to a person.
func (p Plan) Words() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n", p.Seed)
	for _, f := range p.Scenario.Faults {
		fmt.Fprintf(&b, "  the cloud: %s\n", f.String())
	}
	if m := p.Scenario.Media; m.Memory > 0 || m.Jitter > 0 {
		fmt.Fprintf(&b, "  the media host: remembers %v (0s: what the law says), frames up to %v late\n", m.Memory, m.Jitter)
	}
	fmt.Fprintf(&b, "%s", recorded(p.Scenario))
	for i, g := range p.Scenario.Calls {
		fmt.Fprintf(&b, "  call %d: %s, placed at %v, established %v after the answer, ends %v after %s (at most %v)\n",
			i+1, g.Kind, g.At, g.EstablishAfter, g.End.After, g.End.When, g.End.AtMost)
		for i := range g.People {
			fmt.Fprintf(&b, "    %s\n", person(&g.People[i]))
		}
		for _, f := range g.Faults {
			fmt.Fprintf(&b, "    Graph: %s%s\n", f.String(), later(f))
		}
		for _, d := range g.Deliveries {
			fmt.Fprintf(&b, "    notification %s\n", delivery(d))
		}
		for _, f := range g.Media {
			fmt.Fprintf(&b, "    media host: %s\n", media(f))
		}
		for _, h := range g.Events {
			fmt.Fprintf(&b, "    %s %v after %s\n", h.Do, h.After, h.When)
		}
	}
	for _, o := range p.Orders {
		fmt.Fprintf(&b, "  operators: %v\n", o)
	}
	for i, l := range p.Lives {
		fmt.Fprintf(&b, "  process %d: %v\n", i+1, l)
	}
	return b.String()
}

// recorded says what is, where it is more than mixed audio.
func recorded(s teamsim.Scenario) string {
	if s.Recording == (teamsim.Recording{}) {
		return ""
	}
	r := s.Recording
	return fmt.Sprintf("  recorded: %s audio, cameras %d (%s), screen %v, in parts of %v; video is held for %v, and %v on its way\n",
		r.Audio, r.Cameras, r.Video, r.ScreenShare, r.PartLength, s.Media.VideoMemory, s.Media.VideoDelay)
}

func person(p *teamsim.Person) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, joins %v (lobby %v), leaves %v", p.Kind, p.Joins, p.Lobby, p.Leaves)
	if p.Hidden {
		b.WriteString(", in no roster")
	}
	if p.Named != 0 {
		fmt.Fprintf(&b, ", named at %v", p.Named)
	}
	if p.Silent {
		b.WriteString(", silent")
	}
	for _, t := range []struct {
		what  string
		times []teamsim.Times
	}{{"speaks", p.Speaks}, {"muted", p.Muted}, {"muted by the service", p.ServerMuted}, {"on hold", p.Held}} {
		if t.times != nil {
			fmt.Fprintf(&b, ", %s %v", t.what, t.times)
		}
	}
	for _, c := range p.Cameras {
		fmt.Fprintf(&b, ", camera %+v", c)
	}
	for _, c := range p.Screens {
		fmt.Fprintf(&b, ", screen %+v", c)
	}
	return b.String()
}

func later(f cloud.Fault) string {
	s := ""
	if f.RetryAfter > 0 {
		s += fmt.Sprintf(", Retry-After %v", f.RetryAfter)
	}
	if f.Later != nil {
		s += fmt.Sprintf(" after %v", f.Later.After)
		if f.Later.BeforeReply {
			s += " before the reply"
		}
		if f.Later.Silent {
			s += " for who asks"
		}
	}
	return s
}

func delivery(d cloud.Delivery) string {
	s := d.Of
	if d.Lose {
		s += ", lost"
	}
	if d.Copies > 0 {
		s += fmt.Sprintf(", %d copies", d.Copies)
	}
	if d.Delay > 0 {
		s += fmt.Sprintf(", %v late", d.Delay)
	}
	if d.Hold {
		s += ", held back to the next"
	}
	return s
}

func media(f host.Fault) string {
	return fmt.Sprintf("%s at %v for %v, %d frames, reason %q", f.Kind, f.At, f.For, f.Frames, f.Reason)
}
