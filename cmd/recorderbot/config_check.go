package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// mostCalls bounds what one process can be asked to record at once.
const mostCalls = 100_000

// configCheck finds what is wrong with values that could be read.
type configCheck struct {
	*configLoader
	cfg *Config
}

func (c *configCheck) all() {
	c.publicURL()
	c.oneOf("cloud", c.cfg.Cloud, "global", "usgov-l4", "usgov-l5", "china")
	c.app()
	c.listeners()
	c.console()
	c.endpoints()
	c.mediaHosts()
	c.recording()
	c.capacity()
	c.storage()
	if len(c.cfg.Keys) > 0 {
		c.fault("keys", "encryption and signing are not in this version", "remove the section; archive and spool are plain files")
	}
	if c.cfg.Shutdown.DrainLimit < 0 {
		c.fault("shutdown.drainLimit", "is negative", "write 0s to end live calls at once")
	}
	c.oneOf("log.level", c.cfg.Log.Level, "debug", "info", "warn", "error")
}

func (c *configCheck) publicURL() {
	const key, remedy = "publicURL", "write the address at which Teams reaches this bot, as https://bot.example.com"
	if c.cfg.PublicURL == "" {
		c.fault(key, "is missing", remedy)
		return
	}
	c.reachable(key, c.cfg.PublicURL, remedy)
}

// reachable checks an address that Teams is given.
func (c *configCheck) reachable(key, address, remedy string) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		c.fault(key, shown(address)+" is not a URL", remedy)
	case u.Scheme != "https":
		c.fault(key, shown(address)+" is not https, and Teams accepts no other callbackUri", remedy)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		c.fault(key, "has a query, a fragment or a user", remedy)
	}
}

func (c *configCheck) app() {
	c.guid("app.id", c.cfg.App.ID, "write the Entra application (client) ID of the bot")
	if len(c.cfg.App.Tenants) == 0 {
		c.fault("app.tenants", "is empty, so no call would be taken", "list the tenant IDs whose calls are to be recorded")
	}
	seen := map[string]bool{}
	for i, t := range c.cfg.App.Tenants {
		key := fmt.Sprintf("app.tenants[%d]", i)
		c.guid(key, t, "write the tenant (directory) ID")
		if t = strings.ToLower(t); seen[t] {
			c.fault(key, "is listed twice", "keep one")
		}
		seen[t] = true
	}
	cr := c.cfg.App.Credential
	given := 0
	for _, f := range []string{cr.CertificateFile, cr.SecretFile, cr.FederatedTokenFile} {
		if f != "" {
			given++
		}
	}
	if cr.ManagedIdentity {
		given++
	}
	const remedy = "give exactly one of certificateFile and secretFile"
	switch {
	case given != 1:
		c.fault("app.credential", fmt.Sprintf("has %d credentials", given)+c.fromVariables("app.credential."), remedy)
	case cr.FederatedTokenFile != "":
		c.fault("app.credential.federatedTokenFile", "is not in this version", remedy)
	case cr.ManagedIdentity:
		c.fault("app.credential.managedIdentity", "is not in this version", remedy)
	case cr.CertificateFile != "":
		c.keyPair("app.credential.certificateFile", cr.CertificateFile, cr.CertificateFile)
	case c.file("app.credential.secretFile", cr.SecretFile):
		switch data, err := os.ReadFile(c.cfg.path(cr.SecretFile)); {
		case err != nil:
			c.fault("app.credential.secretFile", "cannot be read: "+err.Error(), "make it readable to the bot's user")
		case strings.TrimSpace(string(data)) == "":
			c.fault("app.credential.secretFile", "is an empty file", "put the client secret into it")
		}
	}
}

func (c *configCheck) listeners() {
	l := c.cfg.Listen
	c.address("listen.callbacks.address", l.Callbacks.Address)
	c.pair("listen.callbacks", l.Callbacks.CertFile, l.Callbacks.KeyFile)
	c.address("listen.ops.address", l.Ops.Address)
	if l.Console != (TLSListener{}) {
		c.address("listen.console.address", l.Console.Address)
		c.pair("listen.console", l.Console.CertFile, l.Console.KeyFile)
	}
	c.apart("listen.ops.address", l.Ops.Address, "listen.callbacks.address", l.Callbacks.Address)
	c.apart("listen.console.address", l.Console.Address, "listen.callbacks.address", l.Callbacks.Address)
	c.apart("listen.console.address", l.Console.Address, "listen.ops.address", l.Ops.Address)
}

