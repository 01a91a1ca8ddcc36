package teamsim

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/goccy/go-yaml"
)

// BotOptions say where a bot under test listens. Empty addresses get a free
// port of 127.0.0.1.
type BotOptions struct {
	Callbacks, Console, Ops string
	// Archive, Spool and Catalogue are folders and a file; relative ones lie
	// beside the configuration. Defaults: archive, spool, recorderbot.db.
	Archive, Spool, Catalogue string
	// SegmentSize of the spool; default 16MiB, small for tests.
	SegmentSize string
	// ParticipantCapacity of the answer; default 100.
	ParticipantCapacity int
	// OnFailure is leave (default) or stay.
	OnFailure string
	// Recording is what is recorded; what is not said is as the scenario has it.
	Recording Recording
}

// consoleToken is the token's file, beside the configuration.
const consoleToken = "console.token"

// A BotConfig is what WriteBotConfig wrote.
type BotConfig struct {
	// File is the path of recorderbot.yaml.
	File string
	// URL is the bot's calling webhook, to be given to Run.
	URL string
	// PublicURL is without the path. Ops and Console are host:port.
	PublicURL, Ops, Console string
	// ConsoleToken is the file with the console's token, of an admin.
	ConsoleToken string
	// Archive is the folder of recordings, Catalogue the database file, Spool the
	// log's folder.
	Archive, Catalogue, Spool string
}

