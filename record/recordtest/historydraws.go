package recordtest

import (
	"encoding/json"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// What random histories are made of.

// reported draws what the attempt was and cost.
func (c claims) reported(h *history) claims {
	r := draw(h, "report", job.Report{}, job.Report{
		SlotAt: h.now, AskedAt: h.now.Add(-time.Second), Detail: h.detail(),
		Bill: job.Bill{Billed: true, CostMicros: 34_000, BoundMicros: 34_000, Estimated: true, PriceList: "2026-11"},
	}, job.Report{
		SlotAt: h.now, AskedAt: h.now, AnsweredAt: h.now.Add(time.Minute), FinishReason: "STOP",
		Bill: job.Bill{
			Billed: true, CostMicros: 38_700, BoundMicros: 33_600,
			Tokens: &job.Tokens{Prompt: 400, Text: 3, Thought: 600, Image: 1120, Total: 2123},
		},
	})
	c.spec.Report, c.real.Report = r, r
	return c
}

func draw[T any](h *history, what string, from ...T) T {
	return rapid.SampledFrom(from).Draw(h.T, what)
}

// latestOf draws one of a list, preferably the latest. It ends the step if the
// list is empty.
func latestOf[T any](h *history, what string, from []T) T {
	if len(from) == 0 {
		h.Skip("there is none yet")
	}
	return from[len(from)-1-rapid.IntRange(0, len(from)-1).Draw(h.T, what)]
}

func (h *history) anyLane() string { return draw(h, "lane", lane, lane, spare) }

func (h *history) anyModel() string { return draw(h, "model", model, model, model, model, other) }

// limit draws a limit, mostly one that is above everything there is to find.
func (h *history) limit() int { return draw(h, "limit", plenty, 1, 2) }

func (h *history) age() time.Duration {
	return draw(h, "age", 0, time.Second, time.Minute, time.Hour)
}

// draft draws a job that has not been recorded. Ids come in no order. No two
// jobs end at the same time, because then records could differ in their order.
func (h *history) draft() record.Draft {
	n := len(h.jobs)
	d := record.Draft{
		ID:     fmt.Sprintf("%08x-0000-7000-8000-%012x", rapid.IntRange(0, 9).Draw(h.T, "id"), n),
		Tenant: draw(h, "tenant", tenant, rival), Fingerprint: draw(h, "fingerprint", "print", "another"),
		ExpiresIn: draw(h, "expires in", 24*time.Hour, time.Minute, time.Hour) + time.Duration(n)*time.Microsecond,
		Priority:  draw(h, "priority", job.PriorityNormal, job.PriorityLow, ""), Weight: draw(h, "weight", 1, 3, 0.5),
		MaxWaiting: draw(h, "most waiting", 0, 0, 0, 4, 12),
		Input:      job.Input{Prompt: "a lighthouse", Model: h.anyModel(), Count: rapid.IntRange(1, 3).Draw(h.T, "count")},
	}
	d.Budgets = h.budgets(d.Tenant)
	d.PriceMicros = draw[int64](h, "price", 33_600, 33_600, 50_400)
	for range d.Input.Count {
		d.Lanes = append(d.Lanes, draw(h, "first lane", lane, lane, lane, spare, spare, ""))
	}
	if rapid.Bool().Draw(h.T, "described") {
		d.Metadata = json.RawMessage(draw(h, "metadata", `{"user":"u1"}`, `{"user":"u2","n":1}`, `[]`))
	}
	d.Model = draw(h, "drawn by", "", "", "", h.anyModel())
	if rapid.Bool().Draw(h.T, "hooked") {
		d.Input.Webhook = &job.Receiver{URL: "https://example.com", Events: draw(h, "events", job.WebhookEvents(), job.EndEvents(), nil)}
	}
	if rapid.Bool().Draw(h.T, "keyed") {
		d.IdempotencyKey = draw(h, "key", "k", "l")
	}
	return d
}

// anyTask returns a task that was handed out, or now and then one that never was.
func (h *history) anyTask() job.Task {
	switch rapid.IntRange(0, 50).Draw(h.T, "strange") {
	case 50:
		return job.Task{JobID: "nonsense", Dispatch: 1, Lane: lane}
	case 49:
		return job.Task{JobID: "ffffffff-0000-7000-8000-000000000000", Dispatch: 1, Lane: lane}
	default:
		return latestOf(h, "task", h.tasks)
	}
}

// drawRequeue draws how an image waits.
func (h *history) drawRequeue() record.Requeue {
	return record.Requeue{
		Lane: h.anyLane(), After: draw(h, "after", 0, time.Second, time.Minute, time.Hour),
		GiveBack: rapid.Bool().Draw(h.T, "give back"), Reason: draw(h, "reason", nil, &timedOut),
		PriceMicros: draw[int64](h, "price", 33_600, 33_600, 50_400), Budgets: h.budgets(draw(h, "tenant", tenant, rival)),
	}
}

func (h *history) anyPlace() record.Place {
	return record.Place{Lane: h.anyLane(), Model: h.anyModel()}
}
