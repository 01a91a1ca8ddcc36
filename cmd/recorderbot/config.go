package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/spool"
)

// Config is the whole configuration (design.md 4.7). Every key can be
// overridden by an environment variable: RECORDERBOT_ and the key's path in
// capitals with underscores, for example RECORDERBOT_LISTEN_OPS_ADDRESS.
type Config struct {
	PublicURL  string           `yaml:"publicURL"` // what Teams reaches; https
	Cloud      string           `yaml:"cloud"`     // global, usgov-l4, usgov-l5 or china
	App        AppConfig        `yaml:"app"`
	Listen     ListenConfig     `yaml:"listen"`
	Console    ConsoleConfig    `yaml:"console"`
	Endpoints  EndpointsConfig  `yaml:"endpoints"`
	MediaHosts MediaHostsConfig `yaml:"mediaHosts"`
	Recording  RecordingConfig  `yaml:"recording"`
	Capacity   CapacityConfig   `yaml:"capacity"`
	Catalogue  CatalogueConfig  `yaml:"catalogue"`
	Spool      SpoolConfig      `yaml:"spool"`
	Archive    ArchiveConfig    `yaml:"archive"`
	Keys       map[string]any   `yaml:"keys"`
	Shutdown   ShutdownConfig   `yaml:"shutdown"`
	Log        LogConfig        `yaml:"log"`

	file string // where it came from; relative paths start there

	// What only tests set: there is no key for it.
	bridge     time.Duration // of cuts to media hosts; 0: as long as they remember
	spoolFault spool.Fault
}

// AppConfig names the Entra application.
type AppConfig struct {
	ID         string           `yaml:"id"`
	Tenants    []string         `yaml:"tenants"` // whose calls are recorded
	Credential CredentialConfig `yaml:"credential"`
}

// CredentialConfig holds exactly one credential.
type CredentialConfig struct {
	CertificateFile    string `yaml:"certificateFile"` // PEM, certificate and key in one file
	SecretFile         string `yaml:"secretFile"`
	FederatedTokenFile string `yaml:"federatedTokenFile"`
	ManagedIdentity    bool   `yaml:"managedIdentity"`
}

// ListenConfig holds the listeners.
type ListenConfig struct {
	Callbacks TLSListener `yaml:"callbacks"`
	Console   TLSListener `yaml:"console"`
	Ops       Listener    `yaml:"ops"`
}

// TLSListener is an HTTPS listener; its files are read again when renewed.
type TLSListener struct {
	Address  string `yaml:"address"`
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
}

// Listener is a plain listener.
type Listener struct {
	Address string `yaml:"address"`
}

// ConsoleConfig says who may use the console.
type ConsoleConfig struct {
	Tokens       []ConsoleToken  `yaml:"tokens"`
	ClientCAFile string          `yaml:"clientCAFile"` // signs the clients' certificates
	Clients      []ConsoleClient `yaml:"clients"`
}

// ConsoleToken is somebody who sends a bearer token.
type ConsoleToken struct {
	Name string `yaml:"name"` // for the audit
	Role string `yaml:"role"` // viewer, operator or admin
	File string `yaml:"file"` // holds the token; read again when it changes
}

// ConsoleClient is somebody who shows a certificate.
type ConsoleClient struct {
	CommonName string `yaml:"commonName"`
	Role       string `yaml:"role"`
}

// EndpointsConfig overrides the cloud's endpoints.
type EndpointsConfig struct {
	Graph               string   `yaml:"graph"`
	Authority           string   `yaml:"authority"`
	OpenIDConfiguration string   `yaml:"openIDConfiguration"`
	Issuers             []string `yaml:"issuers"`
	CAFile              string   `yaml:"caFile"`
}

// MediaHostsConfig names the media hosts and our identity towards them.
type MediaHostsConfig struct {
	Addresses []string `yaml:"addresses"`
	CertFile  string   `yaml:"certFile"`
	KeyFile   string   `yaml:"keyFile"`
	CAFile    string   `yaml:"caFile"`
}

// StreamsConfig says which streams of a call are recorded.
type StreamsConfig struct {
	Audio       string `yaml:"audio"`   // mixed or unmixed
	Video       string `yaml:"video"`   // none, or of so many lines at most: 180p to 1080p
	Cameras     int    `yaml:"cameras"` // at a time
	ScreenShare bool   `yaml:"screenShare"`
}