// WriteBotConfig writes dir/recorderbot.yaml for a bot that finds this
// simulation: endpoints, certificates, credential and media hosts. The
// certificates are those of Options.Dir, by absolute path.
//
// A free port is one that was free a moment ago.
func (s *Sim) WriteBotConfig(dir string, o BotOptions) (BotConfig, error) {
	for _, addr := range []*string{&o.Callbacks, &o.Console, &o.Ops} {
		if err := freeAddress(addr); err != nil {
			return BotConfig{}, fmt.Errorf("write the bot's configuration: %w", err)
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return BotConfig{}, fmt.Errorf("write the bot's configuration: %w", err)
	}
	orDefault(&o.Archive, "archive")
	orDefault(&o.Spool, "spool")
	orDefault(&o.Catalogue, "recorderbot.db")
	orDefault(&o.SegmentSize, "16MiB")
	orDefault(&o.ParticipantCapacity, 100)
	orDefault(&o.OnFailure, s.Scenario.Recording.OnFailure)
	orDefault(&o.Recording.Audio, s.Scenario.Recording.Audio)
	orDefault(&o.Recording.Video, s.Scenario.Recording.Video)
	orDefault(&o.Recording.Cameras, s.Scenario.Recording.Cameras)
	orDefault(&o.Recording.ScreenShare, s.Scenario.Recording.ScreenShare)
	orDefault(&o.Recording.PartLength, s.Scenario.Recording.PartLength)
	_, port, err := net.SplitHostPort(o.Callbacks)
	if err != nil {
		return BotConfig{}, fmt.Errorf("write the bot's configuration: callbacks %q: %w", o.Callbacks, err)
	}
	public := "https://127.0.0.1:" + port
	content, err := yaml.Marshal(s.botYAML(public, o))
	if err != nil {
		return BotConfig{}, fmt.Errorf("write the bot's configuration: %w", err)
	}
	c := BotConfig{
		File:      filepath.Join(dir, "recorderbot.yaml"),
		URL:       public + "/api/calls",
		PublicURL: public,
		Ops:       o.Ops,
		Console:   o.Console,

		ConsoleToken: filepath.Join(dir, consoleToken),

		Archive:   beside(dir, o.Archive),
		Catalogue: beside(dir, o.Catalogue),
		Spool:     beside(dir, o.Spool),
	}
	err = errors.Join(writeFile(c.File, content), writeFile(c.ConsoleToken, []byte(rand.Text()+rand.Text()+"\n")))
	if err != nil {
		return BotConfig{}, fmt.Errorf("write the bot's configuration: %w", err)
	}
	return c, nil
}

// botYAML has the keys of the product's configuration, which are fixed.
func (s *Sim) botYAML(public string, o BotOptions) yaml.MapSlice {
	file := func(name string) string { return filepath.Join(s.PKI.Dir, name) }
	credential := yaml.MapSlice{{Key: "secretFile", Value: file(FileSecret)}}
	if s.Scenario.Credential == "certificate" {
		credential = yaml.MapSlice{{Key: "certificateFile", Value: file(FileCredential)}}
	}
	tls := func(address string) yaml.MapSlice {
		return yaml.MapSlice{{Key: "address", Value: address}, {Key: "certFile", Value: file(FileBotCert)}, {Key: "keyFile", Value: file(FileBotKey)}}
	}
	hosts := make([]string, 0, len(s.Hosts))
	for _, h := range s.Hosts {
		hosts = append(hosts, h.Addr())
	}
	return yaml.MapSlice{
		{Key: "publicURL", Value: public},
		{Key: "cloud", Value: "global"},
		{Key: "app", Value: yaml.MapSlice{{Key: "id", Value: AppID}, {Key: "tenants", Value: s.tenants}, {Key: "credential", Value: credential}}},
		{Key: "listen", Value: yaml.MapSlice{
			{Key: "callbacks", Value: tls(o.Callbacks)},
			{Key: "console", Value: tls(o.Console)},
			{Key: "ops", Value: yaml.MapSlice{{Key: "address", Value: o.Ops}}},
		}},
		{Key: "console", Value: yaml.MapSlice{{Key: "tokens", Value: []yaml.MapSlice{
			{{Key: "name", Value: "simulator"}, {Key: "role", Value: "admin"}, {Key: "file", Value: consoleToken}},
		}}}},
		{Key: "endpoints", Value: yaml.MapSlice{
			{Key: "graph", Value: s.Cloud.Root()},
			{Key: "authority", Value: s.Cloud.Root()},
			{Key: "openIDConfiguration", Value: s.Cloud.OpenIDConfigurationURL()},
			{Key: "caFile", Value: file(FileCA)},
		}},
		{Key: "mediaHosts", Value: yaml.MapSlice{
			{Key: "addresses", Value: hosts},
			{Key: "certFile", Value: file(FileClientCert)},
			{Key: "keyFile", Value: file(FileClientKey)},
			{Key: "caFile", Value: file(FileCA)},
		}},
		{Key: "recording", Value: o.recordingYAML()},
		// The simulator shares the machine with the bot, and many simulations share it
		// with each other: how busy it is says nothing.
		{Key: "capacity", Value: yaml.MapSlice{{Key: "spoolRoom", Value: "10m"}, {Key: "commitLatency", Value: "0s"}, {Key: "cpu", Value: 0}}},
		{Key: "catalogue", Value: yaml.MapSlice{{Key: "url", Value: "sqlite:" + o.Catalogue}}},
		{Key: "spool", Value: yaml.MapSlice{{Key: "dir", Value: o.Spool}, {Key: "segmentSize", Value: o.SegmentSize}}},
		{Key: "archive", Value: yaml.MapSlice{{Key: "url", Value: "file:" + o.Archive}}},
	}
}

func (o *BotOptions) recordingYAML() yaml.MapSlice {
	y := yaml.MapSlice{{Key: "audio", Value: o.Recording.Audio}}
	if o.Recording.Video != "" {
		y = append(y, yaml.MapItem{Key: "video", Value: o.Recording.Video})
	}
	if o.Recording.Cameras != 0 {
		y = append(y, yaml.MapItem{Key: "cameras", Value: o.Recording.Cameras})
	}
	if o.Recording.ScreenShare {
		y = append(y, yaml.MapItem{Key: "screenShare", Value: true})
	}
	if o.Recording.PartLength != 0 {
		y = append(y, yaml.MapItem{Key: "partLength", Value: o.Recording.PartLength.String()})
	}
	return append(y, yaml.MapItem{Key: "participantCapacity", Value: o.ParticipantCapacity}, yaml.MapItem{Key: "onFailure", Value: o.OnFailure})
}

// Ports for a bot come from below the range that the kernel hands out for
// outgoing connections and for listeners without a port: in that range somebody
// else may get the port before the bot does.
const (
	firstPort = 20000
	ports     = 12000
)

// portsTried numbers the ports tried by this process, so that it offers none
// twice; processes start at different places.
var portsTried atomic.Uint32 //nolint:gochecknoglobals // the ports belong to the machine, not to a simulation

// freeAddress fills in an address that nobody listens on.
func freeAddress(addr *string) error {
	if *addr != "" {
		return nil
	}
	var err error
	for range ports {
		port := firstPort + (os.Getpid()*97+int(portsTried.Add(1)))%ports
		var l net.Listener
		if l, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err == nil {
			*addr = l.Addr().String()
			return l.Close()
		}
	}
	return fmt.Errorf("find a free port: %w", err)
}

func beside(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
