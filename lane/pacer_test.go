package lane_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/redis"
	"github.com/ai-worker/ai-worker/redis/redistest"
)

// fleet is a set of pacers of one lane that share a Redis, as processes do.
type fleet struct {
	t       *testing.T
	rpm     int
	pacers  []*lane.Pacer
	clients []*redis.Client
	away    atomic.Bool // whether a pacer has said that Redis is
}

func newFleet(t *testing.T, url string, rpm, n int) *fleet {
	t.Helper()
	f := &fleet{t: t, rpm: rpm}
	for i := range n {
		client, err := redis.NewClient(url, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		f.clients = append(f.clients, client)
		l := lane.Lane{Name: "a", RPM: rpm}
		f.pacers = append(f.pacers, lane.NewPacer(l, client, fmt.Sprint(i), n, slog.New(outageNote{slog.DiscardHandler, &f.away})))
	}
	return f
}

// outageNote is a log that notes the warning of a pacer that Redis is away.
type outageNote struct {
	slog.Handler

	away *atomic.Bool
}

func (o outageNote) Enabled(context.Context, slog.Level) bool { return true }

func (o outageNote) Handle(context.Context, slog.Record) error {
	o.away.Store(true)
	return nil
}

// interval returns the time between two slots. A hundredth of the quota is left
// over.
func (f *fleet) interval() time.Duration {
	return time.Duration(float64(time.Minute) / (float64(f.rpm) * 0.99))
}

// An answer is what a pacer said, with the time before and after it was asked.
// The clock that the pacer used lies between the two, however long the answer
// took. So no conclusion depends on the speed of the machine.
type answer struct {
	at            time.Time
	taken         bool
	before, after time.Time
}

// earliest and latest return the bounds of the time that the answer tells, on
// the clock of Redis. The pacer tells it on its own, as long after it heard of
// it as Redis said.
func (a answer) earliest() time.Time { return a.at.Add(-a.after.Sub(a.before) - precision) }
func (a answer) latest() time.Time   { return a.at.Add(a.after.Sub(a.before) + precision) }

// isIn reports whether the answer can be that the slot comes after wait.
func (a answer) isIn(wait time.Duration) bool {
	return !a.at.Before(a.before.Add(wait-precision)) && !a.at.After(a.after.Add(wait+precision))
}

// precision is the precision of the numbers in Redis, with the roundings on the
// way.
const precision = 2 * time.Microsecond

// now returns the time of the clock that Redis goes by. That clock may be set
// while the monotonic one goes on.
func now() time.Time { return time.Now().Round(0) }

// take asks the i-th pacer.
func (f *fleet) take(i int, patience time.Duration) answer {
	f.t.Helper()
	a := answer{before: now()}
	a.at, a.taken = f.pacers[i%len(f.pacers)].Take(f.t.Context(), patience)
	a.at, a.after = a.at.Round(0), now()
	return a
}

// takeAll takes n slots, from one pacer after the other.
func (f *fleet) takeAll(n int) []answer {
	f.t.Helper()
	answers := make([]answer, n)
	for i := range answers {
		answers[i] = f.take(i, 24*time.Hour)
		if !answers[i].taken {
			f.t.Fatalf("a slot at %s was not taken", answers[i].at)
		}
	}
	return answers
}

// wantQuota fails if more than the quota of the slots lie within a minute.
func (f *fleet) wantQuota(answers []answer) {
	f.t.Helper()
	byEarliest := func(a, b answer) int { return a.earliest().Compare(b.earliest()) }
	sorted := slices.SortedFunc(slices.Values(answers), byEarliest)
	for i := range sorted[:max(0, len(sorted)-f.rpm)] {
		window := sorted[i : i+f.rpm+1]
		last := window[0].latest()
		for _, a := range window {
			if a.latest().After(last) {
				last = a.latest()
			}
		}
		if within := last.Sub(window[0].earliest()); within <= time.Minute {
			f.t.Fatalf("requests %d to %d lie within %s", i, i+f.rpm, within)
		}
	}
}

// slowAnswer is how long an answer may take without a slot being given up.
const slowAnswer = 300 * time.Millisecond

// wantSpacing fails unless each slot comes exactly one interval after the one
// before, or at once if that time has passed already.
func (f *fleet) wantSpacing(answers []answer) {
	f.t.Helper()
	for i, a := range answers[1:] {
		before := answers[i]
		if a.latest().Before(before.earliest().Add(f.interval())) {
			f.t.Fatalf("slot %d comes %s after the one before, want %s", i+1, a.latest().Sub(before.earliest()), f.interval())
		}
		if a.after.Sub(a.before) > slowAnswer {
			continue // the pacer may have given up a slot for the next one
		}
		if next := before.latest().Add(f.interval()); a.earliest().After(next) && a.earliest().After(a.after) {
			f.t.Fatalf("slot %d comes %s after the one before, want %s", i+1, a.earliest().Sub(before.latest()), f.interval())
		}
	}
}

// withRedis returns what ask asks of a new fleet, when Redis has answered all
// of it. A pacer waits a second for Redis. On a machine that stands still for
// longer, it rightly keeps to its share; then withRedis asks again with a new
// fleet.
func withRedis(t *testing.T, server *redistest.Server, rpm, n int, ask func(*fleet) []answer) (*fleet, []answer) {
	t.Helper()
	for range tries {
		server.Restart() // Redis forgets everything
		f := newFleet(t, server.URL(), rpm, n)
		if answers := ask(f); !f.away.Load() {
			return f, answers
		}
	}
	t.Fatal("Redis is there, and the pacers do without")
	return nil, nil
}

const tries = 20

func TestPacersShareAQuota(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for _, rpm := range []int{10, 60, 1000} {
		for _, n := range []int{1, 3} {
			f, answers := withRedis(t, server, rpm, n, func(f *fleet) []answer {
				f.setNext(now().Add(f.interval()))
				return f.takeAll(max(rpm/2, 5)) // in half a minute, as callers do
			})
			f.wantSpacing(answers)
		}
	}
}

// A lane without memory begins with a wait, since the slots of the time before
// are forgotten. One instance knows its own. Of several, others may have some.
func TestPacersWaitIfRedisHasForgotten(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for n, wait := range map[int]time.Duration{1: 0, 3: lane.Quiet} {
		f, answers := withRedis(t, server, 60, n, func(f *fleet) []answer { return f.takeAll(1) })
		if first := answers[0]; !first.isIn(wait + f.interval()) {
			t.Errorf("%d instances: the first slot is in %s, want %s", n, first.at.Sub(first.after), wait+f.interval())
		}
	}
}

// All instances ask at once, and no two of them get the same slot.
func TestPacersAskedAtOnce(t *testing.T) {
	t.Parallel()
	const rpm, n = 60, 3
	f, answers := withRedis(t, redistest.Start(t), rpm, n, func(f *fleet) []answer {
		answers := make([]answer, 2*rpm)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = f.take(i, 24*time.Hour) })
		}
		wg.Wait()
		return answers
	})
	f.wantQuota(answers)
}

