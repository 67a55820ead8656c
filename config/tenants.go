package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ai-worker/ai-worker/job"
)

// tenantFields are the fields of an entry of TENANTS.
const tenantFields = "weight, max_waiting_pictures, max_cost_usd and budget"

// Bounds of max_cost_usd, in US dollars. No picture costs as little as the least.
const leastCost, mostCost = 0.001, 1_000_000

// tenantsSetting returns the declaration of TENANTS.
func (r *reader) tenantsSetting() Setting {
	return Setting{
		Name: "TENANTS", Otherwise: "all alike",
		Purpose: "limits of tenants, as JSON by the name of their API key: " +
			"`{\"web\": {\"weight\": 2, \"max_waiting_pictures\": 500, \"max_cost_usd\": 5, \"budget\": {\"usd\": 20, \"per\": \"month\"}}}`",
		Note: "the first two go before `API_KEYS` and `MAX_WAITING_PICTURES`; the third is the most that one job may cost, and 402 beyond; `budget` is as `BUDGET`, and holds beside it",
		read: text(&r.tenants),
	}
}

// deriveTenants reads TENANTS, a JSON object by tenant, into the tenants' keys.
// What it says of a tenant goes before API_KEYS and MAX_WAITING_PICTURES.
func (r *reader) deriveTenants() {
	if r.tenants == "" {
		return
	}
	entries, err := decodeObject(r.tenants)
	if err != nil {
		r.addFault("TENANTS", "must be a JSON object by tenant, of objects with "+tenantFields+": "+err.Error())
		return
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		bad := func(problem string) { r.addFault("TENANTS", fmt.Sprintf("tenant %.70q: %s", name, problem)) }
		var limits APIKey
		limits.readTenant(entries[name], r.budgetOf(name, bad), bad)
		known := false
		for i := range r.config.APIKeys {
			if key := &r.config.APIKeys[i]; key.Tenant == name {
				known = true
				key.Weight = orDefault(limits.Weight, key.Weight)
				key.MaxWaiting, key.MaxCostMicros = limits.MaxWaiting, limits.MaxCostMicros
			}
		}
		if !known && r.config.Role.API() { // a worker may have no keys
			bad("is the name of no API key: add one to API_KEYS, or remove this")
		}
	}
}

// budgetOf returns what reads and checks the budget of a tenant.
func (r *reader) budgetOf(tenant string, bad func(string)) func(json.RawMessage) {
	return func(text json.RawMessage) {
		if b, ok := readBudget(text, func(problem string) { bad("budget: " + problem) }); ok {
			setBudget(&r.config.Budgets, job.TenantBudget(tenant), b)
		}
	}
}

// readTenant reads and checks one entry.
func (k *APIKey) readTenant(text json.RawMessage, budget func(json.RawMessage), bad func(string)) {
	fields, err := decodeObject(string(text))
	if err != nil {
		bad("must be an object with " + tenantFields + ": " + err.Error())
		return
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name == "budget" {
			budget(fields[name])
			continue
		}
		i := slices.IndexFunc(tenantLimits(), func(l tenantLimit) bool { return l.name == name })
		if i < 0 {
			bad(fmt.Sprintf("has no field %.40q: it has %s", name, tenantFields))
			continue
		}
		tenantLimits()[i].read(fields[name], k, bad)
	}
}

// A tenantLimit is a field of an entry.
type tenantLimit struct {
	name        string
	least, most float64
	whole       bool
	set         func(k *APIKey, n float64)
}

func tenantLimits() []tenantLimit {
	return []tenantLimit{
		{"weight", minWeight, maxWeight, false, func(k *APIKey, n float64) { k.Weight = n }},
		{"max_waiting_pictures", leastWaiting, mostWaiting, true, func(k *APIKey, n float64) { k.MaxWaiting = int(n) }},
		{"max_cost_usd", leastCost, mostCost, false, func(k *APIKey, n float64) { k.MaxCostMicros = int64(math.Round(n * 1e6)) }},
	}
}

// read reads and checks the field.
func (l tenantLimit) read(text json.RawMessage, k *APIKey, bad func(string)) {
	var n *float64 // nil for null
	err := json.Unmarshal(text, &n)
	if err == nil && n != nil && *n >= l.least && *n <= l.most && (!l.whole || *n == math.Trunc(*n)) {
		l.set(k, *n)
		return
	}
	kind := "a number"
	if l.whole {
		kind = "a whole number"
	}
	bad(fmt.Sprintf("%s must be %s from %s to %s", l.name, kind, plain(l.least), plain(l.most)))
}

// plain returns a number as people write it.
func plain(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// decodeObject reads a JSON object. Of a name that is there twice, it would not be
// clear which one counts, so it refuses that.
func decodeObject(text string) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	if begin, err := dec.Token(); err != nil || begin != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	members := make(map[string]json.RawMessage)
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, errors.New("it is not valid JSON")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errors.New("it is not valid JSON")
		}
		key, _ := name.(string)
		if _, twice := members[key]; twice {
			return nil, fmt.Errorf("%.70q is there twice", key)
		}
		members[key] = bytes.TrimSpace(value)
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("it is not valid JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the object")
	}
	return members, nil
}
