package main

import "regexp"

// A target is a package with guards, and the tests that must see them.
type target struct {
	dir   string // from the module's root
	files []scope
	// skip are tests that cannot see a mutant: they read the sources.
	skip *regexp.Regexp
	// slow are tests that take long; they are asked last.
	slow *regexp.Regexp
	// brief are the tests that the short run asks; nil: all.
	brief *regexp.Regexp
}

// ignores reports whether a test is not asked.
func (t target) ignores(name string, short bool) bool {
	return t.skip != nil && t.skip.MatchString(name) || short && t.brief != nil && !t.brief.MatchString(name)
}

// A scope is the part of a file that holds guards.
type scope struct {
	file  string         // a pattern of names
	funcs *regexp.Regexp // nil: all; else of names such as session.shut
	// brief are those of the functions that the short run takes; nil: all.
	brief *regexp.Regexp
	// sampled: the short run takes some of the mutants only.
	sampled bool
}

// never matches no name.
var never = regexp.MustCompile(`^$`)

// targets are what the order rests on. Of the media side the short run takes the heart
// of the gate, and the tests that need no patience.
func targets() []target {
	return []target{
		{
			dir: "internal/recorder",
			files: []scope{
				{file: "permit.go"},
				{file: "monitor.go"},
				{file: "state*.go", sampled: true},
				{file: "call.go", funcs: regexp.MustCompile(`^(recordsIn|call\.(step|keepReply|giveUp))$`)},
				{file: "freeze.go", funcs: regexp.MustCompile(`^canBeLeft$`)},
				{file: "say.go", funcs: regexp.MustCompile(`^(saying\.mayFollow|call\.(announce|keep))$`)},
				{file: "perform.go", funcs: regexp.MustCompile(`^call\.(perform|unanswer)$`)},
			},
			skip: regexp.MustCompile("^Test(ForgeryDoesNotCompile|PageNamesTests)$"),
			slow: regexp.MustCompile("^TestEveryReachableState$"),
		},
		{
			dir: "internal/media",
			files: []scope{
				{file: "gate.go", brief: regexp.MustCompile(`^session\.(take|admits|hole)$`)},
				{file: "session.go", funcs: regexp.MustCompile(`^session\.(shut|Opened|opens|openAt|Paused|Lost|Attached)$`), brief: never},
				{file: "open.go", funcs: regexp.MustCompile(`^(Service\.Open|session\.(open|isEnding|awaitOr|begin))$`), brief: never},
				{file: "silence.go", funcs: regexp.MustCompile(`^session\.unconfirmed$`), brief: never},
				{file: "seal.go", funcs: regexp.MustCompile(`^(Service\.(Seal|sealRest)|session\.(letOpen|seal|drain|close|ended))$`), brief: never},
				{file: "part.go", brief: never},
				{file: "joint.go", brief: never},
				{file: "measure.go", brief: never},
			},
			slow: regexp.MustCompile("^Test(DeadPeer|WhatIsSentAgainShowsNothing|DownHost|SealDuringCut|HostNeverPauses|DiskHangs|" +
				"DiskHangsDuringSeal|NoLateSealOfWhatIsLost|OpenIsUnanswered|AttachIsUnanswered|NothingEverCame|RunawayNumbersFail|" +
				"NothingFits|DiskHesitates|RunEndsWhileDiskHangs|LateStop|MadeButNotAttached|CutIsBridged|MuteFails|ManyCallsInOneCut|DiskStaysAway)$"),
			brief: regexp.MustCompile("^Test(Admits|TakeRemembers|Hole|WithdrawnTakesNothing|FirstHoleHasNoTime|NumbersFollowTheClock|HearGap|" +
				"PastGapsAreBounded|HostHadClosedItsGate|BridgedCutMissesNothing|OneBudget|UnmixedClock|Resumed|HeldFramesMayBeMissing|Ended|" +
				"Strays|StraysAreThoseOfAPause|ReopenedTellsAudio|VideoIsNoAudio|AudioIsHeard|GapAsksForAKeyFrame|Seen|HolesAreSeen|StuckByVideo|SourcesWithoutEnd|Join|SilenceAcrossParts)$"),
		},
	}
}
