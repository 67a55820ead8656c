package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/record/postgres"
)

func TestPoolSuitsAServerlessDatabase(t *testing.T) {
	cfg := newPool(t, "postgres://user:hush@db.example.com/app").Config()
	if got := cfg.ConnConfig.DefaultQueryExecMode; got != pgx.QueryExecModeCacheDescribe {
		t.Errorf("query mode is %v, want one that keeps no prepared statement", got)
	}
	if cfg.MaxConns != 4 || cfg.MinConns != 0 || cfg.MinIdleConns != 0 {
		t.Errorf("%d to %d connections, %d idle; want 0 to 4, 0 idle", cfg.MinConns, cfg.MaxConns, cfg.MinIdleConns)
	}
	if cfg.MaxConnIdleTime != 2*time.Minute || cfg.ConnConfig.ConnectTimeout != 5*time.Second || cfg.PingTimeout != 2*time.Second {
		t.Errorf("idle %v, connect %v, ping %v", cfg.MaxConnIdleTime, cfg.ConnConfig.ConnectTimeout, cfg.PingTimeout)
	}
}

func TestPoolFollowsItsURL(t *testing.T) {
	cfg := newPool(t, "postgres://user:hush@db.example.com/app?default_query_exec_mode=simple_protocol"+
		"&pool_max_conns=9&pool_max_conn_idle_time=7s&connect_timeout=3").Config()
	if got := cfg.ConnConfig.DefaultQueryExecMode; got != pgx.QueryExecModeSimpleProtocol {
		t.Errorf("query mode is %v", got)
	}
	if cfg.MaxConns != 9 || cfg.MaxConnIdleTime != 7*time.Second || cfg.ConnConfig.ConnectTimeout != 3*time.Second {
		t.Errorf("%d connections, idle %v, connect %v", cfg.MaxConns, cfg.MaxConnIdleTime, cfg.ConnConfig.ConnectTimeout)
	}
}

func TestErrorsNeverQuoteThePassword(t *testing.T) {
	for _, url := range []string{
		"postgres://user:hush@db.example.com:port/app",
		"postgres://user:hush%zz@db.example.com/app",
		"postgres://user:hush@db.example.com/app?pool_max_conns=many",
		"postgres://user:hush@db.example.com/app?sslmode=perhaps",
		"postgres://user:hush@[::1/app",
		"user=me password=hush port=x",
	} {
		_, poolErr := postgres.NewPool(t.Context(), url)
		_, migrateErr := postgres.Migrate(t.Context(), url)
		for _, err := range []error{poolErr, migrateErr} {
			if !errors.Is(err, postgres.ErrBadURL) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s gives the error %v", url, err)
			}
		}
	}
}

func TestConnectionErrorsNeverQuoteThePassword(t *testing.T) {
	const nobody = "postgres://user:hush@127.0.0.1:1/app?sslmode=disable"
	_, getErr := postgres.New(newPool(t, nobody)).Get(t.Context(), submission(1).ID)
	_, migrateErr := postgres.Migrate(t.Context(), nobody)
	for _, err := range []error{getErr, migrateErr} {
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("no database gives the error %v", err)
		}
	}
}
