package memory

import (
	"maps"
	"slices"

	"github.com/ai-worker/ai-worker/job"
)

// happenToBudget records the webhook of a level that a period has just reached, unless
// there is one.
func (r *Record) happenToBudget(b job.BudgetReached, c *change) {
	id, now := job.BudgetWebhookID(b), r.clock()
	if r.budgetHooks[id] != nil {
		return
	}
	r.setBudgetHook(&hook{HandedOutAt: now, Webhook: job.Webhook{
		ID: id, Event: job.WebhookBudgetThreshold, At: now, Budget: &b, State: job.WebhookWaiting, NextAt: now,
	}}, c)
}

// forgetBudgetHooks removes the webhooks of a period.
func (r *Record) forgetBudgetHooks(name budgetName, c *change) {
	for _, id := range slices.Sorted(maps.Keys(r.budgetHooks)) {
		b := r.budgetHooks[id].Webhook.Budget
		if (budgetName{b.Scope, b.From, b.To}) == name {
			r.forgetBudgetHook(id, c)
		}
	}
}

// setHook notes that a webhook was changed. e is the entry of its job, nil for a
// budget's.
func (r *Record) setHook(e *entry, h *hook, c *change) {
	if e == nil {
		r.setBudgetHook(h, c)
		return
	}
	r.setJob(e, c)
}