// RecordingConfig says what is recorded.
type RecordingConfig struct {
	StreamsConfig

	// Policies are what is recorded otherwise of a call by a policy of that identifier.
	Policies map[string]StreamsConfig `yaml:"policies"`
	// PartLength is how long a recording may become before its call goes on in another,
	// so that a long call is archived while it goes on; 0: as long as the call.
	PartLength          Duration `yaml:"partLength"`
	ParticipantCapacity int      `yaml:"participantCapacity"`
	// NewBot is the webhook of another bot: while this one drains, whoever its calls can't
	// take on, for they record no more, is sent there. Empty: they are turned down.
	NewBot    string `yaml:"newBot"`
	OnFailure string `yaml:"onFailure"` // leave or stay
}

// CapacityConfig says when no further call is taken: its invite is rejected as
// busy. Calls in progress are not affected.
type CapacityConfig struct {
	// Calls is how many there may be at once; 0: as many as the media hosts have
	// seats, and the spool room, for.
	Calls int `yaml:"calls"`
	// SpoolRoom is for how long the spool must have room, with the new call.
	SpoolRoom Duration `yaml:"spoolRoom"`
	// CommitLatency is how long a commit of the spool may take on average; 0: it does
	// not matter.
	CommitLatency Duration `yaml:"commitLatency"`
	// CPU is how many percent of the cores that the process may use it may use; 0: it
	// does not matter.
	CPU int `yaml:"cpu"`
}

// CatalogueConfig names the catalogue.
type CatalogueConfig struct {
	URL string `yaml:"url"`
}

// SpoolConfig places and sizes the spool log.
type SpoolConfig struct {
	Dir            string   `yaml:"dir"`
	SegmentSize    Size     `yaml:"segmentSize"`
	CommitInterval Duration `yaml:"commitInterval"`
}

// ArchiveConfig names the archive.
type ArchiveConfig struct {
	URL       string   `yaml:"url"`
	Retention Duration `yaml:"retention"`
}

// ShutdownConfig bounds the drain.
type ShutdownConfig struct {
	// DrainLimit is how long live calls are kept after SIGTERM before they are
	// sealed, announced and left.
	DrainLimit Duration `yaml:"drainLimit"`
}

// LogConfig says how much is logged.
type LogConfig struct {
	Level string `yaml:"level"` // debug, info, warn or error
}

func defaultConfig() Config {
	return Config{
		Cloud: "global",
		Listen: ListenConfig{
			Callbacks: TLSListener{Address: ":9441"},
			Ops:       Listener{Address: "127.0.0.1:9440"},
		},
		Recording: RecordingConfig{StreamsConfig: StreamsConfig{Audio: "mixed", Video: "none"}, PartLength: Duration(time.Hour), ParticipantCapacity: 100, OnFailure: "leave"},
		Capacity:  CapacityConfig{SpoolRoom: Duration(2 * time.Hour), CommitLatency: Duration(200 * time.Millisecond), CPU: 90},
		Catalogue: CatalogueConfig{URL: "sqlite:recorderbot.db"},
		Spool:     SpoolConfig{Dir: "spool", SegmentSize: 256 << 20, CommitInterval: Duration(20 * time.Millisecond)},
		Archive:   ArchiveConfig{URL: "file:archive"},
		Shutdown:  ShutdownConfig{DrainLimit: Duration(10 * time.Minute)},
		Log:       LogConfig{Level: "info"},
	}
}

// path makes a file name of the configuration absolute to its file.
func (c *Config) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(c.file), name)
}

// callbackURI is where Teams sends what follows the invite.
func (c *Config) callbackURI() string { return strings.TrimSuffix(c.PublicURL, "/") + "/api/calls" }

// A Duration is written as in Go: 20ms, 10m, 24h.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration", text)
	}
	*d = Duration(v)
	return nil
}

// A Size is a number of bytes, written as 16MiB, 1GiB or a bare number.
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	digits, unit := strings.TrimSpace(string(text)), int64(1)
	for suffix, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = strings.TrimSpace(rest), factor
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<62/unit {
		return fmt.Errorf("%q is not a size", text)
	}
	*s = Size(n * unit)
	return nil
}

// warnings are what an operator should know of a configuration in order.
func (c *Config) warnings() []string {
	w := []string{"no keys: spool and archive are plain files, readable to whoever can read the disk"}
	if c.Cloud == "china" {
		w = append(w, "cloud china: Microsoft documents no support for policy-based recording there")
	}
	if c.Cloud != "global" && (c.Endpoints.OpenIDConfiguration == "" || len(c.Endpoints.Issuers) == 0) {
		w = append(w, "cloud "+c.Cloud+": Microsoft publishes no signing keys and issuers of this cloud's callbacks; those of the global cloud are used until endpoints.openIDConfiguration and endpoints.issuers say otherwise")
	}
	return w
}