func (c *configCheck) endpoints() {
	e := c.cfg.Endpoints
	c.rootURL("endpoints.graph", e.Graph, true)
	c.rootURL("endpoints.authority", e.Authority, true)
	c.rootURL("endpoints.openIDConfiguration", e.OpenIDConfiguration, false)
	for i, issuer := range e.Issuers {
		if strings.TrimSpace(issuer) == "" {
			c.fault(fmt.Sprintf("endpoints.issuers[%d]", i), "is empty", "write the issuer as it stands in the callbacks' tokens, or remove the entry")
		}
	}
	if e.CAFile != "" {
		c.certificates("endpoints.caFile", e.CAFile)
	}
}

func (c *configCheck) mediaHosts() {
	m := c.cfg.MediaHosts
	if len(m.Addresses) == 0 {
		c.fault("mediaHosts.addresses", "is empty, so no call could be answered", "list the media hosts as host:port")
	}
	for i, a := range m.Addresses {
		c.address(fmt.Sprintf("mediaHosts.addresses[%d]", i), a)
	}
	c.pair("mediaHosts", m.CertFile, m.KeyFile)
	if m.CAFile == "" {
		c.fault("mediaHosts.caFile", "is missing", "name the PEM file of the authority that signs the media hosts' certificates")
		return
	}
	c.certificates("mediaHosts.caFile", m.CAFile)
}

func (c *configCheck) recording() {
	r := c.cfg.Recording
	c.streams("recording", r.StreamsConfig)
	for _, policy := range slices.Sorted(maps.Keys(r.Policies)) {
		c.streams("recording.policies."+policy, r.policy(policy))
	}
	if d := time.Duration(r.PartLength); d != 0 && (d < leastPart || d > 24*time.Hour) {
		c.fault("recording.partLength", fmt.Sprintf("%v is neither 0s nor between 1m and 24h", d), "write 1h, or 0s for one recording however long the call is")
	}
	if r.NewBot != "" {
		c.reachable("recording.newBot", r.NewBot, "write the webhook of another bot, as https://bot-2.example.com/api/calls, or nothing")
	}
	if r.ParticipantCapacity < 0 || r.ParticipantCapacity > 1<<31-1 {
		c.fault("recording.participantCapacity", fmt.Sprintf("%d is out of range", r.ParticipantCapacity), "write 0 (no grouping) or about 100")
	}
	c.oneOf("recording.onFailure", r.OnFailure, "leave", "stay")
}

func (c *configCheck) capacity() {
	l := c.cfg.Capacity
	if l.Calls < 0 || l.Calls > mostCalls {
		c.fault("capacity.calls", fmt.Sprintf("%d is not between 0 and %d", l.Calls, mostCalls), "write 0 (what the media hosts and the spool have room for) or how many calls there may be at once")
	}
	if d := time.Duration(l.SpoolRoom); d < time.Minute || d > 7*24*time.Hour {
		c.fault("capacity.spoolRoom", fmt.Sprintf("%v is not between 1m and 168h", d), "write 2h: live calls must be able to end")
	}
	if d := time.Duration(l.CommitLatency); d != 0 && (d < 10*time.Millisecond || d > time.Second) {
		c.fault("capacity.commitLatency", fmt.Sprintf("%v is neither 0s nor between 10ms and 1s", d), "write 200ms, or 0s to take calls however slow the disk is")
	}
	if l.CPU != 0 && (l.CPU < 10 || l.CPU > 100) {
		c.fault("capacity.cpu", fmt.Sprintf("%d is neither 0 nor between 10 and 100 percent", l.CPU), "write 90, or 0 to take calls however busy the process is")
	}
}

