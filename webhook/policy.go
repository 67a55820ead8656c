package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

const (
	// maxURL is the most bytes that a receiver's URL has.
	maxURL = 2048
	// maxHost is the most bytes that a name has in DNS.
	maxHost = 253
	// azureWireServer serves metadata to machines of Azure. It is the one
	// address of that kind which is public.
	azureWireServer = "168.63.129.16/32"
)

// ports returns those that receivers may listen on. Others would let a caller
// look for open ports of strangers.
func ports() []uint16 { return []uint16{443, 8443} }

// errRefusedAddress means that a host has an address that is not public.
var errRefusedAddress = errors.New("the address is not public")

// A Policy says which receivers may be called: those on the internet, by https.
//
// CheckURL is for callers to learn early what is refused. What keeps this
// service from calling into its own network is the check of each address that is
// connected to, after DNS has been asked.
type Policy struct {
	loopback bool
	public   *ssrf.Guardian
}

// NewPolicy returns the policy of production. With loopback, which is for
// development, receivers may also be on this machine, by http and at any port.
func NewPolicy(loopback bool) Policy {
	return Policy{loopback: loopback, public: ssrf.New(
		ssrf.WithPorts(ports()...),
		ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix(azureWireServer)),
	)}
}

// CheckURL returns an error that names the field "webhook" and says what is
// wrong, if a receiver at that URL would not be called. It does not ask DNS. The
// error does not hold the URL, which may hold a secret.
func (p Policy) CheckURL(text string) error {
	if _, err := p.parse(text); err != nil {
		return fmt.Errorf("webhook %w", err)
	}
	return nil
}

// parse returns the URL of a receiver that may be called. Its error goes on from
// "webhook".
func (p Policy) parse(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, fmt.Errorf("has %d bytes: at most %d are allowed", len(text), maxURL)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL: write it like https://example.com/hooks")
	case u.User != nil:
		return nil, errors.New("has a user name or password before the host: leave it out, webhooks are signed")
	case strings.Contains(text, "#"):
		return nil, errors.New("has a fragment (#…), which is never sent: leave it out")
	case u.Hostname() == "":
		return nil, errors.New("has no host: write it like https://example.com/hooks")
	case p.loopback && isLoopback(u.Hostname()) && (u.Scheme == "http" || u.Scheme == "https"):
		return u, nil
	case u.Scheme != "https":
		return nil, errors.New("does not begin with https://: no other way is allowed")
	case !slices.Contains([]string{"", "443", "8443"}, u.Port()):
		return nil, fmt.Errorf("has port %s: only 443 and 8443 are allowed", u.Port())
	}
	if err := p.checkHost(strings.TrimSuffix(u.Hostname(), ".")); err != nil {
		return nil, err
	}
	return u, nil
}

// checkHost refuses a host that is no public address and no name of the
// internet.
func (p Policy) checkHost(host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		if p.public.SafeAddr(addr) != nil { // one with a zone never is
			return errors.New("has an IP address that is not public: only receivers on the internet are called")
		}
		return nil
	}
	labels := strings.Split(strings.ToLower(host), ".")
	last := labels[len(labels)-1]
	switch {
	case strings.IndexFunc(host, notInNames) >= 0:
		return errors.New("has a host with other signs than letters, digits, '-', '_' and '.': write an international name as punycode (xn--…)")
	case len(host) > maxHost || slices.Contains(labels, ""):
		return errors.New("has a host that cannot be in DNS")
	case strings.IndexFunc(last, isNotDigit) < 0, strings.HasPrefix(last, "0x"):
		// Some resolvers read 2130706433, 0177.1 and 0x7f.0x1 as 127.0.0.1.
		return errors.New("has a host that ends in a number and is not an IP address as usual: write the name, or four numbers from 0 to 255")
	case len(labels) == 1, slices.Contains([]string{"internal", "local", "localhost"}, last):
		return errors.New("has a host that is only known inside of a network: only receivers on the internet are called")
	}
	return nil
}

// notInNames reports whether r is in no name of DNS. "_" is not in names of
// hosts by the standard, but in some that are in use.
func notInNames(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && isNotDigit(r) && r != '-' && r != '_' && r != '.'
}

func isNotDigit(r rune) bool { return r < '0' || r > '9' }

// isLoopback reports whether a host is this machine by its name or address.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}

// control fails with errRefusedAddress if an address must not be connected to.
// A net.Dialer calls it with each address that DNS gave, just before it connects
// to exactly that one. So it does not matter what a name meant before.
func (p Policy) control(_ context.Context, network, address string, c syscall.RawConn) error {
	if to, err := netip.ParseAddrPort(address); err == nil && p.loopback && to.Addr().IsLoopback() {
		return nil
	}
	if err := p.public.Safe(network, address, c); err != nil {
		return errRefusedAddress // which one it was would tell of the network
	}
	return nil
}

// dialer returns what connects to receivers. It asks the resolver for their
// addresses, or if that is nil, the one of this machine.
func (p Policy) dialer(resolver *net.Resolver) *net.Dialer {
	return &net.Dialer{ControlContext: p.control, Resolver: resolver}
}
