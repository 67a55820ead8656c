package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// budgetFields are the fields of a budget.
const budgetFields = "usd, per, zone and at_limit"

// What at_limit may be.
const (
	atLimitHold   = "hold"
	atLimitRefuse = "refuse"
)

// budgetSetting returns the declaration of BUDGET.
func (r *reader) budgetSetting() Setting {
	return Setting{
		Name: "BUDGET", Otherwise: "no bound",
		Purpose: "what all pictures may cost in a day or a month by list price, as JSON: " +
			"`{\"usd\": 50, \"per\": \"day\", \"zone\": \"Europe/Berlin\", \"at_limit\": \"hold\"}`",
		Note: "`per` is `day` or `month`; `zone` says where they begin, UTC unless given; what goes beyond is held until there is room, " +
			"or answered 429 with `\"at_limit\": \"refuse\"`; the same as `budget` of a tenant in `TENANTS`. All services must have it",
		read: budgetOfService(&r.config.Budgets),
	}
}

func budgetOfService(to *job.Budgets) kind {
	return func(text string, bad func(string)) {
		if b, ok := readBudget(json.RawMessage(text), bad); ok {
			setBudget(to, job.ServiceBudget, b)
		}
	}
}

func setBudget(to *job.Budgets, scope job.BudgetScope, b job.Budget) {
	if *to == nil {
		*to = make(job.Budgets)
	}
	(*to)[scope] = b
}

// readBudget reads and checks a budget.
func readBudget(text json.RawMessage, bad func(string)) (b job.Budget, ok bool) {
	fields, err := decodeObject(string(text))
	if err != nil {
		bad("must be an object with " + budgetFields + ": " + err.Error())
		return b, false
	}
	ok = true
	fault := func(problem string) { ok = false; bad(problem) }
	b.Zone = time.UTC
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch value := fields[name]; name {
		case "usd":
			b.LimitMicros = readUSD(value, fault)
		case "per":
			b.Per = job.BudgetSpan(readWord(value, name, fault, string(job.PerDay), string(job.PerMonth)))
		case "zone":
			b.Zone = readZone(value, fault)
		case "at_limit":
			b.Refuse = readWord(value, name, fault, atLimitHold, atLimitRefuse) == atLimitRefuse
		default:
			fault(fmt.Sprintf("has no field %.40q: it has %s", name, budgetFields))
		}
	}
	for _, name := range []string{"usd", "per"} {
		if _, given := fields[name]; !given {
			fault("needs " + name)
		}
	}
	return b, ok
}

func readUSD(value json.RawMessage, bad func(string)) int64 {
	var usd *float64 // nil for null
	if err := json.Unmarshal(value, &usd); err != nil || usd == nil || *usd < leastCost || *usd > mostCost {
		bad(fmt.Sprintf("usd must be a number from %s to %s", plain(leastCost), plain(mostCost)))
		return 0
	}
	return int64(math.Round(*usd * 1e6))
}

func readWord(value json.RawMessage, name string, bad func(string), words ...string) string {
	var word string
	if err := json.Unmarshal(value, &word); err != nil || !slices.Contains(words, word) {
		bad(name + " must be " + strings.Join(words, " or "))
		return ""
	}
	return word
}

// readZone reads the name of a time zone. "Local" is that of the machine, and so
// another one on each.
func readZone(value json.RawMessage, bad func(string)) *time.Location {
	var name string
	err := json.Unmarshal(value, &name)
	zone, unknown := time.LoadLocation(name)
	if err != nil || unknown != nil || name == "" || name == "Local" {
		bad(fmt.Sprintf("zone must be the name of a time zone, such as Europe/Berlin: %.40q is none", name))
		return time.UTC
	}
	return zone
}
