package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/record/postgres"
)

const (
	// requiredPostgres is the first version with all that the schema uses:
	// stored generated columns.
	requiredPostgres = 12
	// supportedPostgres is the oldest version that still gets fixes, see
	// https://www.postgresql.org/support/versioning.
	supportedPostgres = 14
)

// Database checks that the database can be reached, that its server is not too
// old, and that its schema is the one of this program.
func Database(inspect func(context.Context) (postgres.Facts, error)) Check {
	return Check{
		Name: "database", Needs: []string{"DATABASE_URL"},
		Run: func(ctx context.Context) []Finding {
			f, err := inspect(ctx)
			if err != nil {
				return []Finding{databaseTrouble(f.Address, err)}
			}
			findings := slices.Concat(serverAge(f), planning(f), schemaState(f))
			if len(findings) == 0 {
				findings = []Finding{ok("%s is PostgreSQL %s, %s away; the schema is up to date; statements are planned once, by %s",
					f.Address, serverVersion(f.Version), milliseconds(f.RoundTrip), f.Planning)}
			}
			return findings
		},
	}
}

// databaseTrouble returns a finding that says why the database cannot be used.
func databaseTrouble(address string, err error) Finding {
	switch postgres.TroubleOf(err) {
	case postgres.TroubleHost:
		return failed("Correct the host in DATABASE_URL.", "the name of %s is unknown", address)
	case postgres.TroubleUnreachable:
		return failed("Start the database, or let this machine through its firewall; or correct host and port in DATABASE_URL.",
			"%s cannot be reached: %v", address, plain(err))
	case postgres.TroubleTLS:
		return failed("Set sslmode in DATABASE_URL: ?sslmode=require for a database on the net, sslmode=disable for one on this machine.",
			"%s and this program do not agree on TLS: %v", address, err)
	case postgres.TroublePassword:
		return failed("Correct user and password in DATABASE_URL; what a URL gives a meaning to, such as @ and /, is written as %40 and %2F.",
			"%s refuses the user or the password", address)
	case postgres.TroubleDatabase:
		return failed("Correct the name after the last / in DATABASE_URL, or make the database: createdb NAME.",
			"%s has no such database: %v", address, err)
	case postgres.TroublePermission:
		return failed("Let `ai-worker migrate` and `serve` use the same user, or grant this one the tables: "+
			"GRANT ALL ON ALL TABLES IN SCHEMA public TO the_user.",
			"the user of DATABASE_URL may not use the tables at %s: %v", address, err)
	case postgres.TroubleFull:
		return failed("Use the database's pooler in DATABASE_URL, or fewer connections: append pool_max_conns=2 to its query.",
			"%s takes no more connections", address)
	case postgres.TroubleSchema, postgres.TroubleOther, "":
	}
	return failed("Check DATABASE_URL; the README says what it looks like.", "%s: %v", address, err)
}

func serverAge(f postgres.Facts) []Finding {
	const fix = "Upgrade the server: https://www.postgresql.org/support/versioning."
	switch major := f.Version / 10_000; {
	case major < requiredPostgres:
		return []Finding{failed(fix, "%s is PostgreSQL %s; the schema needs %d at least",
			f.Address, serverVersion(f.Version), requiredPostgres)}
	case major < supportedPostgres:
		return []Finding{warning(fix, "%s is PostgreSQL %s, which gets no fixes any more",
			f.Address, serverVersion(f.Version))}
	}
	return nil
}

// planning returns a warning if Postgres plans every statement each time that
// it runs. That takes three to four times the CPU of the server.
func planning(f postgres.Facts) []Finding {
	if f.Planning != postgres.PlanningNone {
		return nil
	}
	return []Finding{warning("Remove default_query_exec_mode from DATABASE_URL: the program finds out itself what suits.",
		"%s plans statements each time that they run", f.Address)}
}

// schemaState compares the schema with this program's migrations. A newer
// schema is only a warning: migrations leave the schema usable by the version
// before, so that a deploy can be rolled back.
func schemaState(f postgres.Facts) []Finding {
	var findings []Finding
	if len(f.Pending) > 0 {
		fix := "Run `ai-worker migrate`; on Cloud Run: gcloud run jobs execute ai-worker-migrate --wait."
		if f.Pooler {
			fix += "\nIt needs a direct connection, and " + f.Address + " is a transaction pooler's: give it the direct DATABASE_URL."
		}
		findings = append(findings, failed(fix, "the schema is older than this program: it lacks %s", strings.Join(f.Pending, ", ")))
	}
	if len(f.Newer) > 0 {
		findings = append(findings, warning("Deploy the image that the database was migrated for, or a newer one.",
			"the schema is newer than this program, which does not know its version %d", f.Newer[len(f.Newer)-1]))
	}
	return findings
}

// serverVersion returns a version as people write it: 150018 is 15.18.
func serverVersion(num int) string { return fmt.Sprintf("%d.%d", num/10_000, num%10_000) }

// milliseconds formats a short time: with one decimal below 10 ms, without any
// above.
func milliseconds(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
}
