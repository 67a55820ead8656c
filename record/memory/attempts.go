package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// An hourName names the sums of an hour. There is one for each combination of
// what attempts of the hour have.
type hourName struct {
	Hour                time.Time
	Lane, Model, Tenant string
	Outcome             job.Outcome
}

// endAttempt records the attempt of an image that was being made, and adds it to
// the sums of the hour.
func (r *Record) endAttempt(p place, outcome job.Outcome, counted bool, report job.Report, now time.Time, c *change) {
	i := p.image
	a := job.Attempt{
		Index: i.Image.Index, Number: i.Claims, Lane: i.ClaimLane, Model: i.Model, Tenant: p.entry.Job.Tenant,
		Dispatch: i.Dispatch, StartedAt: i.Image.StartedAt, EndedAt: now, Waited: p.waited(), Outcome: outcome,
		Counted: counted, Report: record.Kept(report),
	}
	i.Attempts = append(i.Attempts, a)
	sums := billOf(a)
	sums.Attempts, sums.Waited, sums.Ran = 1, a.Waited, a.Ran()
	if outcome == job.OutcomeSucceeded {
		sums.Pictures = 1
	}
	r.addSums(a, sums, c)
}

// waited returns how long the image waited for its latest claim.
func (p place) waited() time.Duration {
	since := p.entry.Job.CreatedAt
	if n := len(p.image.Attempts); n > 0 {
		since = p.image.Attempts[n-1].EndedAt
	}
	return max(0, p.image.Image.StartedAt.Sub(since))
}

// endReason returns the outcome of an attempt that an error ended, if one did.
func endReason(reason *job.Error) job.Outcome {
	if reason == nil {
		return job.OutcomeGivenBack
	}
	return job.Outcome(reason.Code)
}

// billOf returns what an attempt was charged for.
func billOf(a job.Attempt) (s record.Sums) {
	s.CostMicros = a.Bill.CostMicros
	if a.Outcome != job.OutcomeSucceeded {
		s.WastedMicros = a.Bill.CostMicros
	}
	if a.Bill.Estimated {
		s.EstimatedMicros = a.Bill.CostMicros
	}
	if t := a.Bill.Tokens; t != nil {
		s.Tokens = job.Tokens{
			Prompt: t.Prompt, Text: t.Text, Thought: t.Thought, Image: t.Image, Total: t.Prompt + t.Text + t.Thought + t.Image,
		}
	}
	return s
}

// addSums adds to the sums of the hour in which an attempt ended.
func (r *Record) addSums(a job.Attempt, s record.Sums, c *change) {
	name := hourName{a.EndedAt.Truncate(time.Hour), a.Lane, a.Model, a.Tenant, a.Outcome}
	r.setHour(name, r.hours[name].Plus(s), c)
}

// NoteAttempt implements record.Record.
func (r *Record) NoteAttempt(ctx context.Context, claim record.Claim, stored bool) error {
	return r.update(ctx, func(_ time.Time, c *change) error {
		e := r.jobs[claim.Job.ID]
		if e == nil || claim.Index >= len(e.Images) {
			return nil
		}
		of := e.Images[claim.Index].Attempts
		n := slices.IndexFunc(of, func(a job.Attempt) bool { return a.Number == claim.Number })
		var billed int64
		if n >= 0 && claim.Report.Asked() && !of[n].Asked() && (!stored || of[n].Outcome != job.OutcomeLost) {
			of[n].Report = record.Kept(claim.Report)
			billed = claim.Report.Bill.BoundMicros
			r.setJob(e, c)
			r.addSums(of[n], billOf(of[n]), c)
		}
		r.settleLate(place{e, e.Images[claim.Index]}, claim.Number, billed, c)
		return nil
	})
}

// Attempts implements record.Record.
func (r *Record) Attempts(ctx context.Context, jobID string) (all []job.Attempt, err error) {
	err = r.view(ctx, func(time.Time) error {
		if e := r.jobs[jobID]; e != nil {
			all = e.attempts()
		}
		return nil
	})
	return all, err
}

// attempts returns the attempts of the job that have ended.
func (e *entry) attempts() (all []job.Attempt) {
	for _, i := range e.Images {
		for _, a := range i.Attempts {
			a.Report = record.Kept(a.Report) // shares nothing
			all = append(all, a)
		}
	}
	return all
}

// RetireAttempts implements record.Record.
func (r *Record) RetireAttempts(ctx context.Context, limit int) (n int, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		old := r.endedBefore(now.Add(-record.AttemptsKept))
		n = min(limit, len(old))
		for _, a := range old[:n] {
			e := r.jobs[a.JobID]
			i := e.Images[a.Index]
			i.Attempts = slices.DeleteFunc(i.Attempts, func(b job.Attempt) bool { return b.Number == a.Number })
			r.setJob(e, c)
		}
		return nil
	})
	return n, err
}

// endedBefore returns the attempts that ended before a time, of images that have ended,
// those that ended first first.
func (r *Record) endedBefore(at time.Time) (old []attempt) {
	for id, e := range r.jobs {
		for _, i := range e.Images {
			for _, a := range i.Attempts {
				if a.EndedAt.Before(at) && i.Image.Status.Terminal() {
					old = append(old, attempt{a, id})
				}
			}
		}
	}
	slices.SortFunc(old, func(a, b attempt) int {
		return cmp.Or(a.EndedAt.Compare(b.EndedAt), cmp.Compare(a.JobID, b.JobID), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Number, b.Number))
	})
	return old
}

// Spend implements record.Record.
func (r *Record) Spend(ctx context.Context, q record.SpendQuery) (all []record.Spend, err error) {
	err = r.view(ctx, func(time.Time) error {
		groups := make(map[hourName]record.Sums)
		for name, s := range r.hours {
			if !name.Hour.Before(q.From) && name.Hour.Before(q.To) {
				g := name.group(q)
				groups[g] = groups[g].Plus(s)
			}
		}
		for _, g := range slices.SortedFunc(maps.Keys(groups), hourName.compare) {
			if len(all) < q.Limit {
				all = append(all, record.Spend{
					At: g.Hour, Lane: g.Lane, Model: g.Model, Tenant: g.Tenant, Outcome: g.Outcome, Sums: groups[g],
				})
			}
		}
		return nil
	})
	return all, err
}

// group returns the name of the sums of q that an hour's are part of.
func (h hourName) group(q record.SpendQuery) hourName {
	g := hourName{Hour: q.Period(h.Hour)}
	if q.Lane {
		g.Lane = h.Lane
	}
	if q.Model {
		g.Model = h.Model
	}
	if q.Tenant {
		g.Tenant = h.Tenant
	}
	if q.Outcome {
		g.Outcome = h.Outcome
	}
	return g
}

func (h hourName) compare(o hourName) int {
	return cmp.Or(
		h.Hour.Compare(o.Hour), cmp.Compare(h.Lane, o.Lane), cmp.Compare(h.Model, o.Model),
		cmp.Compare(h.Tenant, o.Tenant), cmp.Compare(h.Outcome, o.Outcome),
	)
}

// ForgetSpend implements record.Record.
func (r *Record) ForgetSpend(ctx context.Context, age time.Duration, limit int) (n int, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		old := slices.SortedFunc(maps.Keys(r.hours), hourName.compare)
		for _, name := range old {
			if n < limit && !name.Hour.After(now.Add(-micros(age))) {
				r.forgetHour(name, c)
				n++
			}
		}
		return nil
	})
	return n, err
}
