package main

import (
	"context"
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// tell ends the webhooks of a job, as its receiver answers.
func (p *player) tell(ctx context.Context, id string) error {
	due, err := p.record.PendingWebhooks(ctx, id)
	if err != nil {
		return err
	}
	for _, w := range due {
		for try := 1; try > 0; try++ {
			note := job.WebhookNote{JobID: id, WebhookID: w.Task.WebhookID, State: job.WebhookDelivered, Try: job.WebhookTry{
				Number: try, StartedAt: p.now, Duration: p.between(30*time.Millisecond, 2*time.Second), Status: 204,
			}}
			if p.chance(20) {
				note.Try.Status, note.Try.Failure, note.Try.Message = 503, job.WebhookStatus, "The receiver answered 503."
				note.State, note.After = job.WebhookWaiting, 30*time.Second
				if try == 3 {
					note.State = job.WebhookFailed
				}
			}
			if _, _, err := p.record.NoteWebhook(ctx, note); err != nil {
				return err
			}
			if note.State != job.WebhookWaiting {
				break
			}
			p.now = p.now.Add(note.After)
		}
	}
	return nil
}

// leaveOpen leaves what operators look after: work in each way that it waits, lanes
// that need a hand, and errors that are ignored.
func (p *player) leaveOpen(ctx context.Context) error {
	for _, leave := range []func(context.Context) error{p.leaveDrawing, p.leavePaused, p.leaveBroken, p.leaveParked, p.leaveHeld, p.leaveIgnored} {
		p.now = p.end
		if err := leave(ctx); err != nil {
			return err
		}
	}
	return nil
}

// create records a job that was asked for so long ago.
func (p *player) create(ctx context.Context, ago time.Duration, tenant, model string, count int, change func(*record.Draft)) ([]job.Task, error) {
	p.now = p.end.Add(-ago)
	d := p.ask(p.now, tenant, model, p.samples[p.random.IntN(len(p.samples))], count)
	if change != nil {
		change(&d)
	}
	_, tasks, err := p.record.Create(ctx, d)
	return tasks, err
}

// leaveDrawing leaves pictures that are being drawn, by workers that never end, and
// one that waits until it is tried again.
func (p *player) leaveDrawing(ctx context.Context) error {
	for i := range 4 {
		tasks, err := p.create(ctx, time.Duration(20+10*i)*time.Second, "web", nano, 1, nil)
		if err != nil {
			return err
		}
		p.now = p.now.Add(9 * time.Second)
		c, err := p.record.Claim(ctx, record.ClaimRequest{Model: nano, Task: tasks[0], Lease: 12 * time.Hour})
		if err != nil {
			return err
		}
		if i == 0 {
			p.now = p.now.Add(3 * time.Second)
			again := record.Requeue{Lane: "nano", After: 2 * time.Hour, Reason: reason(job.CodeProviderError, "The provider failed.")}
			if _, _, err := p.record.Requeue(ctx, c, again); err != nil {
				return err
			}
		}
	}
	return nil
}

// leavePaused leaves a lane that an operator paused, and what waits for it.
func (p *player) leavePaused(ctx context.Context) error {
	p.now = p.end.Add(-50 * time.Minute)
	act := record.Act{Who: "ada", Role: "admin", Action: record.ActionPauseLane, Reason: "The invoice of this project is being looked at."}
	if err := p.record.PauseByHand(ctx, "pro", act); err != nil {
		return err
	}
	for i := range 12 {
		change := func(d *record.Draft) {
			if i%4 == 3 {
				d.Priority = job.PriorityLow
			}
		}
		if _, err := p.create(ctx, time.Duration(45-3*i)*time.Minute, tenants[i%len(tenants)], pro, 1+i%3, change); err != nil {
			return err
		}
	}
	return nil
}

// leaveBroken leaves a lane whose key is refused.
func (p *player) leaveBroken(ctx context.Context) error {
	for i := range 3 {
		if _, err := p.create(ctx, time.Duration(8-2*i)*time.Minute, "mobile", flash, 2, nil); err != nil {
			return err
		}
	}
	p.now = p.end.Add(-9 * time.Minute)
	return p.record.Pause(ctx, []string{"flash"}, record.Pause{For: 12 * time.Hour, Broken: true, Reason: *reason(job.CodeLaneUnavailable, "The provider refuses the lane's key.")})
}

// leaveParked leaves a job of a model that no lane draws.
func (p *player) leaveParked(ctx context.Context) error {
	_, err := p.create(ctx, 3*time.Hour, "studio", lite, 3, func(d *record.Draft) { d.Lanes = []string{"", "", ""} })
	return err
}

// leaveHeld leaves a job that does not fit into the budget of its tenant, which is
// so small that it holds no picture.
func (p *player) leaveHeld(ctx context.Context) error {
	budget := job.Budgets{job.TenantBudget("press"): {LimitMicros: heldBudget, Per: job.PerMonth, Zone: time.UTC}}
	_, err := p.create(ctx, 6*time.Minute, "press", nano, 4, func(d *record.Draft) {
		d.PriceMicros, d.Budgets = 33_600, record.Budgets{Periods: budget.Of("press", p.now), Crossed: func(record.BudgetState) {}}
	})
	return err
}

// heldBudget is the budget of press a month, in millionths of a US dollar. The service
// must be told the same in TENANTS.
const heldBudget = 10_000

// leaveIgnored leaves the largest group of errors ignored.
func (p *player) leaveIgnored(ctx context.Context) error {
	found, err := p.record.Errors(ctx, p.end.Add(-24*time.Hour), 1)
	if err != nil || len(found.Groups) == 0 {
		return errors.Join(err, errors.New("no attempt failed"))
	}
	return p.record.IgnoreError(ctx, record.Ignore{Name: found.Groups[0].Name(), Above: 100_000}, record.Act{
		Who: "ada", Role: "admin", Action: record.ActionIgnoreError, Reason: "The quota is known to be small.",
	})
}
