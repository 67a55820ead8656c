package memory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// A change is one line of the journal: what one call changed. It holds each
// changed thing as it is afterwards.
type change struct {
	Jobs    []*entry     `json:"jobs,omitempty"`
	Deleted []string     `json:"deleted,omitempty"`
	Turns   []turnLine   `json:"turns,omitempty"`
	Tenants []tenantLine `json:"tenants,omitempty"`
	Lanes   []laneLine   `json:"lanes,omitempty"`
	Hours   []hourLine   `json:"hours,omitempty"`
	Budgets []budgetLine `json:"budgets,omitempty"`

	BudgetHooks []*hook  `json:"budget_hooks,omitempty"`
	Unhooked    []string `json:"unhooked,omitempty"` // ids of webhooks of budgets that were removed

	Audit    []record.AuditEntry  `json:"audit,omitempty"`
	Forgot   []int64              `json:"forgot,omitempty"` // entries of the audit that were removed
	Tries    []loginTry           `json:"tries,omitempty"`
	Sessions map[string]time.Time `json:"sessions,omitempty"` // that were ended, and until when that is kept

	Ignored []record.IgnoredError `json:"ignored,omitempty"`
	Noticed []record.ErrorName    `json:"noticed,omitempty"` // that are not ignored any more

	Bulks       []record.Bulk `json:"bulks,omitempty"`
	ForgotBulks []string      `json:"forgot_bulks,omitempty"` // ids of bulks that were removed
}

type turnLine struct {
	Class   class
	Virtual float64
}

type tenantLine struct {
	Name   tenantName
	Tenant tenant
}

type laneLine struct {
	Name string
	Lane lane
}

// An hourLine is what sums are, or that there are none any more.
type hourLine struct {
	Name      hourName
	Sums      record.Sums
	Forgotten bool `json:"forgotten,omitempty"`
}

// A budgetLine is what a period is, or that it is kept no more.
type budgetLine struct {
	Name      budgetName
	Budget    budget
	Forgotten bool `json:"forgotten,omitempty"`
}

func (c *change) empty() bool {
	return len(c.Jobs)+len(c.Deleted)+len(c.Turns)+len(c.Tenants)+len(c.Lanes)+len(c.Hours)+len(c.Budgets) == 0 &&
		len(c.Audit)+len(c.Forgot)+len(c.Tries)+len(c.Sessions)+len(c.Ignored)+len(c.Noticed)+len(c.Bulks) == 0 &&
		len(c.BudgetHooks)+len(c.Unhooked)+len(c.ForgotBulks) == 0
}

// The setters make a change and note it in c. All changes go through them, also
// those that come back from the journal.

func (r *Record) setJob(e *entry, c *change) {
	r.jobs[e.Job.ID] = e
	if r.open[e.Job.ID] = e; e.ended() {
		delete(r.open, e.Job.ID)
	}
	if e.Key != "" {
		r.keys[keyName{e.Job.Tenant, e.Key}] = e.Job.ID
	}
	if !slices.Contains(c.Jobs, e) {
		c.Jobs = append(c.Jobs, e)
	}
}

func (r *Record) deleteJob(e *entry, c *change) {
	delete(r.jobs, e.Job.ID)
	delete(r.open, e.Job.ID)
	delete(r.keys, keyName{e.Job.Tenant, e.Key})
	c.Deleted = append(c.Deleted, e.Job.ID)
}

func (r *Record) setTurn(k class, virtual float64, c *change) {
	r.turns[k] = virtual
	c.Turns = append(c.Turns, turnLine{k, virtual})
}

func (r *Record) setTenant(name tenantName, t tenant, c *change) {
	r.tenants[name] = t
	c.Tenants = append(c.Tenants, tenantLine{name, t})
}

func (r *Record) setLane(name string, l lane, c *change) {
	r.lanes[name] = l
	c.Lanes = append(c.Lanes, laneLine{name, l})
}

func (r *Record) setHour(name hourName, s record.Sums, c *change) {
	r.hours[name] = s
	c.Hours = append(c.Hours, hourLine{Name: name, Sums: s})
}

func (r *Record) forgetHour(name hourName, c *change) {
	delete(r.hours, name)
	c.Hours = append(c.Hours, hourLine{Name: name, Forgotten: true})
}

func (r *Record) addAudit(e record.AuditEntry, c *change) {
	r.audit = append(r.audit, e)
	r.audits = max(r.audits, e.ID)
	c.Audit = append(c.Audit, e)
}

func (r *Record) forgetAudit(id int64, c *change) {
	r.audit = slices.DeleteFunc(r.audit, func(e record.AuditEntry) bool { return e.ID == id })
	c.Forgot = append(c.Forgot, id)
}

func (r *Record) setTry(t loginTry, c *change) {
	r.tries[t.ID] = t
	c.Tries = append(c.Tries, t)
}

func (r *Record) setSession(id string, until time.Time, c *change) {
	r.sessions[id] = until
	if c.Sessions == nil {
		c.Sessions = make(map[string]time.Time)
	}
	c.Sessions[id] = until
}

func (r *Record) setBudget(name budgetName, b budget, c *change) {
	r.budgets[name] = b
	c.Budgets = append(c.Budgets, budgetLine{Name: name, Budget: b})
}

