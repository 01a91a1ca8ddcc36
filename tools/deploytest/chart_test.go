package deploytest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/yaml"
)

const (
	root     = "../.."
	chartDir = root + "/deploy/helm/recorderbot"
)

// minimal is the least that an operator must say.
const minimal = `
image: {repository: registry.example.com/recorderbot}
config:
  publicURL: https://bot.example.com
  app:
    id: 00000000-0000-0000-0000-000000000000
    tenants: [11111111-1111-1111-1111-111111111111]
  mediaHosts: {addresses: ["mediahost-0:9443"]}
credential: {existingSecret: bot-credential}
callbacks: {tls: {existingSecret: bot-tls}}
mediaHosts: {tls: {existingSecret: bot-mediahosts}}
networkPolicy: {mediaHostCIDRs: [10.1.0.0/24]}
`

// rich sets what minimal leaves alone.
const rich = `
fullnameOverride: recorder
image: {tag: v9, digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullSecrets: [{name: pull}]}
config:
  cloud: usgov-l4
  endpoints: {graph: "https://graph.example", authority: "https://login.example", openIDConfiguration: "https://id.example/openid", issuers: ["https://id.example"]}
  recording: {participantCapacity: 0, onFailure: stay}
  log: {level: debug}
drain: {limitSeconds: 7200, marginSeconds: 90}
credential: {type: secret, key: password}
callbacks: {service: {port: 8443, nodePort: 30443, annotations: {a: b}, loadBalancerClass: lb/x, loadBalancerSourceRanges: [52.112.0.0/14]}}
endpoints: {existingCASecret: my-ca}
ops: {service: {port: 9000, annotations: {c: d}}}
persistence: {storageClass: fast, size: 1Ti, annotations: {e: f}}
serviceAccount: {name: bot, annotations: {g: h}}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
networkPolicy:
  callbacksFrom: [{ipBlock: {cidr: 52.112.0.0/14}}]
  opsFrom: [{podSelector: {matchLabels: {app: prometheus}}}]
  dnsTo: [{namespaceSelector: {}}]
  mediaHostPorts: [9443, 9444]
  extraEgress: [{to: [{ipBlock: {cidr: 10.2.0.0/16}}]}]
podDisruptionBudget: {maxUnavailable: 1}
priorityClassName: high
nodeSelector: {disk: ssd}
tolerations: [{key: recorder, operator: Exists}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: x, operator: Exists}]}]}}}
podAnnotations: {i: j}
podLabels: {k: l}
extraEnv: [{name: RECORDERBOT_LOG_LEVEL, value: warn}]
`

// bare switches off what can be.
const bare = `
replicas: 0
callbacks: {service: {type: ClusterIP}}
persistence: {existingClaim: mine}
serviceAccount: {create: false}
podDisruptionBudget: {enabled: false}
networkPolicy: {enabled: false, mediaHostCIDRs: []}
`

// render renders the chart as helm install does, schema included. Each text is
// a values file; later ones win.
func render(values ...string) (map[string]string, error) {
	chart, err := loader.LoadDir(chartDir)
	if err != nil {
		return nil, err
	}
	merged := map[string]any{}
	for _, text := range values {
		one, lerr := loader.LoadValues(strings.NewReader(text))
		if lerr != nil {
			return nil, lerr
		}
		merged = loader.MergeMaps(merged, one)
	}
	vals, err := util.ToRenderValues(chart, merged, common.ReleaseOptions{Name: "rec", Namespace: "calls", IsInstall: true, Revision: 1}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, vals)
}

// objects renders and decodes: unknown and repeated fields are refused, as a
// server with strict field validation does.
func objects(t *testing.T, values ...string) []runtime.Object {
	t.Helper()
	files, err := render(values...)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, policyv1.AddToScheme, networkingv1.AddToScheme, monitoringv1.AddToScheme} {
		utilruntime.Must(add(scheme))
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var all []runtime.Object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for doc := range strings.SplitSeq(files[name], "\n---") {
			if strings.TrimSpace(doc) == "" {
				continue
			}
			obj, _, err := decoder.Decode([]byte(doc), nil, nil)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, doc)
			}
			all = append(all, obj)
		}
	}
	return all
}

