package callbacks

import (
	"crypto/tls"
	"log"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
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
// terminates TLS, with Serve. Its ErrorLog is for the caller to set, to what
// ErrorLog returns.
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

// The most lines a minute that connections may cost in the log, and how much of
// each: strangers can cause as many as they like.
const (
	errorLines = 10
	errorChars = 300
)

// ErrorLog is what an http.Server has to say, in our log: handshakes that fail,
// which strangers and port scans cause, at debug, and all else as a warning. It
// is sampled by kind, since each line is different and the log's own sampling
// goes by the words.
func ErrorLog(l *zap.Logger) *log.Logger {
	l = l.WithOptions(zap.WithCaller(false), zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, time.Minute, errorLines, 0)
	}))
	return log.New(errorWriter{l}, "", 0)
}

type errorWriter struct{ log *zap.Logger }

// Write implements io.Writer: net/http writes a line at once.
func (w errorWriter) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	text = strings.ToValidUTF8(text[:min(len(text), errorChars)], "?")
	level, words := zapcore.WarnLevel, "trouble with a connection"
	if strings.HasPrefix(text, "http: TLS handshake error") {
		level, words = zapcore.DebugLevel, "no handshake"
	}
	w.log.Log(level, words, zap.String("said", text))
	return len(line), nil
}
