package job

import (
	"slices"
	"strings"
	"time"
)

// A Budget is the most that pictures may cost in each day or month, in millionths of
// a US dollar. Attempts count as they do for Input.MostMicros: as what they cost, but
// the list price at most.
type Budget struct {
	LimitMicros int64
	Per         BudgetSpan
	Zone        *time.Location // where days and months begin
	// Refuse tells that a job which does not fit is refused. Otherwise it is
	// accepted, and what does not fit is held until there is room.
	Refuse bool
}

// A BudgetSpan says how long the periods of a budget are. Its values are those of the
// settings.
type BudgetSpan string

const (
	PerDay   BudgetSpan = "day"
	PerMonth BudgetSpan = "month"
)

// Period returns when the period begins that a time is in, and when the next one does.
func (b Budget) Period(at time.Time) (from, to time.Time) {
	year, month, day := at.In(b.Zone).Date()
	if b.Per == PerMonth {
		return DayBegin(year, month, 1, b.Zone), DayBegin(year, month+1, 1, b.Zone)
	}
	return DayBegin(year, month, day, b.Zone), DayBegin(year, month, day+1, b.Zone)
}

// DayBegin returns the first moment of a day, in UTC. That is not midnight where clocks
// are set forward at midnight, and the first of two where they are set back to it.
func DayBegin(year int, month time.Month, day int, zone *time.Location) time.Time {
	noon := time.Date(year, month, day, 12, 0, 0, 0, zone) // of a day in its normal form
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	start, end := t.ZoneBounds()
	before := start.Add(-1)
	switch {
	case t.Day() != noon.Day():
		t = end
	case before.Day() == noon.Day() && t.Sub(before) < 24*time.Hour:
		_, offset := before.Zone()
		t = time.Date(year, month, day, 0, 0, 0, 0, time.FixedZone("", offset))
	}
	return t.UTC()
}

// A BudgetScope says whose budget it is: that of the service, or of one tenant.
type BudgetScope string

// ServiceBudget is the scope of what all tenants spend together.
const ServiceBudget BudgetScope = "service"

const tenantScope = "tenant:"

// TenantBudget returns the scope of what one tenant spends.
func TenantBudget(tenant string) BudgetScope { return BudgetScope(tenantScope + tenant) }

// Tenant returns the tenant of a scope, empty for the service's.
func (s BudgetScope) Tenant() string {
	tenant, _ := strings.CutPrefix(string(s), tenantScope)
	if s == ServiceBudget {
		return ""
	}
	return tenant
}

// Budgets are all budgets that are set.
type Budgets map[BudgetScope]Budget

// A BudgetPeriod is one period of a budget.
type BudgetPeriod struct {
	Scope       BudgetScope
	From, To    time.Time // begins at From, ends before To
	LimitMicros int64
	Refuse      bool // as in Budget
}

// Of returns the budgets that a tenant's pictures count against, each with the period
// that a time is in, by scope.
func (b Budgets) Of(tenant string, at time.Time) []BudgetPeriod {
	var periods []BudgetPeriod
	for _, scope := range []BudgetScope{ServiceBudget, TenantBudget(tenant)} {
		if budget, set := b[scope]; set {
			from, to := budget.Period(at)
			periods = append(periods, BudgetPeriod{scope, from, to, budget.LimitMicros, budget.Refuse})
		}
	}
	slices.SortFunc(periods, func(p, q BudgetPeriod) int { return strings.Compare(string(p.Scope), string(q.Scope)) })
	return periods
}

// BudgetLevels returns the shares of a limit, in percent, that are told when they are
// reached.
func BudgetLevels() []int { return []int{50, 80, 100} }

// BudgetLevel returns the highest of BudgetLevels that an amount has reached, 0 for
// none.
func BudgetLevel(micros, limit int64) int {
	reached := 0
	for _, level := range BudgetLevels() {
		if micros*100 >= limit*int64(level) {
			reached = level
		}
	}
	return reached
}
