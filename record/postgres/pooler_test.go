package postgres_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/record/recordtest"
	"github.com/ai-worker/ai-worker/test/need"
)

// poolerConnections is how many connections the pooler has to the server. It is
// less than the number of its clients' connections, so that clients get another
// one all the time.
const poolerConnections = 3

// newPooled starts a PgBouncer in transaction mode in front of a database, and
// returns its address. The pooler must not know prepared statements: what a
// client prepares is not there on the server's next connection.
func newPooled(t *testing.T, database string) string {
	t.Helper()
	return newPooledBy(t, database, "transaction")
}

// newPooledBy does the same for another mode of the pooler.
func newPooledBy(t *testing.T, database, mode string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program = "/usr/sbin/pgbouncer"; !executable(program) {
			need.Missing(t, "needs PgBouncer: `make test` says how to get it")
		}
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		port := freePort(t)
		if err = startPooler(t, program, u, port, mode); err == nil {
			u.Host = net.JoinHostPort("127.0.0.1", port)
			return u.String()
		}
	}
	t.Fatal(err)
	return ""
}

func executable(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// startPooler starts the pooler, and returns once it serves.
func startPooler(t *testing.T, program string, database *url.URL, port, mode string) error {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgbouncer.") //nolint:usetesting // the pooler's user cannot see into a test's directory
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	password, _ := database.User.Password()
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=%s port=%s user=%s password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = %d
`, database.Hostname(), database.Port(), database.User.Username(), password, port, mode, poolerConnections)
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(config, []byte(text), 0o644)); err != nil {
		return err
	}
	process := exec.Command(program, config)
	process.Dir = dir
	if os.Getuid() == 0 { // PgBouncer refuses to run as root
		process.SysProcAttr = &syscall.SysProcAttr{Credential: credentialOf(t, "postgres")}
	}
	out, err := process.StderrPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	t.Cleanup(func() {
		_ = process.Process.Signal(os.Interrupt)
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	return awaitPooler(out)
}

// credentialOf returns what makes a process that of a user.
func credentialOf(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// awaitPooler reads the pooler's log up to the line that says that it serves.
func awaitPooler(out io.Reader) error {
	var log strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "process up") {
			go io.Copy(io.Discard, out) // keeps it from blocking on a full pipe
			return nil
		}
		log.WriteString(lines.Text() + "\n")
	}
	return errors.New("pgbouncer ended before it served:\n" + log.String())
}

// A pooler ends with the test that started it.
func TestPoolersEnd(t *testing.T) {
	t.Parallel()
	var address string
	t.Run("a test", func(t *testing.T) { address = newPooled(t, postgrestest.NewRecord(t)) })
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", u.Host); err == nil {
		_ = conn.Close()
		t.Errorf("%s still serves", u.Host)
	}
}

// Two hundred pictures go through a pooler with three connections, shared by
// two processes with four connections each.
func TestRecordBehindATransactionPooler(t *testing.T) {
	t.Parallel()
	direct := postgrestest.NewRecord(t)
	address := newPooled(t, direct)
	records := []*postgres.Record{postgres.New(newPool(t, address)), postgres.New(newPool(t, address))}
	const jobs, images = 20, 10
	var work sync.WaitGroup
	for n := range jobs {
		work.Go(func() {
			r := records[n%len(records)]
			_, tasks, err := r.Create(t.Context(), submission(images))
			if err != nil {
				t.Error(err)
				return
			}
			for _, task := range tasks {
				c, err := r.Claim(t.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour})
				if err == nil {
					_, err = r.Succeed(t.Context(), c, record.Success{})
				}
				if err != nil {
					t.Errorf("task %s: %v", task.ID(), err)
				}
			}
		})
	}
	work.Wait()
	out, err := postgres.New(newPool(t, direct)).Outcomes(t.Context(), time.Hour)
	if err != nil || out.Succeeded != jobs*images {
		t.Errorf("%d pictures, %v; want %d", out.Succeeded, err, jobs*images)
	}
}

// The whole contract holds behind a pooler.
func TestContractBehindATransactionPooler(t *testing.T) {
	t.Parallel()
	direct := postgrestest.NewRecord(t)
	empty, pool := newPool(t, direct), newPool(t, newPooled(t, direct))
	recordtest.Run(t, func(t *testing.T) record.Record {
		postgrestest.Empty(t, empty)
		return postgres.New(pool)
	})
}

func TestInspectTellsHowStatementsArePlanned(t *testing.T) {
	t.Parallel()
	direct := postgrestest.NewRecord(t)
	for name, tt := range map[string]struct {
		url  string
		want postgres.Planning
	}{
		"the server":   {direct, postgres.PlanningPrepared},
		"a pooler":     {newPooled(t, direct), postgres.PlanningFunctions},
		"another mode": {direct + "&default_query_exec_mode=exec", postgres.PlanningNone},
	} {
		got, err := inspect(t, tt.url)
		if err != nil || got.Planning != tt.want {
			t.Errorf("%s: %q, %v; want %q", name, got.Planning, err, tt.want)
		}
	}
}

// Migrations need their session. The pooler is found out by what it does, and by
// its address where that is known.
func TestMigrateRefusesATransactionPooler(t *testing.T) {
	t.Parallel()
	direct := newEmptyURL(t)
	for _, url := range []string{
		newPooled(t, direct),
		"postgres://u:p@ep-a-pooler.eu-central-1.aws.neon.tech/jobs",
		"postgres://u:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres",
	} {
		if applied, err := postgres.Migrate(t.Context(), url); !errors.Is(err, postgres.ErrPooler) || len(applied) > 0 {
			t.Errorf("applied %v, error %v", applied, err)
		}
	}
	if _, err := postgres.Migrate(t.Context(), newPooledBy(t, direct, "session")); err != nil {
		t.Errorf("behind a session pooler: %v", err)
	}
}
