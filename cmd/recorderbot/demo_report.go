package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// demoReport is DIR/report.json. It may grow; its names stay.
type demoReport struct {
	OK            bool            `json:"ok"`
	Violations    []demoViolation `json:"violations"`
	SamplesSent   int64           `json:"samplesSent"`
	SamplesStored int64           `json:"samplesStored"`
	GapSamples    int64           `json:"gapSamples"`
	// Account is where every sample of the session has gone, at each track.
	Account    referee.Account `json:"account"`
	SampleRate int             `json:"sampleRate"`
	// FramesSent and FramesStored are of video.
	FramesSent   int64               `json:"framesSent"`
	FramesStored int64               `json:"framesStored"`
	Outcome      string              `json:"outcome"`
	Cause        string              `json:"cause"`
	Call         string              `json:"call"`
	Recording    string              `json:"recording"`
	Archive      string              `json:"archive"` // folder of the recording, relative to the report
	Files        []string            `json:"files"`
	Times        map[string]*seconds `json:"times"`     // seconds since the invite
	StartedAt    time.Time           `json:"startedAt"` // the invite
	Version      string              `json:"version"`
}

// demoViolation is one breach of a law, as the referee sees it.
type demoViolation struct {
	Law    int    `json:"law"`
	Kind   string `json:"kind"`
	Call   string `json:"call"`
	Detail string `json:"detail"`
}

// seconds are written with microseconds.
type seconds float64

var _ json.Marshaler = seconds(0)

// MarshalJSON writes six decimals.
func (s seconds) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%.6f", float64(s)), nil }

// orderSteps are the order's steps: what the referee's side saw, and what only
// the disk can tell.
func orderSteps() []struct{ name, text string } {
	return []struct{ name, text string }{
		{"invite", "invited by Teams"},
		{"answer", "answered"},
		{"established", "call established"},
		{"announced", "announced: recording"},
		{"confirmed", "confirmed by Graph: success"},
		{"firstByteDurable", "first byte durable"},
		{"lastByteDurable", "last byte durable"},
		{"sealed", "sealed"},
		{"notRecording", "announced: notRecording"},
		{"left", "left the call"},
	}
}

// report judges the call, writes report.json and tells what came of it.
func (d *demo) report() error {
	facts := d.result.Calls[0]
	d.verdict = referee.Judge(referee.Input{
		Trace: d.result.Trace, Sessions: d.result.Sessions, ArchiveDir: d.config.Archive,
		Blobs: map[string]string{facts.ID: facts.Blob},
	})
	r := &demoReport{
		Violations: []demoViolation{}, SamplesSent: d.verdict.SamplesSent, SamplesStored: d.verdict.SamplesStored, GapSamples: d.verdict.GapSamples,
		Account:    d.verdict.Account,
		FramesSent: d.verdict.FramesSent, FramesStored: d.verdict.FramesStored,
		SampleRate: 16000, Call: facts.ID, StartedAt: facts.InviteSent, Version: buildVersion(), Times: map[string]*seconds{},
	}
	for _, v := range d.verdict.Violations {
		r.Violations = append(r.Violations, demoViolation{v.Law, v.Kind, v.Call, v.Detail})
	}
	manifest, folder, err := d.manifest()
	if err != nil {
		r.Violations = append(r.Violations, demoViolation{4, "noRecording", facts.ID, err.Error()})
	} else {
		r.fill(manifest, folder, d.dir)
		_, findings := archive.CheckFolder(folder)
		for _, fault := range findings {
			r.Violations = append(r.Violations, demoViolation{6, "archive", facts.ID, fault.Error()})
		}
	}
	d.times(r, manifest)
	r.OK = len(r.Violations) == 0 && err == nil && r.Outcome == "recorded" && r.SamplesStored > 0
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(d.dir, "report.json"), append(data, '\n'), 0o640); err != nil {
		return err
	}
	d.tell(r, manifest, folder)
	if !r.OK {
		return errReported
	}
	return nil
}

// manifest finds the one recording.
func (d *demo) manifest() (*archive.Manifest, string, error) {
	found, err := filepath.Glob(filepath.Join(d.config.Archive, "*", "manifest.json"))
	if err != nil || len(found) != 1 {
		return nil, "", fmt.Errorf("the archive has %d recordings instead of one", len(found))
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		return nil, "", err
	}
	m, err := archive.ReadManifest(data)
	return m, filepath.Dir(found[0]), err
}

func (r *demoReport) fill(m *archive.Manifest, folder, dir string) {
	r.Outcome, r.Cause, r.Recording = m.Outcome, string(m.Cause), m.Recording
	if rel, err := filepath.Rel(dir, folder); err == nil {
		r.Archive = filepath.ToSlash(rel)
	}
	for _, f := range m.Files {
		r.Files = append(r.Files, f.Name)
	}
	r.Files = append(r.Files, "manifest.json")
}

