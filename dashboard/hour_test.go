package dashboard_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// An ending is how an attempt ends, and what it is charged for.
type ending struct {
	code job.Code // empty if it succeeds
	cost int64
	says string
	list bool // the cost is estimated
}

// draw records a picture of a tenant on a lane, waits a while, and draws it for as
// long.
func (s *site) draw(tenant, on string, while time.Duration, e ending) job.Job {
	s.Helper()
	j := s.create(tenant, on, "m", 1)
	time.Sleep(while)
	c, err := s.kept.Claim(s.Context(), record.ClaimRequest{Model: "m", Task: job.Task{JobID: j.ID, Dispatch: 1, Lane: on}, Lease: time.Hour})
	if err != nil {
		s.Fatal(err)
	}
	time.Sleep(while)
	c.Report = job.Report{AskedAt: time.Now(), Detail: e.says, Bill: job.Bill{Billed: e.cost > 0, CostMicros: e.cost, Estimated: e.list}}
	if e.code == "" {
		j, err = s.kept.Succeed(s.Context(), c, record.Success{Object: job.Object{Key: "images/" + j.ID + "/0", ContentType: "image/png", Width: 64, Height: 48}})
	} else {
		j, err = s.kept.Fail(s.Context(), c, job.Error{Code: e.code, Message: "It failed."})
	}
	if err != nil {
		s.Fatal(err)
	}
	return j
}

// The overview tells the last hour of each lane, waits and runs with the oldest,
// errors by kind, and costs.
func TestOverviewTellsTheLastHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight of a first of January
		s := setup(t)
		for range 3 {
			s.draw("web", "a", time.Second, ending{cost: 40_000})
		}
		s.draw("web", "a", 2*time.Second, ending{code: job.CodeBlocked, cost: 5_000})
		s.draw("other", "a", 0, ending{code: job.CodeQuotaExhausted})
		s.create("late", "b", "m", 1)
		time.Sleep(time.Minute)
		page := s.get(path, s.logIn("vera"))
		want(t, section(t, page, "The last hour a ", "How long"), "5 of 60 begun in 00:00 UTC · 0 since · 0 in flight", "00:00 3 1 1 0", "Together 3 1 1 0", "Nothing was begun on b.")

		s.draw("web", "a", time.Second, ending{}) // in the minute that goes on
		going := s.create("web", "a", "m", 1)
		if _, err := s.kept.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: job.Task{JobID: going.ID, Dispatch: 1, Lane: "a"}, Lease: time.Hour}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		want(t, section(t, s.get(path, s.logIn("vera")), "The last hour a ", "How long"), "5 of 60 begun in 00:00 UTC · 1 since · 1 in flight")
		want(t, section(t, page, "How long pictures wait and take", "Errors in"), "a 1 s 1 s 1 s 1 s –", "b – – – – 60 s")
		want(t, section(t, page, "Errors in the last hour", "Cost in"), "blocked 1", "quota_exhausted 1", "-succeeded")
		want(t, section(t, page, "Cost in January", "By day"), "$0.1250 so far, $0.0050 of it without a picture.", "A forecast takes one full day")
		want(t, section(t, page, "Cost today", "Jobs that ended"), "late 1 60 s $0", "web 0 – $0.1250", "-other", "-Budget")
		want(t, section(t, page, "Oldest In flight", "The last hour"), "a m ● open 0 – 0", "b m ● open 1 60 s 0")
	})
}

// asked is a record that keeps the names of what it is asked.
type asked struct {
	dashboard.Record

	calls map[string]int
}

func (a *asked) Overview(ctx context.Context) (record.Overview, error) {
	a.calls["Overview"]++
	return a.Record.Overview(ctx)
}

func (a *asked) Activity(ctx context.Context) (record.Activity, error) {
	a.calls["Activity"]++
	return a.Record.Activity(ctx)
}

func (a *asked) Slots(ctx context.Context, lane string, since time.Time) (record.Slots, error) {
	a.calls["Slots"]++
	return a.Record.Slots(ctx, lane, since)
}

func (a *asked) Spend(ctx context.Context, q record.SpendQuery) ([]record.Spend, error) {
	a.calls["Spend"]++
	return a.Record.Spend(ctx, q)
}

