package referee

import (
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// Input is everything that is judged. The run must be over: calls ended, the
// recorder's archive complete.
type Input struct {
	Trace    []trace.Event
	Sessions []host.SessionRecord
	// Blobs tells which blob answered which call (the cloud's facts); events
	// that name a call and a session are used too.
	Blobs map[string]string
	// ArchiveDir is searched for manifest.json; a folder that is hidden (begins
	// with a dot) is unfinished work and not looked at.
	ArchiveDir string
	// Outcomes is what the recorder's catalogue says of each call, by call ID; nil:
	// it was not asked. The one thing that only the recorder can tell: whether it
	// has ended a call in exactly one way.
	Outcomes map[string][]string
	Limits   Limits
}

// Limits are the times of the laws. Zero means the law's own number.
type Limits struct {
	Answer time.Duration // from invite to answer or reject; 5 s
	Fail   time.Duration // from a fault to `failed`; 2 s
	Bridge time.Duration // how long a link may be down; 30 s
	// Recover is how long a process may take, from its start, to take up what
	// another one left: until it has announced recording or failed; 10 s.
	Recover time.Duration
	// Ack is by how much an acknowledgement may arrive after the announcement
	// that it allows: they take different roads; 20 ms.
	Ack time.Duration
	// Slack is for the scheduling of a busy machine; 250 ms.
	Slack time.Duration
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		limit *time.Duration
		law   time.Duration
	}{
		{&l.Answer, 5 * time.Second},
		{&l.Fail, 2 * time.Second},
		{&l.Bridge, 30 * time.Second},
		{&l.Recover, 10 * time.Second},
		{&l.Ack, 20 * time.Millisecond},
		{&l.Slack, 250 * time.Millisecond},
	} {
		if *d.limit == 0 {
			*d.limit = d.law
		}
	}
	return l
}

// A Report is the judgement.
type Report struct {
	Violations []Violation
	// SamplesSent counts the samples of all frames that were captured while
	// open; SamplesStored those found in the archive, in their place;
	// GapSamples those that the archive has as declared gaps.
	SamplesSent, SamplesStored, GapSamples int64
	// IdleSamples are those in which the speaker of a track of unmixed audio was silent.
	IdleSamples int64
	// FramesSent counts the frames of video that were captured while open, FramesStored
	// those found in the archive, and FramesInGaps those that it says are missing.
	FramesSent, FramesStored, FramesInGaps int64
	// FramesUndecodable are those that came, and are not in the archive because nobody
	// could show them: it says so.
	FramesUndecodable int64
	// Account is where each sample of each session has gone, at each track of audio.
	Account Account
	// LostUnrecorded counts the samples that were sent and are nowhere, neither
	// stored nor in a gap: GapSamples is what was lost and recorded as lost.
	LostUnrecorded int64
	// Tracks counts those of all recordings, of audio and of video, but for the mix.
	Tracks int
	// Recordings counts folders, WithoutOutcome calls that the recorder took on and
	// that have not exactly one outcome; 0 where Input has no outcomes.
	Recordings, WithoutOutcome int
	// Told is the longest time of all Failures. TakenUp is the longest from the start
	// of a process until it had asked to go on with a call that it took over.
	Told, TakenUp time.Duration
	Calls         []CallReport
}

// A CallReport is about one call.
type CallReport struct {
	Call, Session string
	// Outcome and Recordings are as the archive tells; no outcome: nothing was
	// archived.
	Outcome string
	// Catalogued is the one outcome of Input.
	Catalogued string
	Recordings []string // folders, relative
	// The sums of Streams: see Report.
	SamplesSent, SamplesStored, GapSamples, IdleSamples int64
	FramesSent, FramesStored, FramesInGaps              int64
	FramesUndecodable                                   int64
	Account                                             Account
	LostUnrecorded                                      int64
	Tracks                                              int
	Streams                                             []StreamReport // by kind and source
	// Failures are the faults that were told as failed.
	Failures   []Failure
	Violations int
}

// A StreamReport is about one stream of a call: samples of audio or frames of video.
type StreamReport struct {
	Kind   uint8 // as in host.Stream
	Source uint32

	SamplesSent, SamplesStored, GapSamples, IdleSamples int64
	FramesSent, FramesStored, FramesInGaps              int64
	FramesUndecodable                                   int64
	Account                                             Account
}

