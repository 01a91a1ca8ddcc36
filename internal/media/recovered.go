package media

import (
	"encoding/json"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// mostCrashed is the longest time that a gap may say to be missing: a timeline
// believes no more.
const mostCrashed = 24 * time.Hour

// Recovered says how to seal a recording that a dead process has left in the spool:
// the seal for spool.SealRecovered, and what can be reported of it without reading
// it. For mixed audio, which always flows, the time from what was last durable
// until the recording was over for everybody (the call's end, or now) is missing,
// in whole frames; a source of unmixed audio may have been silent.
//
// The seal names no last frame: what was announced as missing behind the last one
// stored counts, too. The report's samples are exact; its gap samples are what the
// numbers of the stored frames and the crash show, so at least those in whole
// frames. What only announcements or the clock show, the archive counts.
func Recovered(info spool.Info, until time.Time) (spool.Seal, recorder.SealReport) {
	seal := spool.Seal{Cause: string(recorder.CauseProcessDied)}
	report := recorder.SealReport{
		Recording: info.ID, Frames: info.Frames, LastSeq: info.LastSeq, FirstAt: info.FirstAt, LastAt: info.LastAt, At: info.LastAt,
	}
	var m meta
	if err := json.Unmarshal(info.Meta, &m); err != nil {
		return seal, report // the permit record is damaged, or none of ours
	}
	report.Samples = info.Frames * frame.AudioSamples
	if m.Audio != "mixed" {
		return seal, report
	}
	if info.Frames > 0 && m.Cameras == 0 && !m.Screen {
		report.GapSamples = (info.LastSeq - info.FirstSeq + 1 - info.Frames) * frame.AudioSamples
	}
	away := min(until.Sub(info.LastAt), mostCrashed)
	frames := (away + frameLength/2) / frameLength
	if info.Sealed || frames <= 0 {
		return seal, report
	}
	from := frame.Ticks(info.LastAt)
	seal.Missing = &frame.Gap{
		Kind: frame.MixedAudio, FirstSeq: info.LastSeq + 1, FromTime: from, ToTime: from + int64(frames)*frame.TicksPerFrame,
		Cause: frame.CauseCrash,
	}
	report.GapSamples += uint64(frames) * frame.AudioSamples
	return seal, report
}

// An Ending is how a recording that a dead process has left is to be sealed.
type Ending struct {
	Recording string
	Seal      spool.Seal
	Report    recorder.SealReport
}

// Endings are those of all that one call has without a seal, sorted as Left wants
// them. Where several processes died over it, each recording but the last ends where
// the next one begins; what is missing at the end is missing once. So it is with the
// last one, too, where a process goes on with it.
func Endings(infos []spool.Info, until time.Time, goesOn bool) []Ending {
	var all []Ending
	last := uint64(0)
	for i, info := range infos {
		seal, report := Recovered(info, until)
		if info.Frames > 0 {
			last = info.LastSeq
		} else if first := firstSeq(info); last == 0 && first > 0 {
			last = first - 1
		}
		if goesOn || i < len(infos)-1 {
			seal, report = Recovered(info, info.LastAt)
			seal.Cause, seal.LastSeq = sealContinued, last
		}
		all = append(all, Ending{info.ID, seal, report})
	}
	return all
}
