package teamsim_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/goccy/go-yaml"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// config is the product's configuration as documented, as far as a bot needs
// it; reading is strict.
type config struct {
	PublicURL string `yaml:"publicURL"`
	Cloud     string `yaml:"cloud"`
	App       struct {
		ID         string   `yaml:"id"`
		Tenants    []string `yaml:"tenants"`
		Credential struct {
			CertificateFile string `yaml:"certificateFile"`
			SecretFile      string `yaml:"secretFile"`
		} `yaml:"credential"`
	} `yaml:"app"`
	Listen struct {
		Callbacks listener `yaml:"callbacks"`
		Console   listener `yaml:"console"`
		Ops       listener `yaml:"ops"`
	} `yaml:"listen"`
	Console struct {
		Tokens []struct {
			Name string `yaml:"name"`
			Role string `yaml:"role"`
			File string `yaml:"file"`
		} `yaml:"tokens"`
	} `yaml:"console"`
	Endpoints struct {
		Graph               string `yaml:"graph"`
		Authority           string `yaml:"authority"`
		OpenIDConfiguration string `yaml:"openIDConfiguration"`
		CAFile              string `yaml:"caFile"`
	} `yaml:"endpoints"`
	MediaHosts struct {
		Addresses []string `yaml:"addresses"`
		CertFile  string   `yaml:"certFile"`
		KeyFile   string   `yaml:"keyFile"`
		CAFile    string   `yaml:"caFile"`
	} `yaml:"mediaHosts"`
	Recording struct {
		Audio               string `yaml:"audio"`
		Video               string `yaml:"video"`
		Cameras             int    `yaml:"cameras"`
		ScreenShare         bool   `yaml:"screenShare"`
		ParticipantCapacity int    `yaml:"participantCapacity"`
		OnFailure           string `yaml:"onFailure"`
	} `yaml:"recording"`
	Capacity struct {
		SpoolRoom     string  `yaml:"spoolRoom"`
		CommitLatency string  `yaml:"commitLatency"`
		CPU           float64 `yaml:"cpu"`
	} `yaml:"capacity"`
	Catalogue struct {
		URL string `yaml:"url"`
	} `yaml:"catalogue"`
	Spool struct {
		Dir         string `yaml:"dir"`
		SegmentSize string `yaml:"segmentSize"`
	} `yaml:"spool"`
	Archive struct {
		URL string `yaml:"url"`
	} `yaml:"archive"`
}

type listener struct {
	Address  string `yaml:"address"`
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
}

// tinyBot lives by what WriteBotConfig wrote. It answers, announces recording
// and says notRecording when the call ends; it takes no media, unless it is told to
// watch.
type tinyBot struct {
	t     *testing.T
	c     config
	http  *http.Client
	hosts []pb.MediaHostClient
	app   confidential.Client
	work  sync.WaitGroup

	mu       sync.Mutex
	sessions map[string]string // call → session
	told     map[string]bool
	watch    *watcher
	rosters  []string // bodies
}

func startBot(t *testing.T, file string) *tinyBot {
	t.Helper()
	b := &tinyBot{t: t, sessions: map[string]string{}, told: map[string]bool{}}
	data := b.read(file)
	if err := yaml.UnmarshalWithOptions(data, &b.c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b.read(b.c.Endpoints.CAFile)) {
		t.Fatal("the CA file has no certificate")
	}
	b.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	b.dial(roots)
	b.listen()
	return b
}

func (b *tinyBot) read(file string) []byte {
	b.t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

// dial makes the clients of Entra ID and of the media hosts.
func (b *tinyBot) dial(roots *x509.CertPool) {
	b.t.Helper()
	var credential confidential.Credential
	var err error
	if f := b.c.App.Credential.CertificateFile; f != "" {
		certs, key, e := confidential.CertFromPEM(b.read(f), "")
		if e != nil {
			b.t.Fatal(e)
		}
		credential, err = confidential.NewCredFromCert(certs, key)
	} else {
		credential, err = confidential.NewCredFromSecret(strings.TrimSpace(string(b.read(b.c.App.Credential.SecretFile))))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.app, err = confidential.New(b.c.Endpoints.Authority+"/"+b.c.App.Tenants[0], b.c.App.ID, credential,
		confidential.WithHTTPClient(b.http), confidential.WithInstanceDiscovery(false))
	if err != nil {
		b.t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(b.c.MediaHosts.CertFile, b.c.MediaHosts.KeyFile)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, addr := range b.c.MediaHosts.Addresses {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: roots, Certificates: []tls.Certificate{cert}, ServerName: "127.0.0.1",
		})))
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(func() { _ = conn.Close() })
		b.hosts = append(b.hosts, pb.NewMediaHostClient(conn))
	}
}

