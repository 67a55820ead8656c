package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// An APIKey lets one tenant use the API.
type APIKey struct {
	Tenant string
	Key    Secret
	Weight float64 // the tenant's share of turns, against 1

	// These are of TENANTS.
	MaxWaiting    int   // pictures of the tenant; 0 for MAX_WAITING_PICTURES
	MaxCostMicros int64 // of one job, in millionths of a US dollar; 0 for no bound
}

// minAPIKeyLength is long enough that nobody guesses a key; `openssl rand -hex
// 24` makes a longer one.
const minAPIKeyLength = 16

var tenantName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// With weights further apart, a tenant might never have a turn.
const minWeight, maxWeight = 0.01, 100.0

// apiKeys reads name:key:weight,name:key; the weight is 1 unless given.
func apiKeys(to *[]APIKey) kind {
	return func(text string, bad func(string)) {
		seen := make(map[Secret]bool)
		for i, entry := range strings.FieldsFunc(text, func(c rune) bool { return c == ',' }) {
			key, problem := apiKey(entry)
			if problem == "" && seen[key.Key] {
				problem = "the key is another entry's too"
			}
			switch {
			case problem == "":
			case key.Tenant == "":
				bad(fmt.Sprintf("entry %d %s", i+1, problem))
			default:
				bad(fmt.Sprintf("entry %d (%s): %s", i+1, key.Tenant, problem))
			}
			seen[key.Key] = true
			*to = append(*to, key)
		}
		if len(*to) == 0 {
			bad("has no entry: write name:key,name:key")
		}
	}
}

// apiKey reads one entry, and says what is wrong with it. The tenant is empty
// if the entry has no valid one.
func apiKey(entry string) (key APIKey, problem string) {
	tenant, rest, found := strings.Cut(entry, ":")
	secret, weight, weighted := strings.Cut(rest, ":")
	tenant = strings.TrimSpace(tenant)
	key = APIKey{Key: Secret(strings.TrimSpace(secret)), Weight: 1}
	if !found || !tenantName.MatchString(tenant) {
		return key, "must be name:key or name:key:weight, the name of letters, digits, - and _"
	}
	key.Tenant = tenant
	if weighted {
		var err error
		if key.Weight, err = strconv.ParseFloat(strings.TrimSpace(weight), 64); err != nil || !(key.Weight >= minWeight && key.Weight <= maxWeight) {
			return key, fmt.Sprintf("the weight must be a number from %v to %v", minWeight, maxWeight)
		}
	}
	if len(key.Key) < minAPIKeyLength {
		return key, fmt.Sprintf("the key must have at least %d characters; `openssl rand -hex 24` makes one", minAPIKeyLength)
	}
	return key, ""
}

// keysOf returns the keys of all entries.
func keysOf(text string) []string {
	var keys []APIKey
	apiKeys(&keys)(text, func(string) {})
	secrets := make([]string, len(keys))
	for i, k := range keys {
		secrets[i] = k.Key.Reveal()
	}
	return secrets
}
