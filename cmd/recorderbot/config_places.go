package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
)

// shown is how a faulty address is told: less a user, a password and a query.
// Faults go to terminals and logs, and a SAS token is a query.
func shown(value string) string {
	u, err := url.Parse(value)
	switch {
	case !strings.ContainsAny(value, "@?"):
		return fmt.Sprintf("%q", value)
	case err != nil || u.Host == "":
		return "the value (not shown: it may hold a password)"
	}
	return fmt.Sprintf("%q (user and query not shown)", u.Scheme+"://"+u.Host+u.Path)
}

// place reads a URL of this version's one scheme, and returns the path in it.
func (c *configCheck) place(key, value, scheme, what, path string) (string, bool) {
	remedy := "write " + scheme + ":" + path
	got, rest, ok := strings.Cut(value, ":")
	switch {
	case value == "":
		c.fault(key, "is empty", remedy)
	case !ok || strings.ContainsFunc(got, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }):
		c.fault(key, "has no scheme", remedy)
	case got != scheme: // the rest of it may hold a password or a SAS token
		c.fault(key, fmt.Sprintf("%q is not %s of this version", got+":…", what), remedy)
	case rest == "" || strings.HasPrefix(rest, "//") && !strings.HasPrefix(rest, "///"):
		c.fault(key, "names no "+strings.ToLower(path), remedy+", or "+scheme+":///"+path+" from the root")
	case strings.ContainsAny(rest, "?#"):
		c.fault(key, "has a query or a fragment", remedy)
	default:
		return strings.TrimPrefix(rest, "//"), true
	}
	return "", false
}

// onDisk finds what stands in the way of a folder or a file that the bot makes.
func (c *configCheck) onDisk(key, name string, folder bool) {
	name = c.cfg.path(name)
	info, err := os.Stat(name)
	const remedy = "name another, or move it away"
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		c.fault(key, "cannot be used: "+err.Error(), "correct the path (relative paths start at the configuration file)")
	case folder && !info.IsDir():
		c.fault(key, "is not a folder: "+name, remedy)
	case !folder && info.IsDir():
		c.fault(key, "is a folder: "+name, remedy)
	}
}

// apart refuses two listeners on one socket: the second could not be opened.
func (c *configCheck) apart(key, address, otherKey, other string) {
	host, port, ok := socket(address)
	otherHost, otherPort, otherOK := socket(other)
	if !ok || !otherOK || port == 0 || port != otherPort {
		return
	}
	if host == otherHost || host == "" || otherHost == "" {
		c.fault(key, fmt.Sprintf("%q is the socket of %s, %q", address, otherKey, other), "give each listener a port of its own")
	}
}

// socket reads an address. An empty host stands for all interfaces.
func socket(address string) (host string, port int, ok bool) {
	host, name, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, false
	}
	port, err = net.DefaultResolver.LookupPort(context.Background(), "tcp", name) // a local table; nothing to wait for
	if ip := net.ParseIP(host); ip != nil {
		host = ip.String()
		if ip.IsUnspecified() {
			host = ""
		}
	}
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1"
	}
	return strings.ToLower(host), port, err == nil
}

// fromVariables names the variables that a section's values came from, for a
// fault of the section as a whole.
func (c *configCheck) fromVariables(section string) string {
	var names []string
	for key, variable := range c.variables {
		if strings.HasPrefix(key, section) {
			names = append(names, variable)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return ", with " + strings.Join(names, " and ")
}