// find returns the one object of a type.
func find[T runtime.Object](t *testing.T, all []runtime.Object, which ...func(T) bool) T {
	t.Helper()
	var found []T
	for _, o := range all {
		if v, ok := o.(T); ok && (len(which) == 0 || which[0](v)) {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of type %T, not 1", len(found), *new(T))
	}
	return found[0]
}

func kinds(all []runtime.Object) string {
	var names []string
	for _, o := range all {
		names = append(names, o.GetObjectKind().GroupVersionKind().Kind)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func sets() map[string][]string {
	return map[string][]string{"minimal": {minimal}, "rich": {minimal, rich}, "bare": {minimal, bare}}
}

func TestChartRenders(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"minimal": "ConfigMap Deployment NetworkPolicy PersistentVolumeClaim PodDisruptionBudget Service Service ServiceAccount",
		"rich":    "ConfigMap Deployment NetworkPolicy PersistentVolumeClaim PodDisruptionBudget Service Service ServiceAccount ServiceMonitor",
		"bare":    "ConfigMap Deployment Service Service",
	} {
		if got := kinds(objects(t, sets()[name]...)); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
}

func TestChartRefuses(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"replicas: 2":                                 "replicas: 2 is refused: the SQLite catalogue and the spool belong to exactly one process",
		"image: {repository: ''}":                     "image.repository: set it",
		"config: {publicURL: ''}":                     "config.publicURL: set it",
		"config: {publicURL: 'http://bot'}":           "is not https",
		"config: {app: {id: ''}}":                     "config.app.id: set it",
		"config: {app: {tenants: []}}":                "config.app.tenants: list",
		"config: {mediaHosts: {addresses: []}}":       "config.mediaHosts.addresses: list",
		"credential: {existingSecret: ''}":            "credential.existingSecret: name",
		"callbacks: {tls: {existingSecret: ''}}":      "callbacks.tls.existingSecret: name",
		"mediaHosts: {tls: {existingSecret: ''}}":     "mediaHosts.tls.existingSecret: name",
		"networkPolicy: {mediaHostCIDRs: []}":         "networkPolicy.mediaHostCIDRs: list",
		"replica: 1":                                  "replica",
		"config: {app: {id: bot}}":                    "/config/app/id",
		"config: {recording: {audio: unmixed}}":       "/config/recording/audio",
		"config: {spool: {dir: /tmp}}":                "dir",
		"drain: {marginSeconds: 0}":                   "/drain/marginSeconds",
		"credential: {type: password}":                "/credential/type",
		"networkPolicy: {mediaHostCIDRs: [anywhere]}": "/networkPolicy/mediaHostCIDRs",
	} {
		_, err := render(minimal, values)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; should say %q", values, err, want)
		}
	}
	if _, err := render(); err == nil {
		t.Error("the defaults alone were taken: they name no bot")
	}
}

// TestPodHasNoRights: the pod can do nothing but its work.
func TestPodHasNoRights(t *testing.T) {
	t.Parallel()
	for name, values := range sets() {
		d := find[*appsv1.Deployment](t, objects(t, values...))
		pod := d.Spec.Template.Spec
		sc := pod.SecurityContext
		if sc == nil || !is(sc.RunAsNonRoot, true) || !is(sc.RunAsUser, 65532) || !is(sc.RunAsGroup, 65532) || !is(sc.FSGroup, 65532) {
			t.Errorf("%s: pod security context %+v", name, sc)
		} else if sc.SeccompProfile == nil || sc.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: seccomp %+v", name, sc.SeccompProfile)
		}
		if !is(pod.AutomountServiceAccountToken, false) || !is(pod.EnableServiceLinks, false) || pod.HostNetwork || pod.HostPID || pod.HostIPC {
			t.Errorf("%s: token %v, links %v, host %v %v %v", name, pod.AutomountServiceAccountToken, pod.EnableServiceLinks, pod.HostNetwork, pod.HostPID, pod.HostIPC)
		}
		if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
			t.Fatalf("%s: %d containers", name, len(pod.Containers))
		}
		c := pod.Containers[0].SecurityContext
		if c == nil || !is(c.ReadOnlyRootFilesystem, true) || !is(c.AllowPrivilegeEscalation, false) || !is(c.Privileged, false) {
			t.Errorf("%s: container security context %+v", name, c)
		} else if caps := c.Capabilities; caps == nil || len(caps.Add) != 0 || !slices.Equal(caps.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: capabilities %+v", name, caps)
		}
	}
	sa := find[*corev1.ServiceAccount](t, objects(t, minimal))
	if !is(sa.AutomountServiceAccountToken, false) {
		t.Error("the service account's token is mounted")
	}
}

