package console

import (
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Root is where the API begins.
const Root = "/api/v1"

// A Call is a live call as the API shows it.
type Call struct {
	Call         recorder.CallID `json:"call"`
	Tenant       string          `json:"tenant"`
	State        string          `json:"state"`
	Paused       bool            `json:"paused"`
	ObservedUser string          `json:"observedUser"`
	Policy       string          `json:"policy"`
	Region       string          `json:"region"`
	ThreadID     string          `json:"threadId"`
	Direction    string          `json:"direction"`
	Recording    string          `json:"recording"` // empty: none is open
	InvitedAt    time.Time       `json:"invitedAt"`
	Since        time.Time       `json:"since"` // in this state
}

func shown(v recorder.View) Call {
	return Call{
		Call: v.Call, Tenant: v.Tenant, State: v.State, Paused: v.Paused, ObservedUser: v.ObservedUser, Policy: v.Policy, Region: v.Region,
		ThreadID: v.ThreadID, Direction: v.Direction, Recording: v.Recording, InvitedAt: v.InvitedAt.UTC(), Since: v.Since.UTC(),
	}
}

// Calls is the reply to GET /calls.
type Calls struct {
	Calls []Call `json:"calls"` // those invited first first
	// More is how many live calls the list has left out.
	More int `json:"more"`
}

// An Order is the reply to an order: done, or given and under way (202).
type Order struct {
	Call Call `json:"call"`
	Done bool `json:"done"`
	// Detail says what is not known yet.
	Detail string `json:"detail,omitempty"`
}

// A Status is the reply to GET /status and POST /drain.
type Status struct {
	Version  string   `json:"version"`
	Ready    bool     `json:"ready"`
	Reasons  []string `json:"reasons"` // what keeps it from taking calls
	Draining bool     `json:"draining"`
	Calls    int      `json:"calls"` // live ones
}

// A Problem is the reply where a request was turned down.
type Problem struct {
	Error  string `json:"error"`
	Remedy string `json:"remedy,omitempty"`
}

// An Ask is the body of an order; there need not be one.
type Ask struct {
	// Reason goes into the audit.
	Reason string `json:"reason,omitempty"`
}
