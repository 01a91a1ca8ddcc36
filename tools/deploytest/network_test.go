package deploytest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

func TestImage(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"":                 "registry.example.com/recorderbot:0.1.0",
		"image: {tag: v3}": "registry.example.com/recorderbot:v3",
		"image: {tag: \"\", digest: sha256:" + strings.Repeat("0", 64) + "}": "registry.example.com/recorderbot@sha256:" + strings.Repeat("0", 64),
	} {
		d := find[*appsv1.Deployment](t, objects(t, minimal, values))
		if got := d.Spec.Template.Spec.Containers[0].Image; got != want {
			t.Errorf("%q: image %s, not %s", values, got, want)
		}
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	all := objects(t, minimal, rich)
	pod := find[*appsv1.Deployment](t, all).Spec.Template
	for _, end := range []string{"callbacks", "console", "ops"} {
		s := find(t, all, func(s *corev1.Service) bool { return strings.HasSuffix(s.Name, "-"+end) })
		for k, v := range s.Spec.Selector {
			if pod.Labels[k] != v {
				t.Errorf("%s: selector %s=%s is not the pod's", s.Name, k, v)
			}
		}
		// A draining bot is not ready, and must still hear how its calls end.
		if !s.Spec.PublishNotReadyAddresses {
			t.Errorf("%s does not reach a draining bot", s.Name)
		}
		if len(s.Spec.Ports) != 1 || s.Spec.Ports[0].TargetPort.StrVal != end {
			t.Errorf("%s: ports %+v", s.Name, s.Spec.Ports)
		}
	}
	ops := find(t, objects(t, minimal), func(s *corev1.Service) bool { return strings.HasSuffix(s.Name, "-ops") })
	if ops.Spec.Type != corev1.ServiceTypeClusterIP {
		t.Errorf("the ops listener is of type %s", ops.Spec.Type)
	}
}

func TestServiceMonitorFindsOps(t *testing.T) {
	t.Parallel()
	all := objects(t, minimal, rich)
	m := find[*monitoringv1.ServiceMonitor](t, all)
	if len(m.Spec.Endpoints) != 1 || m.Spec.Endpoints[0].Port != "ops" || m.Spec.Endpoints[0].Path != "/metrics" || m.Labels["release"] != "prometheus" {
		t.Errorf("endpoints %+v, labels %v", m.Spec.Endpoints, m.Labels)
	}
	matched := 0
	for _, o := range all {
		s, ok := o.(*corev1.Service)
		if !ok {
			continue
		}
		match := true
		for k, v := range m.Spec.Selector.MatchLabels {
			match = match && s.Labels[k] == v
		}
		if match {
			matched++
			if !strings.HasSuffix(s.Name, "-ops") {
				t.Errorf("it scrapes %s", s.Name)
			}
		}
	}
	if matched != 1 {
		t.Errorf("it matches %d services", matched)
	}
}

func TestNetworkPolicy(t *testing.T) {
	t.Parallel()
	all := objects(t, minimal)
	np := find[*networkingv1.NetworkPolicy](t, all)
	pod := find[*appsv1.Deployment](t, all).Spec.Template
	for k, v := range np.Spec.PodSelector.MatchLabels {
		if pod.Labels[k] != v {
			t.Errorf("selector %s=%s is not the pod's", k, v)
		}
	}
	if len(np.Spec.PolicyTypes) != 2 || len(np.Spec.Ingress) != 2 || len(np.Spec.Egress) != 3 {
		t.Fatalf("%+v", np.Spec)
	}
	for _, in := range np.Spec.Ingress {
		if len(in.Ports) != 1 {
			t.Fatalf("ingress %+v", in)
		}
		open := len(in.From) == 0
		if port := in.Ports[0].Port.StrVal; open != (port == "callbacks") {
			t.Errorf("port %s is open to all: %v", port, open)
		}
	}
	for _, out := range np.Spec.Egress {
		if len(out.Ports) == 0 {
			t.Errorf("egress to all ports: %+v", out)
		}
		if out.Ports[0].Port.IntVal != 53 && len(out.To) == 0 {
			t.Errorf("egress to all addresses: %+v", out)
		}
	}
}

