package archive

// OnStep has f called before each step of a run; what it returns ends the run
// there, and if it panics, it is as if the process had died.
func (a *Assembler) OnStep(f func(step string) error) { a.step = f }

// Encode returns a manifest as it is written.
func (m *Manifest) Encode() ([]byte, error) { return m.encode() }

// CheckOrder returns what a manifest alone gives away.
func CheckOrder(m *Manifest) []Finding { return checkOrder(m) }

// ParticipantsOf replays a journal's rosters.
func ParticipantsOf(events []Event) []Participant {
	return participantsOf(historyOf(events), events, nil)
}