// A poll of the overview asks the record a fixed few things, whatever there is;
// costs once in half a minute. While nobody looks, nothing is asked.
func TestAnOverviewAsksAFixedFewThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		c := s.logIn("vera")
		a := &asked{Record: s.kept, calls: make(map[string]int)}
		s.options.Record = a
		s.start()
		poll := func(times int) {
			for range times {
				s.do(request{method: "GET", path: path, cookie: c, header: map[string]string{"Accept": "text/x-fragment"}})
				time.Sleep(5 * time.Second)
			}
		}
		once := map[string]int{"Overview": 6, "Activity": 6, "Slots": 6, "Spend": 2}
		poll(6)
		if diff := cmp.Diff(once, a.calls); diff != "" {
			t.Errorf("six polls of an empty record (-want +got):\n%s", diff)
		}
		for n := range 40 {
			s.draw(fmt.Sprint("tenant-", n), "a", time.Second, ending{cost: 1})
		}
		s.create("web", "b", "m", 30)
		clear(a.calls)
		poll(6)
		if diff := cmp.Diff(once, a.calls); diff != "" {
			t.Errorf("six polls of a record with something in it (-want +got):\n%s", diff)
		}
		clear(a.calls)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(a.calls) > 0 {
			t.Errorf("asked while nobody looks: %v", a.calls)
		}
	})
}

// A many is a record with costs of as many tenants as are asked for, by name.
type many struct{ stated }

func (m *many) Spend(ctx context.Context, q record.SpendQuery) ([]record.Spend, error) {
	if !q.Tenant {
		return m.Record.Spend(ctx, q)
	}
	all := make([]record.Spend, q.Limit)
	for n := range all {
		all[n] = record.Spend{At: q.From, Tenant: fmt.Sprintf("a-%05d", n), Sums: record.Sums{CostMicros: 2_000_000}}
	}
	return all, nil
}

// What a tenant costs is not said where it was not read.
func TestCostsOfTooManyTenants(t *testing.T) {
	s := setup(t)
	overview := record.Overview{At: time.Now(), Waiting: 2, Tenants: []record.TenantState{{Tenant: "a-00007", Waiting: 5}, {Tenant: "web", Waiting: 3}}}
	s.options.Record = &many{stated{s.kept, overview}}
	s.start()
	want(t, words(s.get(path, s.logIn("vera"))), "a-00007 5 0 s $2.00", "web 3 0 s not read", "of the first 10,000 tenants by name")
}

// A forecast is what was spent, and for each day to come the mean of the last full
// ones. Today costs what it did, or as much.
func TestForecast(t *testing.T) {
	day := func(n int, cost, wasted int64) record.Spend {
		return record.Spend{At: time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC), Sums: record.Sums{CostMicros: cost, WastedMicros: wasted}}
	}
	now := time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC)
	type forecast struct{ SoFar, Wasted, Rate, Forecast int64 }
	for name, tt := range map[string]struct {
		days     []record.Spend
		now      time.Time
		want     forecast
		of, left int
	}{
		"nothing yet":                      {nil, now, forecast{}, 0, 4},
		"today only":                       {[]record.Spend{day(26, 50, 5)}, now, forecast{50, 5, 0, 0}, 0, 4},
		"seven full days":                  {[]record.Spend{day(1, 100, 0), day(19, 70, 7), day(25, 140, 0), day(26, 10, 0)}, now, forecast{320, 7, 30, 320 + 20 + 4*30}, 7, 4},
		"two days old":                     {[]record.Spend{day(24, 60, 0), day(25, 20, 0), day(26, 100, 0)}, now, forecast{180, 0, 40, 180 + 4*40}, 2, 4},
		"days of last month are no cost":   {[]record.Spend{{At: time.Date(2026, 10, 30, 0, 0, 0, 0, time.UTC), Sums: record.Sums{CostMicros: 30}}, day(1, 10, 0)}, day(2, 0, 0).At, forecast{10, 0, 13, 10 + 13 + 28*13}, 3, 28},
		"on the last day none is to come":  {[]record.Spend{day(29, 10, 0), day(30, 4, 0)}, day(30, 0, 0).At, forecast{14, 0, 10, 20}, 1, 0},
		"a day without any counts as none": {[]record.Spend{day(1, 10, 0), day(24, 70, 0)}, now, forecast{80, 0, 10, 80 + 10 + 40}, 7, 4},
	} {
		got := dashboard.Forecast(tt.days, tt.now)
		if diff := cmp.Diff(tt.want, forecast{got.SoFar, got.Wasted, got.Rate, got.Forecast}); diff != "" || got.Days != tt.of || got.Left != tt.left {
			t.Errorf("%s: of %d days, %d left (-want +got):\n%s", name, got.Days, got.Left, diff)
		}
	}
}