// TestConsoleIsClosed: only whom the operator names reaches the console, and
// nobody where there is none.
func TestConsoleIsClosed(t *testing.T) {
	t.Parallel()
	const open = "console: {enabled: true, tls: {existingSecret: a}, tokens: {existingSecret: b, users: [{name: a, role: viewer, key: a}]}}"
	for name, tt := range map[string]struct {
		values []string
		want   int
	}{
		"off": {[]string{minimal}, 0}, "off, with peers": {[]string{minimal, "networkPolicy: {consoleFrom: [{podSelector: {}}]}"}, 0},
		"on, without peers": {[]string{minimal, open}, 0}, "on": {[]string{minimal, rich}, 1},
	} {
		found := 0
		for _, in := range find[*networkingv1.NetworkPolicy](t, objects(t, tt.values...)).Spec.Ingress {
			if in.Ports[0].Port.StrVal != "console" {
				continue
			}
			if found++; len(in.From) == 0 {
				t.Errorf("%s: the console is open to all", name)
			}
		}
		if found != tt.want {
			t.Errorf("%s: %d rules", name, found)
		}
	}
	if text := configText(t, minimal); strings.Contains(text, "console") {
		t.Errorf("a console that nobody asked for:\n%s", text)
	}
}

func TestClaimOutlivesTheRelease(t *testing.T) {
	t.Parallel()
	c := find[*corev1.PersistentVolumeClaim](t, objects(t, minimal, rich))
	if c.Annotations["helm.sh/resource-policy"] != "keep" || c.Annotations["e"] != "f" || !is(c.Spec.StorageClassName, "fast") {
		t.Errorf("%+v %+v", c.Annotations, c.Spec)
	}
	if size := c.Spec.Resources.Requests[corev1.ResourceStorage]; size.String() != "1Ti" {
		t.Errorf("size %s", size.String())
	}
	d := find[*appsv1.Deployment](t, objects(t, minimal, bare))
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.Name == "data" && v.PersistentVolumeClaim.ClaimName != "mine" {
			t.Errorf("claim %s", v.PersistentVolumeClaim.ClaimName)
		}
	}
}

// TestNewConfigurationRestarts: the configuration is read at the start only.
func TestNewConfigurationRestarts(t *testing.T) {
	t.Parallel()
	sum := func(values ...string) string {
		return find[*appsv1.Deployment](t, objects(t, values...)).Spec.Template.Annotations["checksum/config"]
	}
	if a, b := sum(minimal), sum(minimal, "config: {log: {level: debug}}"); len(a) != 64 || a == b {
		t.Errorf("checksums %s and %s", a, b)
	}
	if a, b := sum(minimal), sum(minimal, "resources: {}"); a != b {
		t.Errorf("checksums %s and %s of the same configuration", a, b)
	}
}

// configOf returns recorderbot.yaml as the chart writes it.
func configOf(t *testing.T, values ...string) map[string]any {
	t.Helper()
	cfg := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(configText(t, values...)), &cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func configText(t *testing.T, values ...string) string {
	t.Helper()
	cm := find[*corev1.ConfigMap](t, objects(t, values...))
	text, ok := cm.Data["recorderbot.yaml"]
	if !ok || len(cm.Data) != 1 {
		t.Fatalf("config map holds %v", slices.Sorted(maps.Keys(cm.Data)))
	}
	return text
}

// TestValuesAreDocumented: every value is in the README, and the README names
// no other.
func TestValuesAreDocumented(t *testing.T) {
	t.Parallel()
	readme := read(t, chartDir+"/README.md")
	values := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(read(t, chartDir+"/values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for line := range strings.Lines(readme) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			documented[name] = true
			if !has(values, strings.Split(name, ".")) {
				t.Errorf("README documents %s, which is no value", name)
			}
		}
	}
	undocumented(t, values, "", documented)
}

func undocumented(t *testing.T, values map[string]any, prefix string, documented map[string]bool) {
	t.Helper()
	for k, v := range values {
		name := prefix + k
		if documented[name] {
			continue
		}
		if sub, ok := v.(map[string]any); ok && len(sub) > 0 {
			undocumented(t, sub, name+".", documented)
			continue
		}
		t.Errorf("%s is not in the README", name)
	}
}

func has(values map[string]any, path []string) bool {
	v, ok := values[path[0]]
	if !ok || len(path) == 1 {
		return ok
	}
	sub, ok := v.(map[string]any)
	return ok && has(sub, path[1:])
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
