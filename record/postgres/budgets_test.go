package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

const price = 33_600 // of a picture

// spenders returns the budgets of tenants that spend from one for all. There is room
// for some of what they ask for.
func spenders() job.Budgets {
	day := func(pictures int64) job.Budget {
		return job.Budget{LimitMicros: pictures*price + price/2, Per: job.PerMonth, Zone: time.UTC}
	}
	return job.Budgets{job.ServiceBudget: day(40), job.TenantBudget("acme"): day(10), job.TenantBudget("rival"): day(20)}
}

// A spending is many who submit to the same budgets, and work on what that makes.
type spending struct {
	*testing.T

	rec     *postgres.Record
	pool    *pgxpool.Pool
	budgets job.Budgets
	at      time.Time

	mu    sync.Mutex
	tasks []job.Task
	jobs  []string
}

// overdrawn refuses each change of a budget that leaves more used than is allowed, unless
// it uses no more than before: an operator may have lowered what is allowed.
const overdrawn = `
CREATE FUNCTION overdrawn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.spent_micros + NEW.reserved_micros > greatest(NEW.limit_micros + NEW.raised_micros, OLD.spent_micros + OLD.reserved_micros)
       OR NEW.reserved_micros < 0 THEN
        RAISE EXCEPTION 'budget % is overdrawn: % spent, % reserved, % + % allowed',
            NEW.scope, NEW.spent_micros, NEW.reserved_micros, NEW.limit_micros, NEW.raised_micros;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER overdrawn BEFORE UPDATE ON budgets FOR EACH ROW EXECUTE FUNCTION overdrawn()`

// mostRaised is the most that the operator adds.
const mostRaised = 5 * price

// 32 submit, draw, fail after they were billed, cancel, expire, die and release at the
// same time, and raise budgets and undo that. No change of a budget uses more than is
// allowed then: the database looks at each, and a reader at all budgets all the time. In
// the end nothing is reserved, and what is spent is what attempts were billed.
func TestBudgetsHoldWhateverRunsAtOnce(t *testing.T) {
	t.Parallel()
	pool := newPool(t, postgrestest.NewRecord(t)+"&pool_max_conns=34")
	s := &spending{T: t, rec: postgres.New(pool), pool: pool, budgets: spenders(), at: time.Now()}
	execSQL(t, pool, overdrawn)
	ctx, stop := context.WithCancel(t.Context())
	var checker, group sync.WaitGroup
	checks := 0
	checker.Go(func() {
		for ctx.Err() == nil && !t.Failed() {
			s.wantWithinLimits()
			checks++
		}
	})
	const spenders, rounds = 32, 40
	for seed := range spenders {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(seed), 1))
			for range rounds {
				s.step(random)
			}
		})
	}
	group.Wait()
	stop()
	checker.Wait()
	s.end()
	s.wantWithinLimits()
	s.wantSpent()
	wantCounters(t, pool)
	t.Logf("%d jobs, checked %d times", len(s.jobs), checks)
}

func (s *spending) of(tenant string) record.Budgets {
	return record.Budgets{Periods: s.budgets.Of(tenant, s.at), Webhooks: true}
}

func (s *spending) must(what string, err error, allowed ...error) {
	for _, a := range append(allowed, nil) {
		if errors.Is(err, a) {
			return
		}
	}
	s.Errorf("%s: %v", what, err)
}

func (s *spending) step(random *rand.Rand) {
	ctx := context.WithoutCancel(s.Context())
	switch n := random.IntN(20); {
	case n < 6:
		d := submission(1 + random.IntN(4))
		d.Tenant = []string{"acme", "rival", "novice"}[random.IntN(3)]
		d.PriceMicros, d.Budgets = price, s.of(d.Tenant)
		if random.IntN(5) == 0 {
			d.ExpiresIn = 20 * time.Millisecond
		}
		_, tasks, err := s.rec.Create(ctx, d)
		s.must("Create", err)
		s.keep(d.ID, tasks...)
	case n < 14:
		if t, ok := s.anyTask(random); ok {
			s.deliver(ctx, random, t)
		}
	case n == 14:
		s.mu.Lock()
		id := ""
		if len(s.jobs) > 0 {
			id = s.jobs[random.IntN(len(s.jobs))]
		}
		s.mu.Unlock()
		if id != "" {
			_, err := s.rec.Cancel(ctx, id)
			s.must("Cancel", err)
		}
	case n == 15:
		_, tasks, err := s.rec.Reap(ctx, 0, 5)
		s.must("Reap", err)
		s.keep("", tasks...)
	case n == 16:
		_, err := s.rec.Expire(ctx, job.Error{Code: job.CodeDeadlineExceeded}, 5)
		s.must("Expire", err)
	case n == 17:
		s.raise(ctx, random)
	default:
		s.release(ctx)
	}
}