func is[T comparable](p *T, want T) bool { return p != nil && *p == want }

// TestOnePodDrains: one writer, and enough time for its calls.
func TestOnePodDrains(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		replicas int32
		grace    int64
	}{"minimal": {1, 660}, "rich": {1, 7290}, "bare": {0, 660}} {
		d := find[*appsv1.Deployment](t, objects(t, sets()[name]...))
		if !is(d.Spec.Replicas, want.replicas) || d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType || d.Spec.Strategy.RollingUpdate != nil {
			t.Errorf("%s: replicas %v, strategy %+v", name, d.Spec.Replicas, d.Spec.Strategy)
		}
		pod := d.Spec.Template.Spec
		if !is(pod.TerminationGracePeriodSeconds, want.grace) || pod.Containers[0].Lifecycle != nil {
			t.Errorf("%s: grace %v, lifecycle %v", name, *pod.TerminationGracePeriodSeconds, pod.Containers[0].Lifecycle)
		}
		if name != "bare" {
			cfg := configOf(t, sets()[name]...)
			limit := fmt.Sprint(cfg["shutdown"].(map[string]any)["drainLimit"])
			if limit != fmt.Sprint(want.grace-map[string]int64{"minimal": 60, "rich": 90}[name], "s") {
				t.Errorf("%s: drain limit %s, grace %d", name, limit, want.grace)
			}
		}
	}
}

// TestPodIsWhole: what the pod names is there.
func TestPodIsWhole(t *testing.T) {
	t.Parallel()
	for name, values := range sets() {
		all := objects(t, values...)
		d := find[*appsv1.Deployment](t, all)
		pod, c := d.Spec.Template.Spec, d.Spec.Template.Spec.Containers[0]
		for k, v := range d.Spec.Selector.MatchLabels {
			if d.Spec.Template.Labels[k] != v {
				t.Errorf("%s: the selector's %s=%s is not the pod's", name, k, v)
			}
		}
		ports := map[string]int32{}
		for _, p := range c.Ports {
			ports[p.Name] = p.ContainerPort
		}
		if ports["callbacks"] != 9441 || ports["ops"] != 9440 {
			t.Errorf("%s: ports %v", name, ports)
		}
		for path, probe := range map[string]*corev1.Probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != "ops" {
				t.Errorf("%s: probe %+v", name, probe)
			}
		}
		if s := c.StartupProbe; s == nil || s.HTTPGet.Path != "/livez" || s.PeriodSeconds*s.FailureThreshold < 300 {
			t.Errorf("%s: startup probe %+v", name, s)
		}
		volumes := map[string]corev1.Volume{}
		for _, v := range pod.Volumes {
			volumes[v.Name] = v
		}
		writable := []string{}
		for _, m := range c.VolumeMounts {
			v, ok := volumes[m.Name]
			if !ok {
				t.Errorf("%s: mount of no volume: %s", name, m.Name)
			}
			delete(volumes, m.Name)
			if !m.ReadOnly {
				writable = append(writable, m.MountPath)
			}
			if v.Secret != nil && (!is(v.Secret.DefaultMode, 0o440) || !m.ReadOnly || m.SubPath != "") {
				t.Errorf("%s: secret %s: mode %o, mount %+v", name, m.Name, *v.Secret.DefaultMode, m)
			}
		}
		if len(volumes) != 0 || !slices.Equal(writable, []string{"/data", "/tmp"}) {
			t.Errorf("%s: volumes without mount %v, writable %v", name, volumes, writable)
		}
	}
}

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
	for _, end := range []string{"callbacks", "ops"} {
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
