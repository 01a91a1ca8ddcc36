package deploytest

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	rulesFile   = root + "/deploy/alerts/recorderbot.rules.yaml"
	testsFile   = root + "/deploy/alerts/recorderbot.test.yaml"
	runbookURL  = "https://github.com/recorderbot/recorderbot/blob/main/deploy/runbooks/"
	runbooksDir = root + "/deploy/runbooks"
)

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, rulesFile)), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// promtool runs promtool, which is part of the Debian package prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v (it comes with the package prometheus)\n%s", strings.Join(args, " "), err, out)
	}
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", rulesFile)
	promtool(t, "test", "rules", testsFile)
}

func TestAlertsAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range rules(t) {
		if !strings.HasPrefix(r.Alert, "Recorderbot") || seen[r.Alert] {
			t.Errorf("alert %q: its name is not ours, or not new", r.Alert)
		}
		seen[r.Alert] = true
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s says nothing", r.Alert)
		}
		if got, want := r.Annotations["runbook_url"], runbookURL+r.Alert+".md"; got != want {
			t.Errorf("%s: runbook_url %s, not %s", r.Alert, got, want)
		}
	}
	// What must be watched: laws, storage, media, platform, process.
	for _, must := range []string{
		"OrderViolation", "CallFailed", "AnnouncementRefused", "AnswerSlow", "SpoolRoomLow", "SpoolRoomExhausted", "SpoolFailed",
		"SpoolCommitSlow", "MediaGaps", "NoHealthyMediaHost", "MediaLinkDown", "MediaSDKAging", "MediaSDKExpired", "TLSCertificateExpiring",
		"TLSCertificateExpiringSoon", "TokenFailing", "SigningKeyFetchFailing", "GraphErrors", "ArchiveBacklog", "CatalogueFailing", "Down",
		"DrainingTooLong", "InvitesRejected", "SpoolStalled", "MediaSilent",
	} {
		if !seen["Recorderbot"+must] {
			t.Errorf("there is no alert Recorderbot%s", must)
		}
	}
}

// TestAlertsAreTested: each alert has a test in which it fires and one in which
// it does not.
func TestAlertsAreTested(t *testing.T) {
	t.Parallel()
	var file struct {
		RuleFiles          []string `json:"rule_files"`
		EvaluationInterval string   `json:"evaluation_interval"`
		Tests              []struct {
			Name        string `json:"name"`
			Interval    string `json:"interval"`
			InputSeries []struct {
				Series string `json:"series"`
				Values string `json:"values"`
			} `json:"input_series"`
			AlertRuleTest []struct {
				EvalTime  string           `json:"eval_time"`
				Alertname string           `json:"alertname"`
				ExpAlerts []map[string]any `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, testsFile)), &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		if len(test.InputSeries) == 0 || len(test.AlertRuleTest) == 0 {
			t.Errorf("%s: tests nothing", test.Name)
		}
		for _, a := range test.AlertRuleTest {
			if len(a.ExpAlerts) > 0 {
				fires[a.Alertname] = true
			} else {
				silent[a.Alertname] = true
			}
		}
	}
	known := map[string]bool{}
	for _, r := range rules(t) {
		known[r.Alert] = true
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("%s: tested that it fires: %v, that it does not: %v", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
	for name := range fires {
		if !known[name] {
			t.Errorf("the tests know an alert %s that is not there", name)
		}
	}
}

func TestRunbooksAreWhole(t *testing.T) {
	t.Parallel()
	index := read(t, runbooksDir+"/README.md")
	pages := map[string]bool{"README.md": true}
	for _, r := range rules(t) {
		name := r.Alert + ".md"
		pages[name] = true
		page := read(t, runbooksDir+"/"+name)
		if !strings.HasPrefix(page, "# "+r.Alert+"\n") || !strings.Contains(page, "Severity: "+r.Labels["severity"]+".") {
			t.Errorf("%s: title or severity is wrong", name)
		}
		last := 0
		for _, heading := range []string{"## What it means", "## How to see it", "## What to do", "## How to know that it is over"} {
			at := strings.Index(page, "\n"+heading+"\n")
			if at < last {
				t.Errorf("%s: %q is missing or out of order", name, heading)
			}
			last = at
		}
		if !strings.Contains(index, "("+name+")") {
			t.Errorf("the index lacks %s", name)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)]+\.md)\)`).FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join(runbooksDir, link[1])); err != nil {
				t.Errorf("%s: link to %s: %v", name, link[1], err)
			}
		}
	}
	files, err := os.ReadDir(runbooksDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !pages[f.Name()] {
			t.Errorf("%s is the page of no alert", f.Name())
		}
	}
}

