// Package postgrestest gives each test a real Postgres database of its own.
//
// The server is the one that TEST_DATABASE_URL names, as a role that may create
// databases. `make test` starts one. Without it a test is skipped; in CI it
// fails.
package postgrestest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/test/need"
)

const (
	// templateLock is the advisory lock that is held while a template is made.
	// The number has no meaning; it only must not be used for anything else on
	// that server.
	templateLock = 7_305_118_206
	// cleanupTimeout bounds the drop of a database, in case the server is gone.
	cleanupTimeout = 30 * time.Second
)

// Migrate gives the empty database at databaseURL its schema. It must have
// closed its connections when it returns.
type Migrate func(ctx context.Context, databaseURL string) error

// New returns the URL of an empty database with the schema of migrate. The
// database is dropped when t ends, even if somebody is still connected.
//
// The schema is made once and then copied, which is faster. The first test that
// needs it makes it, also among test processes that run at the same time. The
// copy may outlive the process; so all files of migrations together name the
// schema.
func New(t testing.TB, migrations fs.FS, migrate Migrate) string {
	t.Helper()

	server := serverURL(t)
	ctx := t.Context()

	conn, err := pgx.Connect(ctx, server.String())
	if err != nil {
		t.Fatalf("postgrestest: %v", err)
	}
	defer conn.Close(ctx)

	template, err := templateName(migrations)
	if err != nil {
		t.Fatalf("postgrestest: reading the migrations: %v", err)
	}
	if err := makeTemplate(ctx, conn, withDatabase(server, template), migrate); err != nil {
		t.Fatalf("postgrestest: %v", err)
	}

	name := "test_" + strings.ToLower(rand.Text())
	if err := create(ctx, conn, name, template); err != nil {
		t.Fatalf("postgrestest: %v", err)
	}
	t.Cleanup(func() { drop(t, server, name) })

	database := withDatabase(server, name)
	return database.String()
}

// serverURL returns the server to make databases on, or ends t if there is
// none.
func serverURL(t testing.TB) *url.URL {
	t.Helper()
	raw := os.Getenv("TEST_DATABASE_URL")
	if raw == "" {
		need.Missing(t, "needs Postgres: run `make test`, or set TEST_DATABASE_URL")
	}
	server, err := url.Parse(raw)
	if err != nil || !strings.HasPrefix(server.Scheme, "postgres") {
		t.Fatal("postgrestest: TEST_DATABASE_URL must look like postgres://user:password@host:5432/database")
	}
	return server
}

func withDatabase(server *url.URL, name string) *url.URL {
	database := *server
	database.Path = "/" + name
	return &database
}

// templateName returns a name that is the same for the same migrations.
func templateName(migrations fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(migrations, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(migrations, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%q %d\n%s", path, len(content), content)
		return nil
	})
	return "template_" + hex.EncodeToString(sum.Sum(nil)[:12]), err
}

// makeTemplate makes the template database, unless it exists and is complete.
func makeTemplate(ctx context.Context, conn *pgx.Conn, template *url.URL, migrate Migrate) (err error) {
	name := strings.TrimPrefix(template.Path, "/")
	if ready, err := isTemplate(ctx, conn, name); ready || err != nil {
		return err
	}

	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return fmt.Errorf("locking the template: %w", err)
	}
	defer func() {
		_, unlockErr := conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", templateLock)
		err = errors.Join(err, unlockErr)
	}()
	if ready, err := isTemplate(ctx, conn, name); ready || err != nil {
		return err // another test made it while this one waited for the lock
	}

	// If the database exists but is no template, a test that was killed left it
	// half made.
	quoted := pgx.Identifier{name}.Sanitize()
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quoted+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("dropping a half made template: %w", err)
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+quoted); err != nil {
		return fmt.Errorf("creating the template: %w", err)
	}
	if err := migrate(ctx, template.String()); err != nil {
		return fmt.Errorf("migrating the template: %w", err)
	}
	// A database cannot be copied while anyone is connected to it.
	if _, err := conn.Exec(ctx, "ALTER DATABASE "+quoted+" IS_TEMPLATE true ALLOW_CONNECTIONS false"); err != nil {
		return fmt.Errorf("closing the template: %w", err)
	}
	return nil
}

func isTemplate(ctx context.Context, conn *pgx.Conn, name string) (bool, error) {
	var ready bool
	err := conn.QueryRow(ctx,
		"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)", name).Scan(&ready)
	if err != nil {
		return false, fmt.Errorf("looking for the template: %w", err)
	}
	return ready, nil
}

func create(ctx context.Context, conn *pgx.Conn, name, template string) error {
	// Copying the files takes a third of the time of the default, which writes
	// the copy to the log.
	_, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+
		" TEMPLATE "+pgx.Identifier{template}.Sanitize()+" STRATEGY file_copy")
	if err != nil {
		return fmt.Errorf("copying the template: %w", err)
	}
	return nil
}

// drop drops the database. The test's own context has ended by now.
func drop(t testing.TB, server *url.URL, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()

	conn, err := pgx.Connect(ctx, server.String())
	if err != nil {
		t.Errorf("postgrestest: dropping %s: %v", name, err)
		return
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		t.Errorf("postgrestest: dropping %s: %v", name, err)
	}
}
