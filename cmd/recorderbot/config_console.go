package main

import (
	"fmt"
	"strings"

	consoleapi "github.com/recorderbot/recorderbot/internal/console"
)

// consoleServed tells whether there is a console.
func (c *Config) consoleServed() bool { return c.Listen.Console != (TLSListener{}) }

// console finds what is wrong with who may use the console.
func (c *configCheck) console() {
	con := c.cfg.Console
	names := map[string]bool{}
	secrets := map[string]string{}
	for i, t := range con.Tokens {
		key := fmt.Sprintf("console.tokens[%d]", i)
		c.consoleName(key+".name", t.Name, "write who uses the token, as ops-desk; it goes into the audit", names)
		c.oneOf(key+".role", t.Role, consoleapi.Roles()...)
		c.consoleToken(key+".file", t.File, secrets)
	}
	names = map[string]bool{}
	for i, cl := range con.Clients {
		key := fmt.Sprintf("console.clients[%d]", i)
		c.consoleName(key+".commonName", cl.CommonName, "write the common name of the client's certificate", names)
		c.oneOf(key+".role", cl.Role, consoleapi.Roles()...)
	}
	switch {
	case con.ClientCAFile != "":
		c.certificates("console.clientCAFile", con.ClientCAFile)
		if len(con.Clients) == 0 {
			c.fault("console.clients", "is empty, so no certificate would be taken", "list the clients by commonName and role, or remove clientCAFile")
		}
	case len(con.Clients) > 0:
		c.fault("console.clientCAFile", "is missing", "name the PEM file of the authority that signs the clients' certificates")
	}
	switch some := len(con.Tokens)+len(con.Clients) > 0; {
	case c.cfg.consoleServed() && !some:
		c.fault("console.tokens", "is empty, and so is console.clients: nobody could use the console",
			"write console: {tokens: [{name: ops-desk, role: operator, file: console.token}]}, or remove listen.console")
	case some && !c.cfg.consoleServed():
		c.fault("listen.console", "is missing, so nobody listed under console could use it", `write console: {address: ":9442", certFile: tls.crt, keyFile: tls.key} under listen`)
	}
}

func (c *configCheck) consoleName(key, name, remedy string, seen map[string]bool) {
	switch {
	case strings.TrimSpace(name) == "":
		c.fault(key, "is missing", remedy)
	case len(name) > 64:
		c.fault(key, "is longer than 64 bytes", remedy)
	case seen[name]:
		c.fault(key, "is listed twice", "give each a name of its own")
	}
	seen[name] = true
}

// consoleToken checks a token's file. No fault quotes it.
func (c *configCheck) consoleToken(key, file string, seen map[string]string) {
	if !c.file(key, file) {
		return
	}
	token, err := consoleapi.ReadToken(c.cfg.path(file))
	switch {
	case err != nil:
		c.fault(key, "is not usable: "+err.Error(), "write a new token into it: openssl rand -hex 32")
	case seen[token] != "":
		c.fault(key, "holds the same token as "+seen[token], "give each a token of their own: openssl rand -hex 32")
	default:
		seen[token] = key
	}
}
