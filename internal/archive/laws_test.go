package archive_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A law that cannot be broken is not checked: each case breaks one.
func TestLaws(t *testing.T) {
	t.Parallel()
	r, err := open(t).Assemble(t.Context(), ordinary(t).job(t, recorder.OutcomeRecordedWithGaps))
	if err != nil {
		t.Fatal(err)
	}
	at := func(m *archive.Manifest, step, status string) int {
		i := slices.IndexFunc(m.Order, func(s archive.Step) bool { return s.Step == step && (status == "" || s.Status == status) })
		if i < 0 {
			t.Fatalf("no step %s %s", step, status)
		}
		return i
	}
	drop := func(m *archive.Manifest, step, status string) {
		i := at(m, step, status)
		m.Order = slices.Delete(m.Order, i, i+1)
	}
	move := func(m *archive.Manifest, step, status string, to int) {
		i := at(m, step, status)
		s := m.Order[i]
		m.Order = slices.Insert(slices.Delete(m.Order, i, i+1), to, s)
	}
	// unnumbered has only time to tell, as where the journal had no such entry.
	unnumbered := func(m *archive.Manifest) {
		for i := range m.Order {
			m.Order[i].Entry = 0
		}
	}
	one := func(law int, k archive.FindingKind) []archive.Finding {
		return []archive.Finding{{Law: law, Kind: k}}
	}
	tests := map[string]struct {
		spoil func(m *archive.Manifest)
		want  []archive.Finding
	}{
		"nothing": {func(*archive.Manifest) {}, nil},
		"no reply": {
			func(m *archive.Manifest) { drop(m, archive.StepAnnounced, "recording") }, one(1, archive.FindingPermit),
		},
		"reply was running": {
			func(m *archive.Manifest) { m.Order[at(m, archive.StepAnnounced, "recording")].Progress = "running" },
			one(1, archive.FindingPermit),
		},
		"reply was an error": {
			func(m *archive.Manifest) {
				m.Order[at(m, archive.StepAnnounced, "recording")].Receipt = &recorder.Receipt{HTTPStatus: 403}
			},
			one(1, archive.FindingPermit),
		},
		"reply by notification": {
			func(m *archive.Manifest) { m.Order[at(m, archive.StepAnnounced, "recording")].Receipt = nil }, nil,
		},
		"reply of another operation": {
			func(m *archive.Manifest) { m.Order[at(m, archive.StepAnnounced, "recording")].Operation = "op-9" },
			one(1, archive.FindingPermit),
		},
		"permit of another call": {func(m *archive.Manifest) { m.Permit.Call = "x" }, one(1, archive.FindingPermit)},
		"reply after the permit": {
			func(m *archive.Manifest) { move(m, archive.StepPermit, "", 0) }, one(1, archive.FindingPermit),
		},
		"reply later than the permit": {
			func(m *archive.Manifest) {
				unnumbered(m)
				m.Order[at(m, archive.StepAnnounced, "recording")].At = m.Order[at(m, archive.StepPermit, "")].At.Add(1)
			},
			one(1, archive.FindingPermit),
		},
		"reply without its intention": {
			func(m *archive.Manifest) { drop(m, archive.StepAnnouncing, "recording") },
			[]archive.Finding{{Law: 1, Kind: archive.FindingPermit}, {Law: 5, Kind: archive.FindingUnpaired}},
		},
		"no permit": {
			func(m *archive.Manifest) { drop(m, archive.StepPermit, "") },
			[]archive.Finding{
				{Law: 1, Kind: archive.FindingEarly}, {Law: 1, Kind: archive.FindingEarly}, {Law: 1, Kind: archive.FindingPermit},
			},
		},
		"stored before the permit": {
			func(m *archive.Manifest) { move(m, archive.StepFirstDurable, "", 2) }, one(1, archive.FindingEarly),
		},
		"stored earlier than the permit": {
			func(m *archive.Manifest) {
				unnumbered(m)
				m.Order[at(m, archive.StepFirstDurable, "")].At = start()
			}, one(1, archive.FindingEarly),
		},
		"opened before the permit": {
			func(m *archive.Manifest) { move(m, archive.StepOpened, "", 2) }, one(1, archive.FindingEarly),
		},
		"stored, but no step": {
			func(m *archive.Manifest) {
				drop(m, archive.StepFirstDurable, "")
				drop(m, archive.StepLastDurable, "")
			}, one(1, archive.FindingEarly),
		},
		"no seal": {
			func(m *archive.Manifest) { drop(m, archive.StepSealed, "") },
			[]archive.Finding{{Law: 2, Kind: archive.FindingSeal}, {Law: 2, Kind: archive.FindingSeal}},
		},
		"end announced before the seal": {
			func(m *archive.Manifest) {
				move(m, archive.StepAnnouncing, "notRecording", at(m, archive.StepSealed, ""))
			}, one(2, archive.FindingSeal),
		},
		"end announced earlier than the seal": {
			func(m *archive.Manifest) {
				unnumbered(m)
				m.Order[at(m, archive.StepAnnouncing, "notRecording")].At = m.Order[at(m, archive.StepSealed, "")].At.Add(-1)
			}, one(2, archive.FindingSeal),
		},
		"end announced at the instant of the seal": {
			func(m *archive.Manifest) {
				m.Order[at(m, archive.StepAnnouncing, "notRecording")].At = m.Order[at(m, archive.StepSealed, "")].At
			}, nil,
		},
		"an earlier recording's end": {
			func(m *archive.Manifest) {
				m.Order = slices.Insert(m.Order, 1, archive.Step{Step: archive.StepAnnouncing, Status: "notRecording", ClientContext: "c/0"})
			}, nil,
		},
		"failure announced in good time": {
			func(m *archive.Manifest) {
				m.Order[at(m, archive.StepAnnouncing, "notRecording")].Status = "failed"
				m.Order[at(m, archive.StepAnnounced, "notRecording")].Status, m.Outcome = "failed", "failed"
				move(m, archive.StepAnnouncing, "failed", at(m, archive.StepLastDurable, ""))
			}, nil,
		},
		"stored long after failure was announced": {
			func(m *archive.Manifest) {
				unnumbered(m)
				i := at(m, archive.StepAnnouncing, "notRecording")
				m.Order[i].Status, m.Order[i].At = "failed", m.Order[at(m, archive.StepLastDurable, "")].At.Add(-3*time.Second)
				m.Order[at(m, archive.StepAnnounced, "notRecording")].Status, m.Outcome = "failed", "failed"
			}, one(2, archive.FindingLate),
		},
		"stored long after failure was announced, before the seal": {
			func(m *archive.Manifest) {
				i := at(m, archive.StepAnnouncing, "notRecording")
				m.Order[i].Status, m.Order[i].At = "failed", m.Order[at(m, archive.StepLastDurable, "")].At.Add(-3*time.Second)
				m.Order[at(m, archive.StepAnnounced, "notRecording")].Status, m.Outcome = "failed", "failed"
				move(m, archive.StepAnnouncing, "failed", at(m, archive.StepLastDurable, ""))
			}, one(2, archive.FindingLate),
		},
		"reply numbered after the permit": {
			func(m *archive.Manifest) { m.Order[at(m, archive.StepAnnounced, "recording")].Entry = 7 }, one(1, archive.FindingPermit),
		},
		"opened, numbered before the permit": {
			func(m *archive.Manifest) { m.Order[at(m, archive.StepOpened, "")].Entry = 5 }, one(1, archive.FindingEarly),
		},
		"end announced, numbered before the seal": {
			func(m *archive.Manifest) { m.Order[at(m, archive.StepAnnouncing, "notRecording")].Entry = 8 }, one(2, archive.FindingSeal),
		},
		"stored after the seal": {
			func(m *archive.Manifest) { move(m, archive.StepLastDurable, "", at(m, archive.StepSealed, "")) },
			one(2, archive.FindingLate),
		},
		"two seals": {
			func(m *archive.Manifest) { m.Order = append(m.Order, m.Order[at(m, archive.StepSealed, "")]) },
			[]archive.Finding{{Law: 2, Kind: archive.FindingSeal}, {Law: 5, Kind: archive.FindingChronicle}},
		},
		"outcome without intention": {
			func(m *archive.Manifest) { drop(m, archive.StepAnnouncing, "notRecording") }, one(5, archive.FindingUnpaired),
		},
		"outcome of another status": {
			func(m *archive.Manifest) { m.Order[at(m, archive.StepAnnounced, "notRecording")].Status = "failed" },
			one(5, archive.FindingUnpaired),
		},
		"announced after the outcome": {
			func(m *archive.Manifest) { move(m, archive.StepEnded, "", at(m, archive.StepSealed, "")+1) },
			one(4, archive.FindingChronicle),
		},
		"unknown step": {
			func(m *archive.Manifest) { m.Order = append(m.Order, archive.Step{Step: "x"}) }, one(5, archive.FindingChronicle),
		},
		"gaps, but complete": {func(m *archive.Manifest) { m.Outcome = "recorded" }, one(4, archive.FindingOutcome)},
		"complete, but gaps": {func(m *archive.Manifest) { m.Tracks[0].Gaps = nil }, one(4, archive.FindingOutcome)},
		"a silent source is no gap": {
			func(m *archive.Manifest) {
				m.Outcome = "recorded"
				for i := range m.Tracks[0].Gaps {
					m.Tracks[0].Gaps[i].Cause = timeline.Idle
				}
			}, nil,
		},
		"recorded, but nothing": {
			func(m *archive.Manifest) { m.StoredSamples = 0 }, one(4, archive.FindingOutcome),
		},
		"recorded, but failed was announced": {
			func(m *archive.Manifest) {
				m.Order[at(m, archive.StepAnnouncing, "notRecording")].Status = "failed"
				m.Order[at(m, archive.StepAnnounced, "notRecording")].Status = "failed"
			}, one(3, archive.FindingSilent),
		},
		"recorded, but failed was announced before the permit": { // and recording again, which worked
			func(m *archive.Manifest) {
				failed := archive.Step{Step: archive.StepAnnouncing, Status: "failed", ClientContext: "x", At: start()}
				m.Order = slices.Insert(m.Order, at(m, archive.StepAnnouncing, "recording"), failed)
			}, nil,
		},
		"recorded, but sealed by a later process": {
			func(m *archive.Manifest) { m.Seal.Recovered = true }, one(3, archive.FindingSilent),
		},
		"recorded, but its process died": {
			func(m *archive.Manifest) { m.Seal.Cause = string(recorder.CauseProcessDied) }, one(3, archive.FindingSilent),
		},
		"failed, and sealed by a later process": {
			func(m *archive.Manifest) { m.Seal.Recovered, m.Outcome = true, "failed" }, nil,
		},
		"recorded, and the process died after a good end": {
			func(m *archive.Manifest) { m.Cause = recorder.CauseProcessDied }, nil,
		},
		"rejected, but recorded": {func(m *archive.Manifest) { m.Outcome = "rejected" }, one(4, archive.FindingOutcome)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := readManifest(t, r.Path)
			tt.spoil(m)
			findings := archive.CheckOrder(m)
			var got []archive.Finding
			for _, f := range findings {
				got = append(got, archive.Finding{Law: f.Law, Kind: f.Kind})
			}
			slices.SortFunc(got, func(a, b archive.Finding) int { return a.Law*10 - b.Law*10 + len(a.Kind) - len(b.Kind) })
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("findings (-want +got):\n%s%v", d, findings)
			}
		})
	}
}
