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

// A budgetName names a period of a budget.
type budgetName struct {
	Scope    job.BudgetScope
	From, To time.Time
}

// A budget is what is known of a period.
type budget struct {
	Limit           int64 // by the latest that looked for room
	Reserved, Spent int64
	Raised          int64 // what an operator added to the limit
	Told            int   // the level that was told
}

// level returns the highest level that what is used has reached.
func (b budget) level() int { return job.BudgetLevel(b.Reserved+b.Spent, b.Limit+b.Raised) }

func nameOf(p job.BudgetPeriod) budgetName {
	return budgetName{p.Scope, record.KeptTime(p.From), record.KeptTime(p.To)}
}

func (n budgetName) compare(m budgetName) int {
	return cmp.Or(cmp.Compare(n.Scope, m.Scope), n.From.Compare(m.From), n.To.Compare(m.To))
}

func (n budgetName) state(b budget) record.BudgetState {
	return record.BudgetState{
		Scope: n.Scope, From: n.From, To: n.To,
		LimitMicros: b.Limit, RaisedMicros: b.Raised, ReservedMicros: b.Reserved, SpentMicros: b.Spent, Level: b.Told,
	}
}

// rooms returns what is known of the periods.
func (r *Record) rooms(b record.Budgets) []record.BudgetRoom {
	rooms := make([]record.BudgetRoom, len(b.Periods))
	for i, p := range b.Periods {
		used := r.budgets[nameOf(p)]
		rooms[i] = record.BudgetRoom{UsedMicros: used.Reserved + used.Spent, RaisedMicros: used.Raised, Behind: len(r.heldBy(p.Scope)) > 0}
	}
	return rooms
}

// heldBy returns the images that a budget holds, in the order of turns.
func (r *Record) heldBy(scope job.BudgetScope) []place {
	held := r.places(func(p place) bool { return p.image.queued() && p.image.Image.HeldBy == scope })
	slices.SortFunc(held, place.compare)
	return held
}

// add changes what is reserved and spent of the periods that an image is reserved
// with, or was. It leaves those that are removed.
func (r *Record) add(names []budgetName, reserved, spent int64, c *change) {
	for _, name := range names {
		b, known := r.budgets[name]
		if !known {
			continue
		}
		b.Reserved, b.Spent = b.Reserved+reserved, b.Spent+spent
		r.setBudget(name, b, c)
	}
}

// reserve reserves the image's price.
func (r *Record) reserve(i *image, b record.Budgets, c *change) {
	i.Budgets, i.Reserved = nil, 0
	for _, p := range b.Periods {
		i.Budgets, i.Reserved = append(i.Budgets, nameOf(p)), i.Price
	}
	r.add(i.Budgets, i.Reserved, 0, c)
}

// settle ends the reservation of an image that ends: what it was billed, and is not
// counted yet, is spent.
func (r *Record) settle(i *image, c *change) {
	i.Settled = true
	r.add(i.Budgets, -i.Reserved, i.Image.BoundMicros+i.Image.BilledMicros-i.Counted, c)
}

// settleLate counts what an attempt was billed that somebody else ended.
func (r *Record) settleLate(p place, number int, billed int64, c *change) {
	i := p.image
	ended := i.Image.Status.Terminal()
	switch {
	case ended && !i.Settled && i.Claims == number && i.Image.Status != job.StatusSucceeded:
		i.Settled = true
		r.add(i.Budgets, -i.Reserved, billed+i.Image.BilledMicros-i.Counted, c)
	case billed == 0:
		return
	case ended:
		r.add(i.Budgets, 0, billed, c)
		return
	default:
		taken := min(i.Reserved, billed)
		i.Reserved -= taken
		r.add(i.Budgets, -taken, billed, c)
	}
	if len(i.Budgets) > 0 {
		r.setJob(p.entry, c)
	}
}

// cover settles what the image has been billed so far, and reserves the price of its
// next attempt. If a budget has no room, cover returns that.
func (r *Record) cover(i *image, q record.Requeue, crossed *crossings, c *change) (full job.BudgetScope) {
	settled := i.Budgets
	if settled == nil { // it was billed while nothing was reserved for it
		for _, p := range q.Budgets.Periods {
			settled = append(settled, nameOf(p))
		}
	}
	r.add(settled, -i.Reserved, i.Image.BilledMicros-i.Counted, c)
	i.Counted, i.Price, i.Reserved = i.Image.BilledMicros, q.PriceMicros, 0
	if full = r.full(q.Budgets, i.Price); full == "" {
		r.reserve(i, q.Budgets, c)
		r.cross(q.Budgets, 0, crossed, c)
	} else {
		r.crossFull(q.Budgets, i.Price, crossed, c)
	}
	return full
}

