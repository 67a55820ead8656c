package config

import (
	"fmt"
	"slices"
	"strings"
)

// checkedByCloudRun is the value of TASKS_SIGNATURE_CHECKED_BY that is not the
// default.
const checkedByCloudRun = "cloud-run"

// reader reads settings and collects what is wrong with them.
type reader struct {
	getenv func(string) string
	embeds bool // there is a substitute for every service

	config Config
	// Settings that have no field in Config. Other settings follow from them.
	account   string // R2_ACCOUNT_ID
	checkedBy string // TASKS_SIGNATURE_CHECKED_BY
	lanes     string // LANES
	tenants   string // TENANTS
	queueless bool   // LANES names no queue, which development allows

	secrets []string
	faults  Faults
}

func newReader(getenv func(string) string) *reader { return &reader{getenv: getenv} }

// read reads every setting, and works out what follows from several of them. It
// notes what is malformed.
func (r *reader) read() {
	for _, s := range r.settings() {
		r.readOne(s)
	}
	r.deriveR2()
	r.deriveTasks()
	r.deriveLanes()
	r.checkWebhooks()
	r.deriveTenants()
	r.checkDashboard()
}

// readOne reads one setting, after its default.
func (r *reader) readOne(s Setting) {
	bad := func(problem string) { r.addFault(s.Name, problem) }
	if s.Default != "" {
		s.read(s.Default, bad)
	}
	text := r.text(s.Name)
	if text == "" {
		return
	}
	s.read(text, bad)
	if s.Secret {
		r.secrets = append(r.secrets, text)
	}
	if s.parts != nil {
		r.secrets = append(r.secrets, s.parts(text)...)
	}
}

// text returns a setting without the white space around it. White space is
// never meant, and comes with secrets that were pasted or read from a file.
func (r *reader) text(name string) string { return strings.TrimSpace(r.getenv(name)) }

// deriveR2 works out what follows from the settings of R2.
func (r *reader) deriveR2() {
	c := &r.config.R2
	if c.Endpoint == "" && r.account != "" {
		c.Endpoint = "https://" + r.account + ".r2.cloudflarestorage.com"
	}
	if r.text("R2_CREDENTIALS") != "" && r.text("R2_ACCESS_KEY_ID")+r.text("R2_SECRET_ACCESS_KEY") != "" {
		r.addFault("R2_CREDENTIALS", "is set, and R2_ACCESS_KEY_ID or R2_SECRET_ACCESS_KEY too: remove those, or this")
	}
}

// deriveTasks works out what follows from the settings of Cloud Tasks.
func (r *reader) deriveTasks() {
	c := &r.config.Tasks
	c.Audience = orDefault(c.Audience, c.WorkerURL)
	c.BehindCloudRun = r.checkedBy == checkedByCloudRun
	r.config.PublicURL = orDefault(r.config.PublicURL, c.WorkerURL)
	if c.JWKSURL != "" && c.Endpoint == "" {
		r.addFault("TASKS_JWKS_URL", "is for an emulator: it would let another than Google sign deliveries. "+
			"Remove it, or set CLOUD_TASKS_ENDPOINT")
	}
	if c.BehindCloudRun && r.config.Role == RoleAll {
		r.addFault("TASKS_SIGNATURE_CHECKED_BY", "is cloud-run, which is for a private worker, and callers of the API need a public one: "+
			"set ROLE=worker, or remove this")
	}
}

// checkWebhooks notes a secret of webhooks without a queue for them, and a receiver of
// budgets without one or without a secret of its own. The embedded Cloud Tasks has a
// queue.
func (r *reader) checkWebhooks() {
	c := &r.config
	present := "WEBHOOK_SECRET"
	if c.WebhookSecret == "" {
		present = "BUDGET_WEBHOOK"
	}
	if c.WebhookSecret+Secret(c.BudgetWebhook) != "" && c.Tasks.WebhookQueue == "" && (!r.embeds || c.Tasks.Queue != "") {
		r.addFault("WEBHOOK_QUEUE", "is missing, and "+present+" is set: the full name of the queue that webhooks wait on")
	}
	switch {
	case c.BudgetWebhook == "":
	case c.BudgetWebhookSecret == "":
		r.addFault("BUDGET_WEBHOOK_SECRET", "is missing, and BUDGET_WEBHOOK is set: make one with: echo whsec_$(openssl rand -base64 32)")
	case c.BudgetWebhookSecret == c.WebhookSecret:
		r.addFault("BUDGET_WEBHOOK_SECRET", "is the same as WEBHOOK_SECRET, which receivers of jobs know: "+
			"make another one with: echo whsec_$(openssl rand -base64 32)")
	}
}

// requireAll notes every required setting that is absent.
func (r *reader) requireAll() {
	for _, s := range r.missing() {
		r.addFault(s.Name, "is missing: "+s.wanted())
	}
}

// requireWhole notes the absent settings of services of which other settings
// are present.
func (r *reader) requireWhole() {
	for _, s := range r.missing() {
		if present := r.someOf(s.Service); present != "" {
			r.addFault(s.Name, fmt.Sprintf("is missing, and %s is set: %s", present, s.wanted()))
		}
	}
}

// missing returns the required settings that are absent.
func (r *reader) missing() []Setting {
	return slices.DeleteFunc(r.settings(), func(s Setting) bool {
		return !s.Required(r.config.Role) || r.present(s) != ""
	})
}

// someOf returns the name of one required setting of a service that is present,
// or "" if there is none. The service's own settings do not count: they have no
// substitute.
func (r *reader) someOf(service Service) string {
	for _, s := range r.settings() {
		if service == "" || s.Service != service || !s.Required(r.config.Role) {
			continue
		}
		if name := r.present(s); name != "" {
			return name
		}
	}
	return ""
}

// present returns the name of the setting that gives s its value: its own name,
// or that of the setting that may be there in its stead. It returns "" if
// neither is there.
func (r *reader) present(s Setting) string {
	switch {
	case r.text(s.Name) != "":
		return s.Name
	case s.Or == "" || r.text(s.Or) == "":
		return ""
	case s.Name == "CLOUD_TASKS_QUEUE" && r.embeds && r.queueless:
		return ""
	default:
		return s.Or
	}
}

// wanted returns the text of an error that says what to write there: the
// purpose without Markdown.
func (s Setting) wanted() string {
	purpose := strings.ReplaceAll(s.Purpose, "`", "")
	if s.Or == "" {
		return purpose
	}
	return purpose + " (or set " + s.Or + ")"
}

func (r *reader) addFault(setting, problem string) {
	r.faults = append(r.faults, Fault{Setting: setting, Problem: problem})
}

// err returns all faults in the order of their names, or nil.
func (r *reader) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(r.faults, func(a, b Fault) int { return strings.Compare(a.Setting, b.Setting) })
	return r.faults
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