// A caller that is told to come back gets a time of its own, at which there is
// a slot.
func TestPacerLeavesSlotsThatAreFarAway(t *testing.T) {
	t.Parallel()
	// Slots are a minute apart, and patience ends half-way between two. The
	// time that the machine takes for nine of them is nothing against that.
	const rpm, patience = 1, 210 * time.Second
	f, answers := withRedis(t, redistest.Start(t), rpm, 2, func(f *fleet) (answers []answer) {
		f.setNext(now().Add(f.interval()))
		for i := range 9 {
			answers = append(answers, f.take(i, patience))
		}
		return answers
	})
	for i, a := range answers {
		if want := i < 3; a.taken != want {
			t.Errorf("caller %d, in %s: taken is %v, want %v", i, a.at.Sub(a.after), a.taken, want)
		}
	}
	f.wantSpacing(answers)
}

// The next slot in Redis may be one that an instance left behind long ago, or
// one further away than is possible, because the clock was set back.
func TestPacerMeetsTheSlotThatRedisKnows(t *testing.T) {
	t.Parallel()
	const rpm = 60
	interval := (&fleet{rpm: rpm}).interval()
	for name, tt := range map[string]struct {
		known time.Duration // until the next slot
		want  time.Duration
	}{
		"idle":           {-10 * time.Minute, 0},
		"clock set back": {10 * time.Hour, interval},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, answers := withRedis(t, redistest.Start(t), rpm, 1, func(f *fleet) []answer {
				f.setNext(now().Add(tt.known))
				return []answer{f.take(0, time.Minute), f.take(0, time.Minute)}
			})
			if first := answers[0]; !first.isIn(tt.want) || !first.taken {
				t.Errorf("the next slot is in %s, want %s", first.at.Sub(first.after), tt.want)
			}
			f.wantSpacing(answers) // nothing was saved up
		})
	}
}

