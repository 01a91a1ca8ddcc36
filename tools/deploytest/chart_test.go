package deploytest

import (
	"fmt"
	"maps"
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
console:
  enabled: true
  tls: {existingSecret: bot-console}
  tokens: {existingSecret: bot-tokens, users: [{name: ops-desk, role: operator, key: desk}, {name: chief, role: admin, key: chief}]}
  clients: {existingCASecret: bot-clients, users: [{commonName: desk1, role: viewer}]}
  service: {port: 9999, annotations: {m: o}}
ops: {service: {port: 9000, annotations: {c: d}}}
persistence: {storageClass: fast, size: 1Ti, annotations: {e: f}}
serviceAccount: {name: bot, annotations: {g: h}}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
networkPolicy:
  callbacksFrom: [{ipBlock: {cidr: 52.112.0.0/14}}]
  consoleFrom: [{podSelector: {matchLabels: {app: desk}}}]
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
		"rich":    "ConfigMap Deployment NetworkPolicy PersistentVolumeClaim PodDisruptionBudget Service Service Service ServiceAccount ServiceMonitor",
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
		"replicas: 2":                             "replicas: 2 is refused: the SQLite catalogue and the spool belong to exactly one process",
		"image: {repository: ''}":                 "image.repository: set it",
		"config: {publicURL: ''}":                 "config.publicURL: set it",
		"config: {publicURL: 'http://bot'}":       "is not https",
		"config: {app: {id: ''}}":                 "config.app.id: set it",
		"config: {app: {tenants: []}}":            "config.app.tenants: list",
		"config: {mediaHosts: {addresses: []}}":   "config.mediaHosts.addresses: list",
		"credential: {existingSecret: ''}":        "credential.existingSecret: name",
		"callbacks: {tls: {existingSecret: ''}}":  "callbacks.tls.existingSecret: name",
		"mediaHosts: {tls: {existingSecret: ''}}": "mediaHosts.tls.existingSecret: name",
		"networkPolicy: {mediaHostCIDRs: []}":     "networkPolicy.mediaHostCIDRs: list",
		"console: {enabled: true, tokens: {users: [{name: a, role: viewer, key: a}]}}":                           "console.tls.existingSecret: name",
		"console: {enabled: true, tls: {existingSecret: a}}":                                                     "list who may use the console",
		"console: {enabled: true, tls: {existingSecret: a}, tokens: {users: [{name: a, role: viewer, key: a}]}}": "console.tokens.existingSecret: name",
		"console: {enabled: true, tls: {existingSecret: a}, clients: {users: [{commonName: a, role: viewer}]}}":  "console.clients.existingCASecret: name",
		"console: {tokens: {users: [{name: a, role: boss, key: a}]}}":                                            "/console/tokens/users/0/role",
		"replica: 1":                                  "replica",
		"config: {app: {id: bot}}":                    "/config/app/id",
		"config: {recording: {audio: stereo}}":        "/config/recording/audio",
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
		console := map[string]int32{"rich": 9442}[name]
		if ports["callbacks"] != 9441 || ports["ops"] != 9440 || ports["console"] != console {
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
