package archive_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestUniteRuns: what is one run of a camera to a bot that came late is another's second:
// the union has all pictures of both, each once.
func TestUniteRuns(t *testing.T) {
	t.Parallel()
	all := pictures(t)
	bot := func(id string, runs ...int) string {
		s := newScript(t)
		s.records[0].Permit.ID = id
		s.note(t, "opened", map[string]any{"firstSeq": 1})
		for run := range 2 {
			s.run(all, slices.Contains(runs, run))
		}
		s.seal(s.seq)
		job := s.job(t, recorder.OutcomeRecorded)
		job.Recording = id
		r, err := open(t).Assemble(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		return r.Path
	}
	for name, tt := range map[string]struct{ first, second []int }{
		"both, and the second": {[]int{0, 1}, []int{1}},
		"the second, and both": {[]int{1}, []int{0, 1}},
		"one, and the other":   {[]int{0}, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "union")
			u, err := archive.Unite(t.Context(), folder(bot("first", tt.first...)), folder(bot("second", tt.second...)), out, false)
			if err != nil {
				t.Fatal(err)
			}
			if len(u.Tracks) != 2 || u.Tracks[1].File.Name != "video-12.mp4" || u.Tracks[1].Frames != int64(2*len(all)) {
				t.Errorf("%+v, want %d pictures", u.Tracks[1:], 2*len(all))
			}
		})
	}
}
