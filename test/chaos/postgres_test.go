package chaos_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/test/need"
)

// postgres is a server for this test only, since the test crashes it.
type postgres struct {
	t    *testing.T
	bin  string // directory of its programs
	dir  string
	port int
	pass string
}

// startPostgres starts an empty server. If Postgres is not installed, the test
// is skipped; in CI it fails.
func startPostgres(t *testing.T) *postgres {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "../../scripts/find-postgres.sh").Output()
	if err != nil {
		need.Missing(t, "needs Postgres: `make test` says how to get it")
	}
	p := &postgres{t: t, bin: strings.TrimSpace(string(out)), pass: rand.Text()}
	parent := os.TempDir()
	if os.Getuid() == 0 {
		parent = "/tmp" // which the user postgres can see into, unlike root's
	}
	p.dir, err = os.MkdirTemp(parent, "chaos-postgres-") //nolint:usetesting // t.TempDir may be in a directory of root's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.run("pg_ctl", "stop", "--silent", "--mode", "immediate", "--pgdata", p.data()) // unless it is down
		_ = os.RemoveAll(p.dir)
	})
	p.initialize()
	for range 5 { // ports below those that the kernel gives away; one may be taken
		p.port = 20_000 + mathrand.IntN(10_000)
		if err = p.start(); err == nil {
			return p
		}
	}
	t.Fatalf("Postgres does not start: %v", err)
	return nil
}

func (p *postgres) data() string { return filepath.Join(p.dir, "data") }

func (p *postgres) initialize() {
	p.t.Helper()
	password := filepath.Join(p.dir, "password")
	if err := os.WriteFile(password, []byte(p.pass), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", "-R", "postgres", p.dir).CombinedOutput(); err != nil {
			p.t.Fatalf("chown: %v: %s", err, out)
		}
	}
	err := p.run("initdb", "--pgdata", p.data(), "--username", "postgres", "--auth", "password",
		"--pwfile", password, "--encoding", "UTF8", "--no-locale", "--no-sync")
	if err != nil {
		p.t.Fatal(err)
	}
	// What was committed must survive a crash of the server, as it does in
	// production. It need not survive one of the machine: fsync is off.
	const conf = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
`
	f, err := os.OpenFile(filepath.Join(p.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(conf); err != nil {
		p.t.Fatal(err)
	}
}

// start starts the server, and waits until it accepts connections.
func (p *postgres) start() error {
	return p.run("pg_ctl", "start", "--silent", "--wait", "--pgdata", p.data(),
		"--log", filepath.Join(p.dir, "log"), "--options", fmt.Sprintf("-p %d", p.port))
}

// crash kills the server without a warning, as the kernel would.
func (p *postgres) crash() {
	p.t.Helper()
	if err := p.run("pg_ctl", "stop", "--silent", "--mode", "immediate", "--pgdata", p.data()); err != nil {
		p.t.Error(err)
	}
}

// run runs one of the server's programs, and not as root, which they refuse.
func (p *postgres) run(program string, args ...string) error {
	command := append([]string{filepath.Join(p.bin, program)}, args...)
	if os.Getuid() == 0 {
		command = append([]string{"runuser", "-u", "postgres", "--"}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = "/"
	log, err := os.CreateTemp(p.dir, "output-")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log // a file: the server would keep a pipe open
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w: %s", program, err, text)
	}
	return nil
}

// url returns the server's address for a client that calls itself name.
func (p *postgres) url(name string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", p.pass), Host: fmt.Sprintf("127.0.0.1:%d", p.port),
		Path: "postgres", RawQuery: "sslmode=disable&application_name=" + name,
	}).String()
}

// do calls f with a connection until f succeeds or ctx ends: the server may be
// down.
func (p *postgres) do(ctx context.Context, f func(*pgx.Conn) error) error {
	var err error
	until(ctx, func() bool {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(ctx, p.url("chaos")); err == nil {
			err = f(conn)
			_ = conn.Close(ctx)
		}
		return err == nil
	})
	return err
}

// exec runs a statement, as do does, and returns how many rows it changed.
func (p *postgres) exec(ctx context.Context, sql string, args ...any) (rows int, err error) {
	err = p.do(ctx, func(conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, sql, args...)
		rows = int(tag.RowsAffected())
		return err
	})
	return rows, err
}

// read reads one value.
func (p *postgres) read(ctx context.Context, sql string, into any) error {
	return p.do(ctx, func(conn *pgx.Conn) error { return conn.QueryRow(ctx, sql).Scan(into) })
}
