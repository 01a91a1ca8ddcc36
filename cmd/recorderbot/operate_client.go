package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	consoleapi "github.com/recorderbot/recorderbot/internal/console"
)

// tokenFileVariable names the token's file for the operators' commands.
const tokenFileVariable = variablePrefix + "CONSOLE_TOKEN_FILE"

// mostReply bounds what the console may say.
const mostReply = 64 << 20

// consoleFlags are what every command to the running service has.
type consoleFlags struct {
	Config    string `default:"recorderbot.yaml" help:"Configuration file of the service; where it listens and whom it takes stand there."`
	Address   string `help:"Where the console is, as host:port, if not on this machine."`
	TokenFile string `help:"File with the bearer token. Default: $RECORDERBOT_CONSOLE_TOKEN_FILE, else the first of the configuration whose role is enough."`
	CertFile  string `help:"Client certificate instead of a token (PEM)."`
	KeyFile   string `help:"Key of the client certificate (PEM)."`
	CAFile    string `name:"ca-file" help:"Authority of the console's certificate (PEM). Default: the certificate of the configuration itself."`
}

// A consoleClient speaks to a console.
type consoleClient struct {
	root  string
	token string // empty: a certificate speaks
	http  *http.Client
}

// open makes a client with an identity for the role.
func (f consoleFlags) open(c *console, role consoleapi.Role) (*consoleClient, error) {
	cfg, err := loadConfig(f.Config, c.environ)
	if err != nil {
		return nil, err
	}
	if !cfg.consoleServed() {
		return nil, fmt.Errorf("%s has no console; write listen.console and console (README.md, Operating), and start the service anew", f.Config)
	}
	client := &consoleClient{}
	address, name, err := f.where(cfg)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: name}
	if config.RootCAs, err = certPool(cmp.Or(f.CAFile, cfg.path(cfg.Listen.Console.CertFile))); err != nil {
		return nil, err
	}
	if f.CertFile != "" {
		pair, perr := tls.LoadX509KeyPair(f.CertFile, cmp.Or(f.KeyFile, f.CertFile))
		if perr != nil {
			return nil, fmt.Errorf("--cert-file: %w", perr)
		}
		config.Certificates = []tls.Certificate{pair}
	} else if client.token, err = f.credential(c, cfg, role); err != nil {
		return nil, err
	}
	client.root = "https://" + address + consoleapi.Root
	client.http = &http.Client{
		Timeout: consoleapi.ReplyTime, Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client, nil
}

// where finds the console, and the name that its certificate must be for. On this
// machine that is whatever name the certificate has: it is the one of the
// configuration.
func (f consoleFlags) where(cfg *Config) (address, name string, err error) {
	if f.Address != "" {
		if name, _, err = net.SplitHostPort(f.Address); err != nil || name == "" {
			return "", "", fmt.Errorf("--address %q is not host:port", f.Address)
		}
		return f.Address, name, nil
	}
	host, port, err := net.SplitHostPort(cfg.Listen.Console.Address)
	if err != nil {
		return "", "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	name, err = firstName(cfg.path(cfg.Listen.Console.CertFile))
	return net.JoinHostPort(host, port), name, err
}

// firstName is a name that a certificate is for.
func firstName(file string) (string, error) {
	data, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return "", errors.New("no PEM certificate in " + file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return "", fmt.Errorf("read %s: %w", file, err)
	case len(cert.DNSNames) > 0:
		return strings.Replace(cert.DNSNames[0], "*", "console", 1), nil
	case len(cert.IPAddresses) > 0:
		return cert.IPAddresses[0].String(), nil
	}
	return "", fmt.Errorf("%s is for no name and no address; issue it with one", file)
}

// credential reads the token.
func (f consoleFlags) credential(c *console, cfg *Config, role consoleapi.Role) (string, error) {
	file := f.TokenFile
	for _, kv := range c.environ {
		if value, ok := strings.CutPrefix(kv, tokenFileVariable+"="); ok && file == "" {
			file = value
		}
	}
	for _, t := range cfg.Console.Tokens {
		if has, _ := consoleapi.ParseRole(t.Role); file == "" && has >= role {
			file = cfg.path(t.File)
		}
	}
	if file == "" {
		return "", fmt.Errorf("the configuration has no token whose role is %s or more; name one with --token-file, or a client certificate with --cert-file", role)
	}
	return consoleapi.ReadToken(file)
}

// do asks for something and reads the reply into out. What the console turns
// down becomes an error with its reason and remedy.
func (c *consoleClient) do(ctx context.Context, method, path string, ask *consoleapi.Ask, out any) error {
	var body io.Reader = http.NoBody
	if ask != nil && *ask != (consoleapi.Ask{}) {
		data, err := json.Marshal(ask)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.root+path, body)
	if err != nil {
		return err
	}
	if body != http.NoBody {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	reply, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("the console did not answer (does the service run, and is this its address?): %w", err)
	}
	defer func() { _ = reply.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(reply.Body, mostReply))
	if err != nil {
		return fmt.Errorf("the console's answer broke off: %w", err)
	}
	if reply.StatusCode >= http.StatusMultipleChoices {
		return turnedDown(reply.Status, data)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("the console's answer is not understood; is it of this version? %w", err)
	}
	return nil
}

func turnedDown(status string, data []byte) error {
	var p consoleapi.Problem
	if json.Unmarshal(data, &p) != nil || p.Error == "" {
		return fmt.Errorf("the console said %s", status)
	}
	text := p.Error
	if p.Remedy != "" {
		text += "; " + p.Remedy
	}
	return errors.New(strings.Map(printable, text))
}
