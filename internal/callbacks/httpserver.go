package callbacks

import (
	"crypto/tls"
	"net/http"
	"time"
)

// The limits of a connection. The platform sends a few KiB at once; whoever
// takes longer than this is not the platform.
const (
	headerTime = 5 * time.Second
	bodyTime   = 10 * time.Second // from the first byte of the request
	replyTime  = 20 * time.Second // from the end of the headers
	idleTime   = 2 * time.Minute
	maxHeader  = 32 << 10 // bytes
)

// NewHTTPServer returns a server for a listener that faces the internet. With
// a TLS configuration (at least TLS 1.2 is enforced) start it with
// ListenAndServeTLS("", ""), or ServeTLS; without, behind a proxy that
// terminates TLS, with Serve. Its ErrorLog is for the caller to set.
func NewHTTPServer(addr string, handler http.Handler, tlsConfig *tls.Config) *http.Server {
	if tlsConfig != nil {
		tlsConfig = tlsConfig.Clone()
		tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	}
	return &http.Server{
		Addr: addr, Handler: handler, TLSConfig: tlsConfig,
		ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime,
		WriteTimeout: replyTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader,
	}
}
