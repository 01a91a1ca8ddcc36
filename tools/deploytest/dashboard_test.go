package deploytest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const dashboardFile = root + "/deploy/grafana/recorderbot.json"

type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct {
		H, W, X, Y int
	} `json:"gridPos"`
	Targets []struct {
		RefID string `json:"refId"`
		Expr  string `json:"expr"`
	} `json:"targets"`
}

// TestDashboard: the panels are whole and do not overlap, and Prometheus
// understands what they ask.
func TestDashboard(t *testing.T) {
	t.Parallel()
	var d struct {
		UID        string  `json:"uid"`
		Panels     []panel `json:"panels"`
		Templating struct {
			List []struct {
				Name string `json:"name"`
			} `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal([]byte(read(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID != "recorderbot" || len(d.Panels) < 30 || len(d.Templating.List) != 2 {
		t.Errorf("uid %s, %d panels, %d variables", d.UID, len(d.Panels), len(d.Templating.List))
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	var exprs []map[string]string
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: its number is not new, or it has no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 {
			t.Errorf("%s: place %+v", p.Title, p.GridPos)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s asks nothing", p.Title)
		}
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$instance", ".*").Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: unknown variable in %s", p.Title, target.Expr)
			}
			exprs = append(exprs, map[string]string{"record": "panel:" + strconv.Itoa(len(exprs)), "expr": expr})
		}
	}
	file := map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": exprs}}}
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "dashboard.rules.yaml")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", name)
}

// TestDashboardShowsTheLaws: what must stay 0 is on the first row.
func TestDashboardShowsTheLaws(t *testing.T) {
	t.Parallel()
	text := read(t, dashboardFile)
	for name := range metrics(t) {
		if !strings.HasPrefix(name, "recorderbot_") {
			continue
		}
		// What is not shown is said elsewhere; keep this list short.
		switch name {
		case "recorderbot_callback_tokens_total", "recorderbot_build_info":
			continue
		}
		if !strings.Contains(text, name) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}
