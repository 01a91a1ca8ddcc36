package recorder

import "slices"

// leftovers are the ways in which spool and journal may hold what the process was
// doing when it died.
func (a around) leftovers(m Memory) []Takeover {
	session := &Session{ID: "s", Host: "h"}
	bare := Takeover{Memory: m, Session: session, Unsealed: a.left}
	all := []Takeover{bare}
	if m.State == "invited" {
		none := bare
		none.Session = nil
		all = append(all, none)
	}
	sealing := slices.Contains(a.work, work{name: "seal"})
	if a.left && sealing { // what was left is sealed, and nobody was told
		sealed := bare
		sealed.Unsealed, sealed.Died, sealed.Sealed = false, true, []SealReport{{Recording: "left", Frames: 5}}
		all = append(all, sealed)
	}
	if !a.opened || a.sealed {
		return all
	}
	unsealed := bare
	unsealed.Unsealed = true
	ways := []Takeover{unsealed}
	if sealing { // it is done, and nobody was told
		sealed := bare
		sealed.Unsealed, sealed.Sealed = false, []SealReport{{Recording: "r", Frames: 5}}
		ways = append(ways, sealed)
	}
	if m.State == "recording" { // the permit's evidence never got there
		ways = append(ways, bare)
	}
	untold := unsealed // a part is sealed, and nobody was told
	untold.Sealed = []SealReport{{Recording: aPart, Frames: 5}}
	ways = append(ways, untold)
	return ways
}

// afterCrash is what is left around a call whose process has died: what was said,
// and what is on disk.
func (a around) afterCrash(t Takeover) around {
	return around{
		asked: slices.Clone(a.asked), granted: a.granted, gone: a.gone, heard: a.heard, stale: a.stale, unheard: a.unheard,
		fault: a.fault || t.Died, kept: a.kept || len(t.Sealed) > 0, left: t.Unsealed, crashes: a.crashes + 1,
	}
}
