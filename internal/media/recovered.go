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
	if info.Frames > 0 {
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