// raise changes what is added to a budget, or undoes it.
func (s *spending) raise(ctx context.Context, random *rand.Rand) {
	states, err := s.rec.Budgets(ctx)
	s.must("Budgets", err)
	for _, p := range s.budgets.Of("acme", s.at) {
		for _, b := range states {
			if b.Scope != p.Scope || !b.From.Equal(p.From) {
				continue
			}
			r := record.BudgetRaise{Period: p, WasMicros: b.RaisedMicros, Micros: int64(random.IntN(3)) * mostRaised / 2}
			err := s.rec.RaiseBudget(ctx, r, record.Act{Who: "ada", Role: "admin", Action: record.ActionRaiseBudget, Reason: "a test"})
			s.must("RaiseBudget", err, record.ErrBudgetChanged)
		}
	}
}

// release releases what fits, in order, and gives tasks to it.
func (s *spending) release(ctx context.Context) {
	held, err := s.rec.Held(ctx, nil, 3)
	s.must("Held", err)
	for _, img := range held {
		s.must("Release", s.rec.Release(ctx, img, s.of(img.Tenant)), record.ErrBudget, record.ErrNothingDue)
	}
	tasks, err := s.rec.Unpark(ctx, model, []record.Place{{Lane: lane, Model: model}, {Lane: lane, Model: model}})
	s.must("Unpark", err)
	s.keep("", tasks...)
}

// deliver works on the image whose turn it is: it draws it, for less or for its price,
// fails after it was billed or was not, puts it back, or dies.
func (s *spending) deliver(ctx context.Context, random *rand.Rand, t job.Task) {
	lease := []time.Duration{time.Hour, time.Hour, 0}[random.IntN(3)]
	c, err := s.rec.Claim(ctx, record.ClaimRequest{Model: model, Task: t, Lease: lease})
	if err != nil {
		s.must("Claim", err, record.ErrHeld, record.ErrNothingDue)
		return
	}
	if c.Image().ReservedMicros < price {
		s.Errorf("an image is claimed with %d reserved", c.Image().ReservedMicros)
	}
	c.Report.AskedAt = time.Now()
	if random.IntN(4) > 0 {
		micros := int64(price - random.IntN(2)*10_001)
		c.Report.Bill = job.Bill{Billed: true, CostMicros: micros, BoundMicros: micros}
	}
	var next job.Task
	switch random.IntN(8) {
	case 0:
		return // it is killed
	case 1:
		_, err = s.rec.Fail(ctx, c, job.Error{Code: job.CodeBlocked})
	case 2, 3, 4:
		_, next, err = s.rec.Requeue(ctx, c, record.Requeue{
			Lane: lane, Reason: &job.Error{Code: job.CodeProviderTimeout}, PriceMicros: price, Budgets: s.of(c.Job.Tenant),
		})
	default:
		_, err = s.rec.Succeed(ctx, c, record.Success{})
	}
	s.must("the end of a claim", err, record.ErrClaimLost)
	if err != nil {
		s.late(ctx, c)
	}
	if next != (job.Task{}) {
		s.keep("", next)
	}
}

// late tells what an attempt was billed that was canceled or had expired. One whose
// image is drawn again tells that it was billed nothing: what a worker is billed that
// lost its lease may be too much.
func (s *spending) late(ctx context.Context, c record.Claim) {
	j, err := s.rec.Get(ctx, c.Job.ID)
	s.must("Get", err)
	if !j.Images[c.Index].Status.Terminal() || j.Images[c.Index].Status == job.StatusSucceeded {
		return
	}
	attempts, err := s.rec.Attempts(ctx, c.Job.ID)
	s.must("Attempts", err)
	for _, a := range attempts {
		if a.Index == c.Index && a.Number > c.Number || a.Index == c.Index && a.Number == c.Number && a.Outcome == job.OutcomeLost {
			return
		}
	}
	s.must("NoteAttempt", s.rec.NoteAttempt(ctx, c, false))
}

func (s *spending) keep(id string, tasks ...job.Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks = append(s.tasks, tasks...)
	if id != "" {
		s.jobs = append(s.jobs, id)
	}
}

