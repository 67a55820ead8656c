// Package recordtest holds every implementation of record.Record to its
// contract, and to the specification.
//
// Records have clocks of their own, so the tests do not wait: a lease of 0 has
// run out at once, and an hour never ends.
package recordtest

import (
	"testing"

	"github.com/ai-worker/ai-worker/record"
)

// Run tests the records that open returns. Each must be empty.
func Run(t *testing.T, open func(t *testing.T) record.Record) {
	for _, group := range []struct {
		name  string
		tests []contractTest
	}{
		{"Create", createTests},
		{"List", listTests},
		{"Retry", retryTests},
		{"Bound", boundTests},
		{"Enqueued", enqueuedTests},
		{"Claim", claimTests},
		{"Exchange", exchangeTests},
		{"Turns", turnTests},
		{"Ahead", aheadTests},
		{"Outlook", outlookTests},
		{"Cost", costTests},
		{"Attempts", attemptTests},
		{"Budgets", budgetTests},
		{"BudgetLevels", budgetLevelTests},
		{"RaiseBudget", budgetRaiseTests},
		{"Spend", spendTests},
		{"Board", boardTests},
		{"Activity", activityTests},
		{"Errors", errorTests},
		{"LaneFailures", laneFailureTests},
		{"Lease", leaseTests},
		{"Finish", finishTests},
		{"Requeue", requeueTests},
		{"Postpone", postponeTests},
		{"Park", parkTests},
		{"Relabel", relabelTests},
		{"Cancel", cancelTests},
		{"Lanes", laneTests},
		{"Strikes", strikeTests},
		{"Sweep", sweepTests},
		{"Reap", reapTests},
		{"Retire", retireTests},
		{"Report", reportTests},
		{"Webhooks", webhookTests},
		{"BudgetWebhooks", budgetWebhookTests},
		{"PauseByHand", handPauseTests},
		{"Audit", auditTests},
		{"Logins", loginTests},
		{"IgnoreError", ignoreTests},
		{"Bulks", bulkTests},
		{"Overview", overviewTests},
		{"ByHand", byHandTests},
		{"Inspect", inspectTests},
		{"States", stateTests},
		{"Simulation", simulationTests},
		{"Concurrent", concurrentTests},
		{"Hammer", hammerTests},
		{"Context", contextTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					test.run(newFixture(t, open(t)))
				})
			}
		})
	}
}

// A contractTest tests one sentence of the contract on an empty record.
type contractTest struct {
	name string
	run  func(f *fixture)
}