// metrics are the names that the product exports.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	last := ""
	for line := range strings.Lines(read(t, root+"/deploy/metrics.txt")) {
		name := strings.TrimSuffix(line, "\n")
		if name <= last || strings.TrimSpace(name) != name {
			t.Errorf("metrics.txt: %q is not in order", name)
		}
		last = name
		names[name] = true
	}
	return names
}

// metricName finds the names in PromQL and in prose.
func metricName() *regexp.Regexp {
	return regexp.MustCompile(`\b(?:recorderbot|process|go)_[a-z0-9_]+\b`)
}

// exported strips what a histogram adds to its name.
func exported(name string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			return base
		}
	}
	return name
}

// TestMetricsExist: what alerts, dashboard and runbooks ask for is exported.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	files := []string{rulesFile, testsFile, dashboardFile}
	pages, err := filepath.Glob(runbooksDir + "/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("runbooks: %v, %v", pages, err)
	}
	for _, file := range append(files, pages...) {
		for _, name := range metricName().FindAllString(read(t, file), -1) {
			if name != "recorderbot_" && !known[name] && !known[exported(name)] {
				t.Errorf("%s asks for %s, which is not in metrics.txt", file, name)
			}
		}
	}
}

// TestMetricsAreInTheSource: a name in metrics.txt that the program does not
// know any more is found here; that the running program exports it is the
// program's own test.
func TestMetricsAreInTheSource(t *testing.T) {
	t.Parallel()
	literal := regexp.MustCompile(`"([a-z][A-Za-z0-9_]*)"`)
	inSource := map[string]bool{}
	for _, dir := range []string{root + "/internal", root + "/cmd"} {
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			for _, m := range literal.FindAllStringSubmatch(read(t, path), -1) {
				inSource[strings.TrimPrefix(m[1], "recorderbot_")] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The words that alerts look for in labels, too.
	for _, r := range rules(t) {
		for _, m := range regexp.MustCompile(`\w+(?:=|!=|=~|!~)"([^"]*)"`).FindAllStringSubmatch(r.Expr, -1) {
			for word := range strings.SplitSeq(m[1], "|") {
				if strings.Trim(word, "0123456789.") != "" && !inSource[word] {
					t.Errorf("%s looks for the label value %q, which no source file names", r.Alert, word)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(metrics(t))) {
		short, ours := strings.CutPrefix(name, "recorderbot_")
		if ours && !inSource[short] {
			t.Errorf("no source file names %s", name)
		}
	}
}

// TestDesignedMetricsExist: the names that others rely on (design, contract).
func TestDesignedMetricsExist(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	for name := range strings.FieldsSeq(`invites_total calls answer_seconds announcement_seconds announcements_total notifications_total
		unexpected_events_total graph_requests_total graph_request_seconds media_frames_total media_frames_discarded_total
		media_gap_samples_total spool_commit_seconds spool_bytes spool_seconds_left seal_seconds recordings_total archive_upload_seconds
		archive_backlog_bytes order_violations_total media_hosts media_sdk_age_days tls_certificate_expiry_seconds draining build_info
		media_links_down catalogue_failures_total spool_failures_total callbacks_rejected_total openid_fetches_total
		media_link_durable_seconds catalogue_commit_seconds spool_commit_stalled media_sessions_silent`) {
		if !known["recorderbot_"+name] {
			t.Errorf("metrics.txt lacks %s", fmt.Sprint("recorderbot_", name))
		}
	}
}
