package postgres

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A Trouble is the reason why a database cannot be used, as far as it tells
// what to mend.
type Trouble string

const (
	TroubleHost        Trouble = "host"        // its name is unknown
	TroubleUnreachable Trouble = "unreachable" // nothing answers there
	TroubleTLS         Trouble = "tls"         // the two sides do not agree on TLS, or on a certificate
	TroublePassword    Trouble = "password"    // user or password is refused
	TroubleDatabase    Trouble = "database"    // the server has no such database
	TroublePermission  Trouble = "permission"  // the user may not do that
	TroubleFull        Trouble = "full"        // the server takes no more connections
	TroubleSchema      Trouble = "schema"      // a table, a column or a function is missing
	TroubleOther       Trouble = "other"       // none of these
)

// Codes of errors, see https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	codeUndefinedTable    = "42P01"
	codeUndefinedColumn   = "42703"
	codeUndefinedFunction = "42883"
)

// troubles returns what the server's own error codes are a sign of.
func troubles() map[string]Trouble {
	return map[string]Trouble{
		"28P01": TroublePassword, "28000": TroublePassword,
		"3D000": TroubleDatabase, "42501": TroublePermission, "53300": TroubleFull,
		codeUndefinedTable: TroubleSchema, codeUndefinedColumn: TroubleSchema, codeUndefinedFunction: TroubleSchema,
	}
}

// TroubleOf returns what an error of this package is a sign of, or "" for no
// error.
func TroubleOf(err error) Trouble {
	if err == nil {
		return ""
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return troubleOfAnswer(pg)
	}
	if isTLS(err) {
		return TroubleTLS
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return TroubleHost
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return TroubleUnreachable
	}
	if _, ok := errors.AsType[net.Error](err); ok { // a context's deadline too
		return TroubleUnreachable
	}
	return TroubleOther
}

func troubleOfAnswer(err *pgconn.PgError) Trouble {
	if strings.Contains(err.Message, "no encryption") { // "no pg_hba.conf entry for host …, no encryption"
		return TroubleTLS
	}
	if t, known := troubles()[err.Code]; known {
		return t
	}
	return TroubleOther
}

// isTLS reports whether err is a failed handshake, or the client's message for
// a server that wants no TLS.
func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "server refused TLS connection") || strings.Contains(text, "tls: ")
}