// times gathers the order: requests as Microsoft's side saw them, durability as
// the disk tells.
func (d *demo) times(r *demoReport, m *archive.Manifest) {
	put := func(name string, at time.Time) {
		if !at.IsZero() {
			s := seconds(at.Sub(r.StartedAt).Seconds())
			r.Times[name] = &s
		}
	}
	f := d.result.Calls[0]
	put("invite", f.InviteSent)
	put("answer", f.Answered)
	put("established", f.Established)
	for _, a := range f.Announcements {
		switch a.Status {
		case "recording":
			put("announced", a.Received)
			put("confirmed", a.Success)
		case "notRecording", "failed":
			put(a.Status, a.Received)
		}
	}
	put("ended", f.Ended)
	put("left", f.Left)
	if at, ok := find(d.result.Trace, trace.StatusReceived, "notRecording"); ok {
		put("notRecording", at)
	}
	if m == nil {
		return
	}
	for _, s := range m.Order {
		switch s.Step {
		case archive.StepFirstDurable:
			put("firstByteDurable", s.At)
		case archive.StepLastDurable:
			put("lastByteDurable", s.At)
		case archive.StepSealed:
			put("sealed", s.At)
		case archive.StepLeft, archive.StepEnded:
			if r.Times["left"] == nil {
				put("left", s.At)
			}
		}
	}
}

// tell shows the report to a person.
func (d *demo) tell(r *demoReport, m *archive.Manifest, folder string) {
	w := tabwriter.NewWriter(d.console.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nThe order\t")
	for _, s := range orderSteps() {
		at := "-"
		if t := r.Times[s.name]; t != nil {
			at = fmt.Sprintf("%.3f s", float64(*t))
		}
		fmt.Fprintf(w, "  %s\t%s\n", s.text, at)
	}
	fmt.Fprintf(w, "\nThe referee\t\n  samples sent after consent\t%d (%.2f s)\n  of them stored\t%d\n  recorded as gaps\t%d\n  video frames sent\t%d\n  of them stored\t%d\n",
		r.SamplesSent, float64(r.SamplesSent)/16000, r.SamplesStored, r.GapSamples, r.FramesSent, r.FramesStored)
	fmt.Fprintf(w, "  every sample of the session, at each track\t%v\n", &r.Account)
	if m != nil {
		fmt.Fprintf(w, "  frames discarded before consent\t%d\n", m.FramesDiscarded)
	}
	fmt.Fprintf(w, "  outcome\t%s (%s)\n  violations\t%d\n", r.Outcome, r.Cause, len(r.Violations))
	if m != nil {
		tellTracks(w, m)
	}
	_ = w.Flush()
	for _, v := range r.Violations {
		fmt.Fprintf(d.console.out, "  VIOLATION of law %d, %s: %s\n", v.Law, v.Kind, v.Detail)
	}
	if folder == "" {
		return
	}
	fmt.Fprintf(d.console.out, "\nThe files, in %s\n", shortPath(folder))
	for _, f := range r.Files {
		if info, err := os.Stat(filepath.Join(folder, f)); err == nil {
			fmt.Fprintf(d.console.out, "  %-20s %9d bytes\n", f, info.Size())
		}
	}
	ours, config := ourName(), pasted(d.config.File)
	fmt.Fprintf(d.console.out, `
Play it:      ffplay -autoexit -nodisp %s
Watch it:     %s
Look closer:  %s recordings show --config %s %s
Prove it:     %s check --config %s
Report:       %s
`, pasted(filepath.Join(folder, archive.MixName)), watch(m, folder), ours, config, quoted(r.Recording), ours, config, shortPath(filepath.Join(d.dir, "report.json")))
}

// watch is how a person sees what was shown.
func watch(m *archive.Manifest, folder string) string {
	for i := range m.Tracks {
		if t := &m.Tracks[i]; strings.HasSuffix(t.File, ".mp4") {
			return "ffplay -autoexit " + pasted(filepath.Join(folder, t.File)) + ", or any browser"
		}
	}
	return "nothing was shown"
}

// tellTracks shows who and what was recorded.
func tellTracks(w io.Writer, m *archive.Manifest) {
	names := map[string]string{}
	for _, p := range m.Participants {
		names[p.ID] = cmp.Or(p.Name, p.ID)
	}
	fmt.Fprintln(w, "\nThe tracks\t")
	for i := range m.Tracks {
		t := &m.Tracks[i]
		who := "somebody whom no roster names"
		if len(t.Participants) > 0 {
			who = names[t.Participants[0].ID]
		}
		what := length(t.Samples)
		if t.Kind != "audio" {
			what = fmt.Sprintf("%d frames, %dx%d", t.Frames, t.Width, t.Height)
		}
		fmt.Fprintf(w, "  %s\t%s, of %s\n", t.ID, what, who)
	}
}

// ourName is what a person types to start this program again.
func ourName() string {
	self, err := os.Executable()
	if err != nil || strings.Contains(self, "go-build") {
		return "go run ./cmd/recorderbot"
	}
	return typed(self)
}

// typed is what starts a program in a POSIX shell: a shell looks for a bare name
// on its PATH alone.
func typed(program string) string {
	name := filepath.Base(program)
	if same(program, name) {
		return quoted("./" + name)
	}
	if found, err := exec.LookPath(name); err == nil && same(program, found) {
		return quoted(name)
	}
	return quoted(program)
}

// same reports whether two names are one file's.
func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// pasted is a path as a person in the working folder can paste it into a POSIX
// shell, and no program takes it for a flag.
func pasted(path string) string {
	path = shortPath(path)
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	return quoted(path)
}

// quoted is one word for a POSIX shell.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./,:+@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// shortPath is a path as a person in the working folder would write it.
func shortPath(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}