// The process stands still while Redis answers. Then nobody knows how late that
// slot is, so the pacer takes the next one.
func TestPacerLeavesASlotWhoseAnswerIsSlow(t *testing.T) {
	t.Parallel()
	// Slots are a minute apart. The time that the machine takes is nothing
	// against that.
	const rpm, stall = 1, 800 * time.Millisecond
	clock := now()
	f, answers := withRedis(t, redistest.Start(t), rpm, 1, func(f *fleet) []answer {
		first := true
		f.pacers[0].SetClock(func() time.Time {
			if first {
				first = false
				return clock.Add(-stall)
			}
			return clock
		})
		return []answer{f.take(0, 24*time.Hour), f.take(0, 24*time.Hour)}
	})
	for i, a := range answers {
		// A lane without memory begins with a wait of one interval.
		wait := a.at.Sub(clock)
		if got, want := wait.Round(f.interval()), time.Duration(i+2)*f.interval(); got != want {
			t.Errorf("slot %d is in %s, want %s", i, wait, want)
		}
	}
}

// setNext stores a time in Redis as that of the next slot.
func (f *fleet) setNext(next time.Time) {
	f.t.Helper()
	set := func(ctx context.Context, r *goredis.Client) error {
		return r.Set(ctx, "lane:a:next", next.UnixMicro(), 0).Err()
	}
	if err := f.clients[0].Do(f.t.Context(), "set a slot", time.Minute, set); err != nil {
		f.t.Log(err)
		f.away.Store(true)
	}
}

// While Redis is away, an instance that is the only one keeps to the quota, also
// over the change. When Redis is back, it goes on with all of the quota.
func TestPacerAloneGoesOnThroughAnOutage(t *testing.T) {
	t.Parallel()
	const rpm = 60
	server := redistest.Start(t)
	var before, during []answer
	f, after := withRedis(t, server, rpm, 1, func(f *fleet) []answer {
		before = f.takeAll(rpm / 2)
		if f.away.Load() {
			return nil
		}
		server.Stop()
		during = f.takeAll(2 * rpm)
		server.Restart()
		f.awaitRedis()
		f.away.Store(false)
		return f.takeAll(2 * rpm)
	})
	f.wantQuota(slices.Concat(before, during, after))
	f.wantSpacing(slices.Concat(during, after))
}

// awaitRedis returns once every instance asks Redis again. After a failure they
// leave it alone for a while.
func (f *fleet) awaitRedis() {
	f.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	ping := func(ctx context.Context, r *goredis.Client) error { return r.Ping(ctx).Err() }
	for _, client := range f.clients {
		for client.Do(f.t.Context(), "ping", time.Minute, ping) != nil {
			select {
			case <-tick.C:
			case <-f.t.Context().Done():
				f.t.Fatal("Redis is back and not used")
			}
		}
	}
}