func (b *tinyBot) listen() {
	b.t.Helper()
	l := b.c.Listen.Callbacks
	cert, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile)
	if err != nil {
		b.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/calls", b.serve)
	server := &http.Server{Addr: l.Address, Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	tcp, err := tls.Listen("tcp", l.Address, server.TLSConfig)
	if err != nil {
		b.t.Fatal(err)
	}
	b.work.Go(func() { _ = server.Serve(tcp) })
	b.t.Cleanup(func() {
		_ = server.Close()
		b.work.Wait()
		b.http.CloseIdleConnections()
	})
}

func (b *tinyBot) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var envelope struct {
		Value []struct {
			Change   string          `json:"changeType"`
			Resource string          `json:"resourceUrl"`
			Data     json.RawMessage `json:"resourceData"`
		} `json:"value"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	for _, n := range envelope.Value {
		part := strings.Split(strings.TrimPrefix(n.Resource, "/communications/calls/"), "/")
		if len(part) == 2 && part[1] == "participants" {
			b.mu.Lock()
			b.rosters = append(b.rosters, string(n.Data))
			b.mu.Unlock()
		}
		if len(part) != 1 {
			continue
		}
		var call struct{ State string }
		_ = json.Unmarshal(n.Data, &call)
		state := strings.ToLower(call.State)
		if strings.EqualFold(n.Change, "deleted") {
			state = "terminated"
		}
		b.work.Go(func() { b.act(strings.ToLower(strings.ReplaceAll(part[0], "-", "")), state) })
	}
}

// act does what a bot does in a state, once.
func (b *tinyBot) act(call, state string) {
	b.mu.Lock()
	if b.told[call+state] {
		b.mu.Unlock()
		return
	}
	b.told[call+state] = true
	b.mu.Unlock()
	switch state {
	case "incoming":
		session := fmt.Sprintf("session-%s", call)
		b.mu.Lock()
		host := b.hosts[len(b.sessions)%len(b.hosts)]
		b.sessions[call] = session
		b.mu.Unlock()
		request := &pb.CreateSessionRequest{
			SessionId: session, Audio: pb.AudioMode_AUDIO_MODE_MIXED, UnattachedTtlMs: 60_000,
			VideoSockets: uint32(b.c.Recording.Cameras), ScreenShare: b.c.Recording.ScreenShare,
		}
		if b.c.Recording.Audio == "unmixed" {
			request.Audio = pb.AudioMode_AUDIO_MODE_UNMIXED
		}
		r, err := host.CreateSession(context.Background(), request)
		if err != nil {
			b.t.Error(err)
			return
		}
		if b.watch != nil {
			b.watch.attach(host, session)
		}
		b.post(call+"/answer", map[string]any{
			"callbackUri": b.c.PublicURL + "/api/calls", "acceptedModalities": []string{"audio"},
			"mediaConfig":         map[string]any{"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": r.GetBlob()},
			"participantCapacity": b.c.Recording.ParticipantCapacity,
		})
	case "established":
		b.post(call+"/updateRecordingStatus", map[string]any{"status": "recording", "clientContext": call + "/1/recording"})
		if b.watch != nil {
			b.watch.open()
		}
	case "terminated":
		b.mu.Lock()
		session := b.sessions[call]
		b.mu.Unlock()
		for _, h := range b.hosts {
			_, _ = h.StopSession(context.Background(), &pb.StopSessionRequest{SessionId: session})
		}
	}
}

func (b *tinyBot) post(path string, body any) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	token, err := b.app.AcquireTokenByCredential(ctx, []string{b.c.Endpoints.Graph + "/.default"})
	if err != nil {
		b.t.Error(err)
		return
	}
	raw, err := json.Marshal(body)
	if err != nil {
		b.t.Error(err)
		return
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.c.Endpoints.Graph+"/v1.0/communications/calls/"+path, bytes.NewReader(raw))
	if err != nil {
		b.t.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	r.Header.Set("client-request-id", path)
	resp, err := b.http.Do(r)
	if err != nil {
		return // dropped on purpose, or the run is over
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// play runs a scenario against a tiny bot.
func play(t *testing.T, s teamsim.Scenario) (teamsim.Result, *teamsim.Sim) {
	t.Helper()
	return playWatched(t, s, nil)
}

func playWatched(t *testing.T, s teamsim.Scenario, watch *watcher) (teamsim.Result, *teamsim.Sim) {
	t.Helper()
	dir := t.TempDir()
	sim, err := teamsim.Start(s, teamsim.Options{PKI: pki()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if e := sim.Close(); e != nil {
			t.Error(e)
		}
	})
	bot, err := sim.WriteBotConfig(dir, teamsim.BotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := startBot(t, bot.File)
	if watch != nil {
		watch.t, b.watch = t, watch
		defer func() {
			b.mu.Lock()
			watch.rosters = b.rosters
			b.mu.Unlock()
		}()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := sim.Run(ctx, bot.URL)
	if err != nil {
		t.Fatal(err)
	}
	return r, sim
}
