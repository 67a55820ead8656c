package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Dashboard is who may open the operators' pages.
type Dashboard struct {
	Enabled  bool            // ENABLE_DASHBOARD or ENABLE_BULL_BOARD
	Users    []DashboardUser // DASHBOARD_USERS
	Audience string          // DASHBOARD_IAP_AUDIENCE: of the tokens of Google's Identity-Aware Proxy
	IAPRoles []IAPRole       // DASHBOARD_IAP_ROLES
	Pictures string          // DASHBOARD_PICTURES: the least role that sees pictures
	LogsURL  string          // DASHBOARD_LOGS_URL: where the logs of a job are, with {job_id} in it
	TraceURL string          // DASHBOARD_TRACE_URL: likewise its trace
}

// A DashboardUser logs in with a password.
type DashboardUser struct {
	Name string
	Role string // one of dashboardRoles
	Hash Secret // of the password, by bcrypt
}

// An IAPRole is the role of a Google account, or of all accounts of a domain.
type IAPRole struct {
	Who  string // an email, or a domain without @
	Role string // one of dashboardRoles
}

// dashboardRoles are the roles of operators, each of which may do what the one
// before may.
var dashboardRoles = []string{"viewer", "operator", "admin"}

const (
	// leastCostOfHash is the least cost of a password's hash. `ai-worker password`
	// makes better ones.
	leastCostOfHash = 10
	// mostCostOfHash is a hash that takes a second or so to compare.
	mostCostOfHash = 15
)

