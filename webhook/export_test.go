package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"syscall"
)

// Dial makes s connect to receivers by dial, and not by the network.
func (s *Sender) Dial(dial func() (net.Conn, error)) {
	s.transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return dial() }
}

// Trust makes s believe certificates that the roots have signed.
func (s *Sender) Trust(roots *x509.CertPool) { s.transport.TLSClientConfig.RootCAs = roots }

// StopBeforeConnecting makes s call connecting with each address that it would
// connect to, and connect to none.
func (s *Sender) StopBeforeConnecting(resolver *net.Resolver, connecting func(address string)) {
	dialer := s.policy.dialer(resolver)
	check := dialer.ControlContext
	dialer.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
		if err := check(ctx, network, address, c); err != nil {
			return err
		}
		connecting(address)
		return errors.New("the test connects to nobody")
	}
	s.transport = newTransport(dialer)
}

const (
	AtOnce      = atOnce
	PerReceiver = perReceiver
)

// Budgets makes the deliverer tell a receiver of budgets.
func (d *Deliverer) Budgets(to Receiver) { d.budgets = to }

// NoSender makes the deliverer sign nothing of jobs.
func (d *Deliverer) NoSender() { d.sender = nil }