// A Failure is a fault that was told as failed. Took is from when it could be
// known: what may be bridged does not count, and a process that had died first has
// all its time for recovery behind it.
type Failure struct {
	Fault string
	Took  time.Duration
}

// A Violation is one breach of a law. Law 0 is Microsoft's protocol as the
// simulated cloud sees it.
type Violation struct {
	Law    int
	Kind   string
	Call   string
	Detail string
	// Samples is how many were lost by it without being recorded as missing.
	Samples int64
}

// String is one line for a person.
func (v Violation) String() string {
	return fmt.Sprintf("law %d, %s, call %s: %s", v.Law, v.Kind, v.Call, v.Detail)
}

// The kinds of violations. A constant's comment names the law.
const (
	KindProtocol = "protocol" // 0: the cloud itself objected

	KindOpenBeforeSuccess    = "openBeforeSuccess"    // 1: the host was told to send without leave
	KindAckedUnopened        = "ackedUnopened"        // 1: frames of a session that was never opened are durable
	KindStoredBeforeSuccess  = "storedBeforeSuccess"  // 1: samples from before the success reply are in the archive
	KindArchiveWithoutPermit = "archiveWithoutPermit" // 1: a recording without any success reply

	KindAttachedBeforeSuccess = "attachedBeforeSuccess" // 1: a new process went to the media host without leave of its own
	KindLeaseNotHigher        = "leaseNotHigher"        // 1: it did so under an old lease
	KindPermitOutlived        = "permitOutlived"        // 1: one recording holds what two permits allowed

	KindAnnouncedAgain           = "recordingAnnouncedAgain"   // 2: recording was announced where it was in force
	KindPausedTooLate            = "notRecordingBeforePaused"  // 2: announced while the host still sent
	KindDurableTooLate           = "notRecordingBeforeDurable" // 2: announced before the last frame was acknowledged
	KindRecordedAfterStop        = "recordedAfterNotRecording" // 2: became durable after notRecording or failed
	KindStoredAfterSeal          = "storedAfterSeal"           // 2: samples from behind Paused are in the archive
	KindNotRecordingMissing      = "notRecordingMissing"       // 2: the end was never announced
	KindFailedMissing            = "failedMissing"             // 3
	KindFailedTooLate            = "failedTooLate"             // 3
	KindAnnouncedButNotRecording = "announcedNotRecording"     // 3: success, and the host was never opened

	KindArchiveMissing  = "archiveMissing"  // 4: frames were acknowledged, no recording is there
	KindParts           = "parts"           // 4: part, continues or joint of a recording are not what happened
	KindPauseInGap      = "pauseInGap"      // 4: a pause was declared as loss
	KindGapTwice        = "gapTwice"        // 4: declared as missing, and once more declared or stored
	KindArchiveUnknown  = "archiveUnknown"  // 4: a recording of a call or session that never was
	KindArchiveExtra    = "archiveExtra"    // 4: samples archived twice
	KindArchiveBroken   = "archiveBroken"   // 4: can't be read, or a file differs from its hash
	KindOutcomeMissing  = "outcomeMissing"  // 4: a call that was taken on has not exactly one outcome
	KindOutcomes        = "outcomes"        // 4: a call with several outcomes, or an impossible one
	KindManifestCounts  = "manifestCounts"  // 4: the manifest's numbers are not those of the files
	KindFrameLost       = "frameLost"       // 4: frames are missing and what follows moved up
	KindTailLost        = "tailLost"        // 4: the last frames are missing
	KindHeadLost        = "headLost"        // 4: the first frames are missing
	KindFrameDuplicated = "frameDuplicated" // 4
	KindSamplesShifted  = "samplesShifted"  // 4: by something that is no whole frame
	KindSamplesWrong    = "samplesWrong"    // 4: not what was sent, here or nearby
	KindGapUndeclared   = "gapUndeclared"   // 4: zeros that no gap accounts for
	KindGapClosed       = "gapClosed"       // 4: a gap was not filled with zeros
	KindGapNotSilent    = "gapNotSilent"    // 4: a declared gap holds something else than zeros
	KindGapUnfounded    = "gapUnfounded"    // 4: a gap was declared where the host lost nothing
	KindStreamMissing   = "streamMissing"   // 4: somebody was heard or seen, and no recording has a track of that
	KindStreamUnknown   = "streamUnknown"   // 4: a track of a source that nothing was sent of
	KindSourceWrong     = "sourceWrong"     // 4: a track holds what another source sent
	KindTrackTime       = "trackTime"       // 4: a track begins at another time than its media time says
	KindLossAsIdle      = "lossAsIdle"      // 4: something was lost, and is told as a speaker's silence
	KindMixWrong        = "mixWrong"        // 4: the mix is not the sum of the tracks
	KindPictureLost     = "pictureLost"     // 4: frames of video are neither stored nor counted as missing
	KindPictureWrong    = "pictureWrong"    // 4: a stored frame of video is none that was sent, or is there twice
	KindPictureTime     = "pictureTime"     // 4: a stored frame of video has another time
	KindPictureKey      = "pictureKey"      // 4: a track of video does not begin with a key frame, or lacks its parameter sets
	KindAccounting      = "accounting"      // 4: a sample of a session is accounted for nowhere, or twice; or a gap has no cause
	KindUnion           = "union"           // 4: what two recordings hold together is not in their union, or something else is
	KindAckedButLost    = "ackedButLost"    // 5: acknowledged as durable, and not in the archive
	KindContext         = "clientContext"   // 1: not fresh, not ours, too long or missing
	KindAnswerTooLate   = "answerTooLate"   // 8
	KindAnswerMissing   = "answerMissing"   // 8
)

