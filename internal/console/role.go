package console

// A Role is what an identity may do. Each may do what the ones before may.
type Role uint8

// The roles.
const (
	RoleViewer   Role = iota + 1 // see calls
	RoleOperator                 // pause, resume and stop them
	RoleAdmin                    // drain the process
)

// String returns the role's word.
func (r Role) String() string {
	switch r {
	case RoleViewer:
		return "viewer"
	case RoleOperator:
		return "operator"
	case RoleAdmin:
		return "admin"
	}
	return "none"
}

// Roles are the roles' words, the least first.
func Roles() []string {
	return []string{RoleViewer.String(), RoleOperator.String(), RoleAdmin.String()}
}

// ParseRole is the inverse of Role.String.
func ParseRole(word string) (Role, bool) {
	for r := RoleViewer; r <= RoleAdmin; r++ {
		if r.String() == word {
			return r, true
		}
	}
	return 0, false
}

// An identity is somebody who has shown who they are.
type identity struct {
	name string // as the audit has it: token/NAME or client/COMMON NAME
	role Role
}

// An action is what can be asked for: a metric label and a word of the audit.
type action string

// The actions.
const (
	actionNone   action = "none" // no path or method of ours
	actionList   action = "list"
	actionShow   action = "show"
	actionStatus action = "status"
	actionPause  action = "pause"
	actionResume action = "resume"
	actionStop   action = "stop"
	actionDrain  action = "drain"
)

func actions() []action {
	return []action{actionNone, actionList, actionShow, actionStatus, actionPause, actionResume, actionStop, actionDrain}
}

// acts tells whether an action changes anything.
func (a action) acts() bool { return a.needs() > RoleViewer }

// aboutCall tells whether an action is about one call.
func (a action) aboutCall() bool {
	return a == actionShow || a == actionPause || a == actionResume || a == actionStop
}

// needs is the least role for an action.
func (a action) needs() Role {
	switch a {
	case actionPause, actionResume, actionStop:
		return RoleOperator
	case actionDrain:
		return RoleAdmin
	case actionNone, actionList, actionShow, actionStatus:
	}
	return RoleViewer
}