func (c *configCheck) storage() {
	if file, ok := c.place("catalogue.url", c.cfg.Catalogue.URL, "sqlite", "a catalogue", "FILE"); ok {
		c.onDisk("catalogue.url", file, false)
	}
	if dir, ok := c.place("archive.url", c.cfg.Archive.URL, "file", "an archive", "FOLDER"); ok {
		c.onDisk("archive.url", dir, true)
	}
	if c.cfg.Archive.Retention != 0 {
		c.fault("archive.retention", "expiry is not in this version", "write 0s: recordings are kept")
	}
	if c.cfg.Spool.Dir == "" {
		c.fault("spool.dir", "is empty", "name a folder on a local disk")
	} else {
		c.onDisk("spool.dir", c.cfg.Spool.Dir, true)
	}
	if s := c.cfg.Spool.SegmentSize; s < 1<<20 || s > 2<<30 || s%4096 != 0 {
		c.fault("spool.segmentSize", fmt.Sprintf("%d bytes is not between 1MiB and 2GiB in steps of 4096", s), "write 256MiB")
	}
	if d := time.Duration(c.cfg.Spool.CommitInterval); d < time.Millisecond || d > time.Second {
		c.fault("spool.commitInterval", fmt.Sprintf("%v is not between 1ms and 1s", d), "write 20ms")
	}
}

func (c *configCheck) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.fault(key, fmt.Sprintf("%q is not known", value), "write one of "+strings.Join(allowed, ", "))
	}
}

func (c *configCheck) guid(key, value, remedy string) {
	if value == "" {
		c.fault(key, "is missing", remedy)
		return
	}
	if _, err := uuid.Parse(value); err != nil || len(value) != 36 {
		c.fault(key, fmt.Sprintf("%q is not a GUID", value), remedy)
	}
}

func (c *configCheck) address(key, value string) {
	host, port, err := net.SplitHostPort(value)
	if err == nil && strings.ContainsAny(host, "/@ ") {
		err = errors.New("bad host")
	}
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(context.Background(), "tcp", port) // a local table; nothing to wait for
	}
	if err != nil || port == "" {
		c.fault(key, shown(value)+" is not an address", "write host:port, or :port for all interfaces")
	}
}

func (c *configCheck) rootURL(key, value string, root bool) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https":
		c.fault(key, shown(value)+" is not an https URL", "write https://host:port")
	case root && strings.Trim(u.Path, "/") != "":
		c.fault(key, shown(value)+" has a path", "write the root only: no version and no tenant")
	}
}

// file reports whether a file can be opened.
func (c *configCheck) file(key, name string) bool {
	if name == "" {
		c.fault(key, "is missing", "name a file")
		return false
	}
	f, err := os.Open(c.cfg.path(name))
	if err != nil {
		problem := "cannot be read: " + err.Error()
		if errors.Is(err, os.ErrNotExist) {
			problem = fmt.Sprintf("no such file: %s", c.cfg.path(name))
		}
		c.fault(key, problem, "create it or correct the path (relative paths start at the configuration file)")
		return false
	}
	info, err := f.Stat()
	_ = f.Close()
	if err == nil && info.IsDir() {
		c.fault(key, "is a folder: "+c.cfg.path(name), "name a file in it")
		return false
	}
	return true
}

// pair checks section.certFile and section.keyFile.
func (c *configCheck) pair(section, cert, key string) {
	okCert, okKey := c.file(section+".certFile", cert), c.file(section+".keyFile", key)
	if okCert && okKey {
		c.keyPair(section+".certFile", cert, key)
	}
}

func (c *configCheck) keyPair(key, cert, private string) {
	if !c.file(key, cert) {
		return
	}
	pair, err := tls.LoadX509KeyPair(c.cfg.path(cert), c.cfg.path(private))
	if err != nil {
		c.fault(key, "is not a certificate with its key: "+err.Error(), "give a PEM certificate and the private key that belongs to it")
		return
	}
	if leaf := pair.Leaf; leaf != nil && time.Now().After(leaf.NotAfter) {
		c.fault(key, "expired on "+leaf.NotAfter.UTC().Format(time.RFC3339), "renew the certificate")
	}
}

func (c *configCheck) certificates(key, name string) {
	if !c.file(key, name) {
		return
	}
	data, err := os.ReadFile(c.cfg.path(name))
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(data) {
		c.fault(key, "holds no PEM certificate", "give the authority's certificate in PEM form")
	}
}
