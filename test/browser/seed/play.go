package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
)

// A player does what the service does, at the times that it says.
type player struct {
	record  *memory.Record
	random  *rand.Rand
	samples []sample
	now     time.Time // the record's
	end     time.Time
}

// play makes all that there is.
func (p *player) play(ctx context.Context) error {
	for n, at := range p.times() {
		d, s := p.draft(at)
		if last := jobs - n; last <= len(odd)*3 && last%3 == 0 {
			d.Input.Prompt = odd[last/3-1]
		}
		if err := p.work(ctx, at, d, s); err != nil {
			return fmt.Errorf("job %d: %w", n, err)
		}
	}
	p.now = p.end
	return p.leaveOpen(ctx)
}

// work records a job and does all there is to do for it.
func (p *player) work(ctx context.Context, at time.Time, d record.Draft, s sample) error {
	p.now = at
	if p.chance(2) {
		d.ExpiresIn = time.Minute
	}
	_, tasks, err := p.record.Create(ctx, d)
	if err != nil {
		return err
	}
	switch {
	case d.ExpiresIn == time.Minute:
		p.now = at.Add(time.Minute)
		_, err = p.record.ExpireJob(ctx, d.ID, job.DeadlineExceeded())
	case p.chance(2):
		p.now = at.Add(p.between(time.Second, 30*time.Second))
		_, err = p.record.CancelByHand(ctx, d.ID, record.Act{Who: "vera", Role: "operator", Action: record.ActionCancelJob, Reason: "The customer asked for it."})
	default:
		for _, t := range tasks {
			if err := p.deliver(ctx, t, d.Input.Model, s); err != nil {
				return err
			}
		}
	}
	if err != nil {
		return err
	}
	return p.tell(ctx, d.ID)
}

// A step is how an attempt that brings no picture ends.
type step struct {
	percent int // of all attempts
	reason  *job.Error
	final   bool
	free    bool // it spends no attempt
	finish  string
	detail  string // of which %d becomes a number
	billed  bool
	least   time.Duration
	most    time.Duration
	unasked bool // no request was sent
}

func reason(code job.Code, message string) *job.Error {
	return &job.Error{Code: code, Message: message}
}

// steps are the ways in which attempts go wrong.
var steps = []step{
	{percent: 5, reason: reason(job.CodeQuotaExhausted, "The provider's quota has no room now."), free: true, detail: "HTTP 429 RESOURCE_EXHAUSTED GenerateRequestsPerMinutePerProjectPerModel retry in %ds You exceeded your current quota. Please retry in %ds.", least: 200 * time.Millisecond, most: time.Second},
	{percent: 1, reason: reason(job.CodeQuotaExhausted, "The provider's quota has no room now."), free: true, detail: "HTTP 429 RESOURCE_EXHAUSTED GenerateRequestsPerDayPerProjectPerModel You exceeded your current quota.", least: 200 * time.Millisecond, most: time.Second},
	{percent: 3, reason: reason(job.CodeProviderError, "The provider failed."), detail: "HTTP 503 UNAVAILABLE The model is overloaded. Please try again later. Request %d", least: time.Second, most: 9 * time.Second},
	{percent: 1, reason: reason(job.CodeProviderTimeout, "The provider did not answer in time."), detail: "context deadline exceeded", billed: true, least: 2 * time.Minute, most: 121 * time.Second},
	{percent: 3, reason: reason(job.CodeBlocked, "The provider's policy refused the prompt."), final: true, finish: "IMAGE_SAFETY", detail: "The prompt could not be processed: prohibited content, category 4", billed: true, least: 2 * time.Second, most: 8 * time.Second},
	{percent: 1, reason: reason(job.CodeNoImage, "The model answered without a picture."), final: true, finish: "NO_IMAGE", detail: "I can describe the scene instead: number %d", billed: true, least: 3 * time.Second, most: 9 * time.Second},
	{percent: 1, reason: reason(job.CodeStorageError, "The picture could not be stored."), detail: "PutObject images/%d: 503 SlowDown", billed: true, least: 9 * time.Second, most: 30 * time.Second},
	{percent: 1, free: true, unasked: true, least: 100 * time.Millisecond, most: time.Second},
	{percent: 1, reason: reason(job.CodeInvalidRequest, "The provider refuses the request as it stands."), final: true, detail: "Invalid value at 'generation_config.image_config' (aspect_ratio), \"9:22\"", least: 200 * time.Millisecond, most: time.Second},
}

// step returns how the next attempt goes wrong, or nil if it does not.
func (p *player) step() *step {
	n := p.random.IntN(100)
	for i := range steps {
		if n -= steps[i].percent; n < 0 {
			return &steps[i]
		}
	}
	return nil
}

// deliver draws an image, with as many attempts as that takes.
func (p *player) deliver(ctx context.Context, t job.Task, model string, s sample) error {
	for spent := 0; ; {
		p.now = p.now.Add(p.between(500*time.Millisecond, 25*time.Second))
		c, err := p.record.Claim(ctx, record.ClaimRequest{Model: model, Task: t, Lease: 10 * time.Minute})
		if err != nil {
			return err
		}
		slot := p.now.Add(p.between(0, 800*time.Millisecond))
		went := p.step()
		if went == nil {
			c.Report = p.report(c, slot, p.between(4*time.Second, 25*time.Second), nil)
			p.now = c.Report.AnsweredAt.Add(p.between(150*time.Millisecond, 2*time.Second))
			object := s.object
			object.ModelVersion = model
			_, err = p.record.Succeed(ctx, c, record.Success{Object: object})
			return err
		}
		c.Report = p.report(c, slot, p.between(went.least, went.most), went)
		p.now = slot.Add(p.between(went.least, went.most)).Add(20 * time.Millisecond)
		if !went.free {
			spent++
		}
		if went.final || spent == 4 {
			_, err = p.record.Fail(ctx, c, *went.reason)
			return err
		}
		_, t, err = p.record.Requeue(ctx, c, record.Requeue{Lane: t.Lane, GiveBack: went.free, Reason: went.reason, After: time.Second})
		if err != nil {
			return err
		}
		p.now = p.now.Add(time.Second)
	}
}

// report returns what a worker tells of an attempt whose answer took so long.
func (p *player) report(c record.Claim, slot time.Time, took time.Duration, went *step) job.Report {
	r := job.Report{SlotAt: slot, AskedAt: slot.Add(10 * time.Millisecond), AnsweredAt: slot.Add(took), FinishReason: "STOP"}
	if went == nil {
		r.Bill = p.bill(c.Job.Input, true)
		return r
	}
	if r.FinishReason = went.finish; went.unasked {
		r.AskedAt, r.AnsweredAt = time.Time{}, time.Time{}
	}
	if r.Detail = went.detail; went.detail != "" {
		r.Detail = strings.ReplaceAll(went.detail, "%d", strconv.Itoa(10+p.random.IntN(50)))
	}
	if went.billed {
		r.Bill = p.bill(c.Job.Input, false)
	}
	return r
}