func (r *Record) forgetBudget(name budgetName, c *change) {
	delete(r.budgets, name)
	c.Budgets = append(c.Budgets, budgetLine{Name: name, Forgotten: true})
}

func (r *Record) setBudgetHook(h *hook, c *change) {
	r.budgetHooks[h.Webhook.ID] = h
	if !slices.Contains(c.BudgetHooks, h) {
		c.BudgetHooks = append(c.BudgetHooks, h)
	}
}

func (r *Record) forgetBudgetHook(id string, c *change) {
	delete(r.budgetHooks, id)
	c.Unhooked = append(c.Unhooked, id)
}

func (r *Record) setIgnored(i record.IgnoredError, c *change) {
	r.ignored[i.Name] = i
	c.Ignored = append(c.Ignored, i)
}

func (r *Record) forgetIgnored(name record.ErrorName, c *change) {
	delete(r.ignored, name)
	c.Noticed = append(c.Noticed, name)
}

func (r *Record) setBulk(b record.Bulk, c *change) {
	r.bulks[b.ID] = b
	c.Bulks = append(c.Bulks, b)
}

func (r *Record) forgetBulk(id string, c *change) {
	delete(r.bulks, id)
	c.ForgotBulks = append(c.ForgotBulks, id)
}

// fillIn gives an entry what it may lack if the journal is one of before there was
// that.
func (e *entry) fillIn() {
	for _, i := range e.Images {
		i.Model = cmp.Or(i.Model, e.Job.Input.Model)
		if i.Claims > 0 {
			i.ClaimLane = cmp.Or(i.ClaimLane, i.Task.Lane)
		}
		i.Image.BoundMicros = cmp.Or(i.Image.BoundMicros, i.Image.CostMicros)
	}
}

// apply makes a change that comes from the journal.
func (r *Record) apply(kept change) error {
	var c change
	for _, e := range kept.Jobs {
		e.fillIn()
		r.setJob(e, &c)
	}
	for _, id := range kept.Deleted {
		if e := r.jobs[id]; e != nil {
			r.deleteJob(e, &c)
		}
	}
	for _, l := range kept.Turns {
		r.setTurn(l.Class, l.Virtual, &c)
	}
	for _, l := range kept.Tenants {
		r.setTenant(l.Name, l.Tenant, &c)
	}
	for _, l := range kept.Lanes {
		r.setLane(l.Name, l.Lane, &c)
	}
	for _, l := range kept.Hours {
		if l.Forgotten {
			r.forgetHour(l.Name, &c)
		} else {
			r.setHour(l.Name, l.Sums, &c)
		}
	}
	for _, e := range kept.Audit {
		r.addAudit(e, &c)
	}
	for _, id := range kept.Forgot {
		r.forgetAudit(id, &c)
	}
	for _, t := range kept.Tries {
		r.setTry(t, &c)
	}
	for id, until := range kept.Sessions {
		r.setSession(id, until, &c)
	}
	r.applyBudgets(kept, &c)
	for _, i := range kept.Ignored {
		r.setIgnored(i, &c)
	}
	for _, name := range kept.Noticed {
		r.forgetIgnored(name, &c)
	}
	for _, b := range kept.Bulks {
		r.setBulk(b, &c)
	}
	for _, id := range kept.ForgotBulks {
		r.forgetBulk(id, &c)
	}
	return nil
}

func (r *Record) applyBudgets(kept change, c *change) {
	for _, h := range kept.BudgetHooks {
		r.setBudgetHook(h, c)
	}
	for _, id := range kept.Unhooked {
		r.forgetBudgetHook(id, c)
	}
	for _, l := range kept.Budgets {
		if l.Forgotten {
			r.forgetBudget(l.Name, c)
		} else {
			r.setBudget(l.Name, l.Budget, c)
		}
	}
}

// state returns changes that make everything there is. Each job has a line of
// its own, because lines should not grow with the number of jobs. All the rest
// is in one line.
func (r *Record) state() []change {
	var rest change
	for k, virtual := range r.turns {
		rest.Turns = append(rest.Turns, turnLine{k, virtual})
	}
	for name, t := range r.tenants {
		rest.Tenants = append(rest.Tenants, tenantLine{name, t})
	}
	for name, l := range r.lanes {
		rest.Lanes = append(rest.Lanes, laneLine{name, l})
	}
	for name, s := range r.hours {
		rest.Hours = append(rest.Hours, hourLine{Name: name, Sums: s})
	}
	rest.Audit, rest.Sessions, rest.Tries = r.audit, r.sessions, slices.Collect(maps.Values(r.tries))
	for name, b := range r.budgets {
		rest.Budgets = append(rest.Budgets, budgetLine{Name: name, Budget: b})
	}
	rest.BudgetHooks = slices.Collect(maps.Values(r.budgetHooks))
	rest.Ignored, rest.Bulks = slices.Collect(maps.Values(r.ignored)), slices.Collect(maps.Values(r.bulks))
	all := []change{rest}
	for _, id := range slices.Sorted(maps.Keys(r.jobs)) {
		all = append(all, change{Jobs: []*entry{r.jobs[id]}})
	}
	return all
}
