package console

import (
	"errors"
	"net/http"
	"strings"
)

// A refusal says why a login was refused: a metric label.
type refusal string

// The refusals.
const (
	refusedNothing   refusal = "noCredential" // neither token nor certificate
	refusedMalformed refusal = "malformed"    // not one bearer token
	refusedToken     refusal = "unknownToken"
	refusedClient    refusal = "unknownClient"
	refusedExpired   refusal = "expiredClient"
	refusedGuessing  refusal = "guessing" // the peer's budget is used up
)

func refusals() []refusal {
	return []refusal{refusedNothing, refusedMalformed, refusedToken, refusedClient, refusedExpired, refusedGuessing}
}

// login tells who asks. It looks at the credential, at the peer's address, and at
// nothing else. Another way of showing who one is (OIDC) is another case here.
func (s *Server) login(r *http.Request) (identity, *reply) {
	who, why := s.identify(r)
	switch why {
	case "":
		return who, nil
	case refusedGuessing:
	case refusedToken, refusedMalformed:
		s.peers.refused(peerOf(r.RemoteAddr))
	case refusedNothing, refusedClient, refusedExpired: // nothing is guessed with these
	}
	s.m.refused.WithLabelValues(string(why)).Inc()
	no := unauthorized(why)
	if why == refusedGuessing {
		no = tooMany(s.peers.wait(peerOf(r.RemoteAddr)))
	}
	return identity{}, &no
}

// identify lets a token decide where there is one: who sends both means it.
func (s *Server) identify(r *http.Request) (identity, refusal) {
	given := r.Header["Authorization"]
	switch {
	case len(given) == 0 && (r.TLS == nil || len(r.TLS.PeerCertificates) == 0):
		return identity{}, refusedNothing
	case len(given) == 0:
		who, err := s.authority.verify(r.TLS.PeerCertificates)
		switch {
		case errors.Is(err, errClientExpired):
			return identity{}, refusedExpired
		case err != nil:
			return identity{}, refusedClient
		}
		return who, ""
	case s.peers.wait(peerOf(r.RemoteAddr)) > 0:
		return identity{}, refusedGuessing
	}
	scheme, token, ok := strings.Cut(given[0], " ")
	if len(given) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || len(token) > mostToken || !b64token(token) {
		return identity{}, refusedMalformed
	}
	who, ok := s.keyring.find(token)
	if !ok {
		return identity{}, refusedToken
	}
	return who, ""
}