// full returns the first budget that has no room for a price, if one has none.
func (r *Record) full(b record.Budgets, price int64) job.BudgetScope {
	for _, p := range b.Periods {
		if r.room(p) < price {
			return p.Scope
		}
	}
	return ""
}

// noteLimits notes the limits of periods. Of a limit that was raised, the levels are told
// anew that what is used is below.
func (r *Record) noteLimits(ctx context.Context, b record.Budgets) error {
	return r.update(ctx, func(_ time.Time, c *change) error {
		for _, p := range b.Periods {
			kept, known := r.budgets[nameOf(p)]
			if known && kept.Limit == p.LimitMicros {
				continue
			}
			kept.Limit = p.LimitMicros
			kept.Told = min(kept.Told, kept.level())
			r.setBudget(nameOf(p), kept, c)
		}
		return nil
	})
}

// crossings are periods that reached a level.
type crossings []record.BudgetState

// cross notes which of the periods reached another level. One that has no room for what
// was left out reached all.
func (r *Record) cross(b record.Budgets, leftOut int64, crossed *crossings, c *change) {
	for _, p := range b.Periods {
		kept := r.budgets[nameOf(p)]
		level := kept.level()
		if r.room(p) < leftOut {
			level = mostLevel()
		}
		r.reach(b, nameOf(p), level, crossed, c)
	}
}

// crossFull notes that those of the periods reached all levels that have no room for a
// price.
func (r *Record) crossFull(b record.Budgets, price int64, crossed *crossings, c *change) {
	for _, p := range b.Periods {
		if r.room(p) < price {
			r.reach(b, nameOf(p), mostLevel(), crossed, c)
		}
	}
}

// mostLevel returns the highest level.
func mostLevel() int { return slices.Max(job.BudgetLevels()) }

// reach notes that a period reached a level, unless it had, and records the webhook of
// that if b asks for one.
func (r *Record) reach(b record.Budgets, name budgetName, level int, crossed *crossings, c *change) {
	kept := r.budgets[name]
	if level <= kept.Told {
		return
	}
	kept.Told = level
	r.setBudget(name, kept, c)
	*crossed = append(*crossed, name.state(kept))
	if b.Webhooks {
		r.happenToBudget(name.state(kept).Reached(), c)
	}
}

// room returns what is left of a period.
func (r *Record) room(p job.BudgetPeriod) int64 {
	used := r.budgets[nameOf(p)]
	return p.LimitMicros + used.Raised - used.Reserved - used.Spent
}

// noteRefusals notes which of the budgets that refuse have no room for an image of the
// draft.
func (r *Record) noteRefusals(ctx context.Context, d record.Draft, crossed *crossings) error {
	return r.update(ctx, func(_ time.Time, c *change) error {
		for _, p := range d.Budgets.Periods {
			if p.Refuse && r.room(p) < d.PriceMicros {
				r.reach(d.Budgets, nameOf(p), mostLevel(), crossed, c)
			}
		}
		return nil
	})
}

// tell calls b.Crossed for each.
func (s crossings) tell(b record.Budgets) {
	if b.Crossed == nil {
		return
	}
	for _, state := range s {
		b.Crossed(state)
	}
}

// Budgets implements record.Record.
func (r *Record) Budgets(ctx context.Context) (states []record.BudgetState, err error) {
	err = r.view(ctx, func(now time.Time) error {
		held := make(map[job.BudgetScope]int)
		for _, p := range r.places(func(p place) bool { return p.image.queued() && p.image.Image.HeldBy != "" }) {
			held[p.image.Image.HeldBy] = min(held[p.image.Image.HeldBy]+1, record.MaxHeld)
		}
		unknown := maps.Clone(held)
		for name, b := range r.budgets {
			if name.To.After(now) {
				s := name.state(b)
				s.Held = held[name.Scope]
				states = append(states, s)
				delete(unknown, name.Scope)
			}
		}
		for scope, n := range unknown {
			states = append(states, record.BudgetState{Scope: scope, Held: n})
		}
		slices.SortFunc(states, func(a, b record.BudgetState) int {
			return budgetName{a.Scope, a.From, a.To}.compare(budgetName{b.Scope, b.From, b.To})
		})
		return nil
	})
	return states, err
}