func (s *spending) anyTask(random *rand.Rand) (job.Task, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tasks) == 0 {
		return job.Task{}, false
	}
	return s.tasks[random.IntN(len(s.tasks))], true
}

// wantWithinLimits looks at all budgets at one moment.
func (s *spending) wantWithinLimits() {
	states, err := s.rec.Budgets(context.WithoutCancel(s.Context()))
	s.must("Budgets", err)
	for _, b := range states {
		limit := s.budgets[b.Scope].LimitMicros + mostRaised
		if b.ReservedMicros+b.SpentMicros > limit || b.ReservedMicros < 0 || b.SpentMicros < 0 {
			s.Errorf("of %s, %d are reserved and %d spent, of %d", b.Scope, b.ReservedMicros, b.SpentMicros, limit)
		}
	}
}

// end ends all jobs, and settles what nobody told of.
func (s *spending) end() {
	for _, id := range s.jobs {
		_, err := s.rec.Cancel(s.Context(), id)
		s.must("Cancel", err)
	}
	for {
		n, err := s.rec.Settle(s.Context(), 0, 100)
		if s.must("Settle", err); n == 0 || err != nil {
			return
		}
	}
}

// wantSpent compares what is spent with the bills of attempts.
func (s *spending) wantSpent() {
	want := make(map[job.BudgetScope]int64)
	for _, id := range s.jobs {
		attempts, err := s.rec.Attempts(s.Context(), id)
		s.must("Attempts", err)
		for _, a := range attempts {
			for _, p := range s.budgets.Of(a.Tenant, s.at) {
				want[p.Scope] += a.Bill.CostMicros // which is what it counts, here
			}
		}
	}
	states, err := s.rec.Budgets(s.Context())
	s.must("Budgets", err)
	for _, b := range states {
		if b.ReservedMicros != 0 || b.SpentMicros != want[b.Scope] || b.Held != 0 {
			s.Errorf("in the end, %+v; want nothing reserved or held, and %d spent", b, want[b.Scope])
		}
		if b.SpentMicros*4 < b.LimitMicros {
			s.Errorf("of %s, only %d are spent: the test shows little", b.Scope, b.SpentMicros)
		}
	}
}

// While a version is deployed, one of before records, draws and ends images too. It
// reserves nothing, leaves the reservation of what it ends, and cannot take what is held.
func TestProgramsOfBeforeBudgetsGoOn(t *testing.T) {
	t.Parallel()
	pool := newPool(t, postgrestest.NewRecord(t))
	rec := postgres.New(pool)
	budgets := job.Budgets{job.TenantBudget("acme"): {LimitMicros: 2 * price, Per: job.PerMonth, Zone: time.UTC}}
	b := record.Budgets{Periods: budgets.Of("acme", time.Now())}
	d := submission(3)
	d.PriceMicros, d.Budgets = price, b
	_, tasks, err := rec.Create(t.Context(), d)
	if err != nil || len(tasks) != 2 {
		t.Fatalf("%d tasks, %v; want 2 and one held", len(tasks), err)
	}
	var released int // as unpark of before
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM images WHERE status = 'queued' AND task_lane = ''`).Scan(&released); err != nil || released > 0 {
		t.Errorf("%d images are parked, %v", released, err)
	}
	if _, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: tasks[0], Lease: time.Hour}); err != nil {
		t.Fatal(err)
	}
	execSQL(t, pool, `
UPDATE images SET status = 'succeeded', completed_at = now(), object_key = 'k', cost_micros = 30000, bound_micros = 30000 WHERE idx = 0;
UPDATE jobs SET processing = processing - 1, succeeded = succeeded + 1`) // as such a program does
	want := func(when string, reserved, spent int64) {
		t.Helper()
		states, err := rec.Budgets(t.Context())
		if err != nil || len(states) != 1 || states[0].ReservedMicros != reserved || states[0].SpentMicros != spent {
			t.Errorf("%s: %+v, %v; want %d reserved and %d spent", when, states, err, reserved, spent)
		}
	}
	want("before a sweep", 2*price, 0)
	if n, err := rec.Settle(t.Context(), 0, 10); n != 1 || err != nil {
		t.Errorf("%d are settled, %v", n, err)
	}
	want("after one", price, 30_000)

	c, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: tasks[1], Lease: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	execSQL(t, pool, `UPDATE images SET billed_micros = 5000 WHERE idx = 1`) // an attempt of before
	if _, err := rec.Succeed(t.Context(), c, record.Success{}); err != nil {
		t.Fatal(err)
	}
	want("once a new one settles", 0, 35_000)
}
