package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/config"
)

// hash is bcrypt's of a password.
const hash = "$2a$12$hunter2hunter2hunter2.u5V8n6hK2mQ1s7Yw0eRtXcVbNmLkJhG"

func TestDashboardIsForThoseWhoAreNamed(t *testing.T) {
	for _, name := range []string{"ENABLE_DASHBOARD", "ENABLE_BULL_BOARD"} {
		cfg, err := config.Load(getenv(with(production(), name, "true",
			"DASHBOARD_USERS", "alice:admin:"+hash+", bob@example.com:viewer:"+hash,
			"DASHBOARD_IAP_AUDIENCE", "/projects/1/locations/l/services/s", "DASHBOARD_IAP_ROLES", "Carol@example.com:operator,example.com:viewer",
			"DASHBOARD_PICTURES", "viewer", "DASHBOARD_LOGS_URL", "https://logs.example.com/q;query=%22{job_id}%22?from={from}",
			"DASHBOARD_TRACE_URL", "http://localhost:16686/search?tags={job_id}")))
		if err != nil {
			t.Fatal(err)
		}
		want := config.Dashboard{
			Enabled:  true,
			Users:    []config.DashboardUser{{Name: "alice", Role: "admin", Hash: hash}, {Name: "bob@example.com", Role: "viewer", Hash: hash}},
			Audience: "/projects/1/locations/l/services/s",
			IAPRoles: []config.IAPRole{{Who: "carol@example.com", Role: "operator"}, {Who: "example.com", Role: "viewer"}},
			Pictures: "viewer",
			LogsURL:  "https://logs.example.com/q;query=%22{job_id}%22?from={from}", TraceURL: "http://localhost:16686/search?tags={job_id}",
		}
		if diff := cmp.Diff(want, cfg.Dashboard); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if strings.Contains(fmt.Sprintf("%+v", cfg), hash) || !slices.Contains(config.Secrets(getenv(with(production(), "DASHBOARD_USERS", "alice:admin:"+hash))), hash) {
			t.Error("a hash is shown")
		}
	}
}

// A dashboard that nobody can enter is a mistake, and so is one that everybody can.
func TestDashboardNeedsAWayIn(t *testing.T) {
	for name, tt := range map[string]struct {
		settings []string
		want     []string
	}{
		"enabled, for nobody":                    {[]string{"ENABLE_DASHBOARD", "true"}, []string{"DASHBOARD_USERS"}},
		"by its former name":                     {[]string{"ENABLE_BULL_BOARD", "1"}, []string{"DASHBOARD_USERS"}},
		"by its role":                            {[]string{"ENABLE_DASHBOARD", "true", "ROLE", "dashboard"}, []string{"DASHBOARD_USERS"}},
		"its role, and not enabled":              {[]string{"ROLE", "dashboard", "DASHBOARD_USERS", "a:viewer:" + hash}, []string{"ENABLE_DASHBOARD"}},
		"an audience without roles":              {[]string{"DASHBOARD_IAP_AUDIENCE", "x"}, []string{"DASHBOARD_IAP_ROLES"}},
		"roles without an audience":              {[]string{"DASHBOARD_IAP_ROLES", "example.com:viewer"}, []string{"DASHBOARD_IAP_AUDIENCE"}},
		"a bad user is the only fault":           {[]string{"ENABLE_DASHBOARD", "true", "DASHBOARD_USERS", "a:b:c"}, []string{"DASHBOARD_USERS"}},
		"a worker's settings may be the same":    {[]string{"ENABLE_DASHBOARD", "true", "ROLE", "worker"}, nil},
		"the API's too":                          {[]string{"ENABLE_BULL_BOARD", "true", "ROLE", "api"}, nil},
		"off":                                    {[]string{"ENABLE_DASHBOARD", "false"}, nil},
		"for IAP only":                           {[]string{"ENABLE_DASHBOARD", "true", "DASHBOARD_IAP_AUDIENCE", "x", "DASHBOARD_IAP_ROLES", "example.com:viewer"}, nil},
		"for a user, in a process that is alone": {[]string{"ENABLE_DASHBOARD", "true", "ROLE", "dashboard", "DASHBOARD_USERS", "a:viewer:" + hash}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(getenv(with(production(), tt.settings...)))
			if diff := cmp.Diff(tt.want, faulty(t, err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
	if _, err := config.LoadDev(getenv(map[string]string{"ENABLE_DASHBOARD": "true"})); err != nil {
		t.Errorf("in development: %v", err)
	}
}

// Each role serves its own part, and all of them all.
func TestRolesServeTheirParts(t *testing.T) {
	for role, want := range map[config.Role][3]bool{
		config.RoleAll: {true, true, true}, config.RoleAPI: {true, false, false},
		config.RoleWorker: {false, true, false}, config.RoleDashboard: {false, false, true},
	} {
		if got := [3]bool{role.API(), role.Worker(), role.Dashboard()}; got != want {
			t.Errorf("%s serves %v, want %v", role, got, want)
		}
	}
}
