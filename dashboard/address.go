package dashboard

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress returns where a request comes from. Cloud Run's front adds the
// address that it sees at the end of X-Forwarded-For; what stands before that is the
// caller's own. The header is believed only from a front, which has an address that
// no caller on the Internet has.
func clientAddress(r *http.Request) string {
	peer := peerAddress(r)
	front := peer.IsLoopback() || peer.IsPrivate() || peer.IsLinkLocalUnicast()
	if values := r.Header.Values("X-Forwarded-For"); front && len(values) > 0 {
		listed := strings.Split(values[len(values)-1], ",")
		if last, err := netip.ParseAddr(strings.TrimSpace(listed[len(listed)-1])); err == nil {
			return counted(last)
		}
	}
	return counted(peer)
}

// counted returns what stands for an address where tries are counted: of IPv6 the
// network, since a single caller may have all of its addresses.
func counted(a netip.Addr) string {
	const network = 64 // bits
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(network); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// peerAddress returns the other end of the connection. It is invalid if that is no
// address.
func peerAddress(r *http.Request) netip.Addr {
	p, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

// isLocal reports whether a request comes from this machine, directly, and asks for
// it by its own name. A page whose name somebody has pointed at this machine asks by
// that name.
func isLocal(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "Forwarded"} {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	return peerAddress(r).IsLoopback() && hasLoopbackHost(r)
}

// hasLoopbackHost reports whether a request asks for this machine by a name that
// only this machine has.
func hasLoopbackHost(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// isPlain reports whether a browser reaches this machine without TLS, as in
// development. Elsewhere cookies are for TLS only.
func isPlain(r *http.Request) bool {
	return r.TLS == nil && !strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") && hasLoopbackHost(r)
}