// Held implements record.Record.
func (r *Record) Held(ctx context.Context, except []job.BudgetScope, limit int) (held []record.HeldImage, err error) {
	err = r.view(ctx, func(time.Time) error {
		all := r.places(func(p place) bool {
			by := p.image.Image.HeldBy
			return p.image.queued() && by != "" && !slices.Contains(except, by)
		})
		slices.SortFunc(all, place.compare)
		for _, p := range all[:min(limit, len(all))] {
			held = append(held, record.HeldImage{
				JobID: p.entry.Job.ID, Index: p.image.Image.Index, Tenant: p.entry.Job.Tenant, Scope: p.image.Image.HeldBy,
			})
		}
		return nil
	})
	return held, err
}

// Release implements record.Record.
func (r *Record) Release(ctx context.Context, img record.HeldImage, b record.Budgets) error {
	if err := r.noteLimits(ctx, b); err != nil {
		return err
	}
	var crossed crossings
	var full job.BudgetScope
	err := r.update(ctx, func(now time.Time, c *change) error {
		e := r.jobs[img.JobID]
		if e == nil || img.Index >= len(e.Images) || !e.Images[img.Index].queued() || e.Images[img.Index].Image.HeldBy == "" {
			return record.ErrNothingDue
		}
		i := e.Images[img.Index]
		if full = r.full(b, i.Price); full != "" {
			i.Image.HeldBy = full
			r.crossFull(b, i.Price, &crossed, c)
		} else {
			i.Image.HeldBy, i.Counted = "", i.Image.BilledMicros
			i.park(e, now)
			r.reserve(i, b, c)
			r.cross(b, 0, &crossed, c)
		}
		r.setJob(e, c)
		return nil
	})
	if err != nil {
		return err
	}
	crossed.tell(b)
	if full != "" {
		return &record.BudgetError{Scope: full}
	}
	return nil
}

// Settle implements record.Record.
func (r *Record) Settle(ctx context.Context, age time.Duration, limit int) (n int, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		var left []place
		for _, e := range r.jobs {
			for _, i := range e.Images {
				if i.Image.Status.Terminal() && i.Reserved > 0 && !i.Settled && !i.Image.CompletedAt.After(now.Add(-micros(age))) {
					left = append(left, place{e, i})
				}
			}
		}
		slices.SortFunc(left, func(p, q place) int {
			return cmp.Or(p.image.Image.CompletedAt.Compare(q.image.Image.CompletedAt), p.compareName(q))
		})
		for _, p := range left[:min(limit, len(left))] {
			r.settle(p.image, c)
			r.setJob(p.entry, c)
			n++
		}
		return nil
	})
	return n, err
}

// RaiseBudget implements record.Record.
func (r *Record) RaiseBudget(ctx context.Context, raise record.BudgetRaise, a record.Act) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		name := nameOf(raise.Period)
		b, known := r.budgets[name]
		if !known {
			b.Limit = raise.Period.LimitMicros
		}
		if !name.To.After(now) || b.Raised != raise.WasMicros {
			return record.ErrBudgetChanged
		}
		b.Raised = raise.Micros
		b.Told = min(b.Told, b.level())
		r.setBudget(name, b, c)
		r.note(a, string(name.Scope), raise.Detail(), now, c)
		return nil
	})
}

// RetireBudgets implements record.Record.
func (r *Record) RetireBudgets(ctx context.Context, limit int) (n int, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		old := slices.DeleteFunc(slices.Collect(maps.Keys(r.budgets)), func(name budgetName) bool {
			return name.To.After(now.Add(-record.BudgetsKept))
		})
		slices.SortFunc(old, func(a, b budgetName) int { return cmp.Or(a.To.Compare(b.To), a.compare(b)) })
		for _, name := range old[:min(limit, len(old))] {
			r.forgetBudget(name, c)
			r.forgetBudgetHooks(name, c)
			n++
		}
		return nil
	})
	return n, err
}