// maxFindings bounds what is reported of one recording: after that many it is
// plain that it is wrong.
const maxFindings = 20

// judge collects violations.
type judge struct {
	in       Input
	limits   Limits
	lives    lives
	report   Report
	outcomes map[string][]string // of Input, by plain ID
	holdings map[string]*holding // by call
}

// add notes a breach.
func (j *judge) add(law int, kind, call, format string, args ...any) {
	j.report.Violations = append(j.report.Violations, Violation{Law: law, Kind: kind, Call: call, Detail: fmt.Sprintf(format, args...)})
}

// lost adds to the last breach how many samples it is about.
func (j *judge) lost(samples int64) {
	if n := len(j.report.Violations); n > 0 {
		j.report.Violations[n-1].Samples += samples
	}
}

// Judge judges a run that is over.
func Judge(in Input) Report {
	j := &judge{
		in: in, limits: in.Limits.withDefaults(), outcomes: make(map[string][]string, len(in.Outcomes)),
		holdings: make(map[string]*holding),
	}
	j.judge()
	return j.report
}

func (j *judge) judge() {
	in := j.in
	for id, outcomes := range in.Outcomes {
		j.outcomes[plain(id)] = outcomes
	}
	j.lives = readLives(in.Trace)
	calls := j.gather()
	j.readArchive(calls)
	for _, c := range calls {
		before := len(j.report.Violations)
		j.judgeOrder(c)
		j.judgeFailures(c)
		r := j.judgeContent(c)
		r.Failures = c.told
		for _, f := range c.told {
			j.report.Told = max(j.report.Told, f.Took)
		}
		j.judgeOutcome(c, &r)
		for _, v := range j.report.Violations[before:] {
			r.LostUnrecorded += v.Samples
		}
		r.Violations = len(j.report.Violations) - before
		j.report.Calls = append(j.report.Calls, r)
		j.report.SamplesSent += r.SamplesSent
		j.report.SamplesStored += r.SamplesStored
		j.report.GapSamples += r.GapSamples
		j.report.IdleSamples += r.IdleSamples
		j.report.FramesSent += r.FramesSent
		j.report.FramesStored += r.FramesStored
		j.report.FramesInGaps += r.FramesInGaps
		j.report.FramesUndecodable += r.FramesUndecodable
		j.report.Account.Add(r.Account)
		j.report.LostUnrecorded += r.LostUnrecorded
		j.report.Tracks += r.Tracks
		j.report.Recordings += len(r.Recordings)
	}
}