var (
	dashboardName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$`)
	googleDomain  = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
	googleAccount = regexp.MustCompile(`^[^@:,\s]+@[a-z0-9-]+(\.[a-z0-9-]+)+$`)
)

// dashboard returns the settings of the operators' pages.
func (r *reader) dashboard() []Setting {
	c := &r.config.Dashboard
	return []Setting{
		{
			Name: "ENABLE_DASHBOARD", Default: "false",
			Purpose: "`true` for the [dashboard](docs/dashboard.md) at `/admin/queues`",
			Note:    "needs `DASHBOARD_USERS` or `DASHBOARD_IAP_AUDIENCE`; `make dev` has it without either",
			read:    onOff(&c.Enabled),
		},
		{
			Name: "ENABLE_BULL_BOARD", Default: "false",
			Purpose: "the same, under its former name",
			read:    onOff(&c.Enabled),
		},
		{
			Name: "DASHBOARD_USERS", Secret: true,
			Purpose: "who may log in to it, as `name:role:hash,name:role:hash`: the role is `viewer`, `operator` or `admin`, " +
				"and `ai-worker password` makes the hash",
			read: dashboardUsers(&c.Users), parts: hashesOf,
		},
		{
			Name:    "DASHBOARD_IAP_AUDIENCE",
			Purpose: "lets Google's Identity-Aware Proxy say who comes: the audience of its tokens, as `/projects/NUMBER/locations/REGION/services/NAME`",
			Note:    "needed with `DASHBOARD_IAP_ROLES`",
			read:    text(&c.Audience),
		},
		{
			Name:    "DASHBOARD_IAP_ROLES",
			Purpose: "their roles, as `alice@example.com:admin,example.com:viewer`",
			Note:    "needed with `DASHBOARD_IAP_AUDIENCE`",
			read:    iapRoles(&c.IAPRoles),
		},
		{
			Name: "DASHBOARD_PICTURES", Default: "operator",
			Purpose: "who sees callers' pictures on it: each `operator` and `admin`, or every `viewer` too",
			read:    oneOf(&c.Pictures, "operator", "viewer"),
		},
		{
			Name:    "DASHBOARD_LOGS_URL",
			Purpose: "where a job's logs are, with `{job_id}` in its place, and `{tenant}`, `{from}` and `{to}` (RFC 3339) if they help",
			read:    jobAddress(&c.LogsURL),
		},
		{
			Name:    "DASHBOARD_TRACE_URL",
			Purpose: "where a job's trace is, likewise",
			read:    jobAddress(&c.TraceURL),
		},
	}
}

// checkDashboard notes what makes the dashboard one that nobody can enter.
func (r *reader) checkDashboard() {
	c := r.config.Dashboard
	switch {
	case (c.Audience == "") != (len(c.IAPRoles) == 0):
		missing, there := "DASHBOARD_IAP_ROLES", "DASHBOARD_IAP_AUDIENCE"
		if c.Audience == "" {
			missing, there = there, missing
		}
		r.addFault(missing, "is missing, and "+there+" is set: nobody could enter without both")
	case r.config.Role == RoleDashboard && !c.Enabled:
		r.addFault("ENABLE_DASHBOARD", "is not true, and ROLE=dashboard serves nothing else: set it, or another ROLE")
	case r.config.Role.Dashboard() && c.Enabled && len(c.Users) == 0 && c.Audience == "" && !r.embeds && r.text("DASHBOARD_USERS") == "":
		r.addFault("DASHBOARD_USERS", "is missing, and the dashboard is enabled: nobody could log in. "+
			"Write name:role:hash, with the hash that ai-worker password prints, or set DASHBOARD_IAP_AUDIENCE, or ENABLE_DASHBOARD=false")
	}
}

// placeholder is what stands in braces.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// jobAddress reads the address of what is kept elsewhere about a job.
func jobAddress(to *string) kind {
	return func(text string, bad func(string)) {
		for _, name := range placeholder.FindAllString(text, -1) {
			if !slices.Contains([]string{"{job_id}", "{tenant}", "{from}", "{to}"}, name) {
				bad("has a place that nothing goes to: there are {job_id}, {tenant}, {from} and {to}")
				return
			}
		}
		if !strings.Contains(text, "{job_id}") {
			bad("must have {job_id} in it, or it would lead to the same for all jobs")
			return
		}
		webAddress(new(string))(placeholder.ReplaceAllString(text, "x"), bad)
		*to = text
	}
}

// onOff reads true or false. Two settings of one meaning are true if one is.
func onOff(to *bool) kind {
	return func(text string, bad func(string)) {
		switch strings.ToLower(text) {
		case "true", "1":
			*to = true
		case "false", "0":
		default:
			bad("must be true or false")
		}
	}
}

// dashboardUsers reads name:role:hash,name:role:hash.
func dashboardUsers(to *[]DashboardUser) kind {
	return func(text string, bad func(string)) {
		for i, entry := range listed(text) {
			u, problem := dashboardUser(entry)
			if problem == "" && slices.ContainsFunc(*to, func(o DashboardUser) bool { return o.Name == u.Name }) {
				problem = "the name is another entry's too"
			}
			if problem != "" {
				bad(fmt.Sprintf("entry %d: %s", i+1, problem))
				continue
			}
			*to = append(*to, u)
		}
	}
}

// dashboardUser reads one entry, and says what is wrong with it.
func dashboardUser(entry string) (u DashboardUser, problem string) {
	parts := strings.SplitN(entry, ":", 3)
	if len(parts) != 3 || !dashboardName.MatchString(parts[0]) {
		return u, "must be name:role:hash, the name of letters, digits and . _ @ -"
	}
	u = DashboardUser{Name: parts[0], Role: parts[1], Hash: Secret(parts[2])}
	cost, err := bcrypt.Cost([]byte(u.Hash.Reveal()))
	switch {
	case !slices.Contains(dashboardRoles, u.Role):
		return u, "the role must be one of " + strings.Join(dashboardRoles, ", ")
	case err != nil:
		return u, "the last part must be the hash that `ai-worker password` prints, and not the password"
	case cost < leastCostOfHash || cost > mostCostOfHash:
		return u, fmt.Sprintf("the cost of the hash must be from %d to %d; `ai-worker password` makes a good one", leastCostOfHash, mostCostOfHash)
	}
	return u, ""
}

// hashesOf returns the hashes of all entries.
func hashesOf(text string) []string {
	var users []DashboardUser
	dashboardUsers(&users)(text, func(string) {})
	hashes := make([]string, len(users))
	for i, u := range users {
		hashes[i] = u.Hash.Reveal()
	}
	return hashes
}

// iapRoles reads who:role,who:role.
func iapRoles(to *[]IAPRole) kind {
	return func(text string, bad func(string)) {
		for i, entry := range listed(text) {
			who, role, _ := strings.Cut(entry, ":")
			who = strings.ToLower(who)
			switch {
			case !googleAccount.MatchString(who) && !googleDomain.MatchString(who):
				bad(fmt.Sprintf("entry %d must be email:role or domain:role", i+1))
			case !slices.Contains(dashboardRoles, role):
				bad(fmt.Sprintf("entry %d: the role must be one of %s", i+1, strings.Join(dashboardRoles, ", ")))
			default:
				*to = append(*to, IAPRole{Who: who, Role: role})
			}
		}
	}
}
