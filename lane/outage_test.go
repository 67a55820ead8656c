package lane_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/redis"
)

// A world is a set of instances with a Redis, and one clock that only the world
// moves. Redis is a real client's: the script runs as it is.
type world struct {
	t         *testing.T
	rpm       int
	now       time.Time
	server    *miniredis.Miniredis
	client    *goredis.Client
	instances []*instance
	started   int
	slots     []slot // in the order in which they were taken
	random    *rand.Rand
}

// An instance is a process with deliveries that want slots.
type instance struct {
	world   *world
	name    int
	pacer   *lane.Pacer
	skew    time.Duration // of its clock
	busy    func() bool   // whether it gets deliveries now
	ahead   int           // how many slots it has at most that have not passed: its concurrency
	cut     func() failure
	resting time.Time // its circuit leaves Redis alone until then
	again   time.Time // its deliveries wait until then
	pending []time.Time
}

// A failure is a way in which a question fails.
type failure int

const (
	none    failure = iota
	lost            // it does not reach Redis
	unheard         // Redis answers, and the answer is lost
)

// restTime is for how long an instance leaves Redis alone after a failure.
const restTime = 2 * time.Second

type slot struct {
	at       time.Time
	instance int
	local    bool // handed out without Redis
}

var errAway = errors.New("away")

func newWorld(t *testing.T, rpm int) *world {
	t.Helper()
	server := miniredis.RunT(t)
	w := &world{
		t: t, rpm: rpm, now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), server: server,
		client: goredis.NewClient(&goredis.Options{Addr: server.Addr(), DisableIdentity: true}),
		random: rand.New(rand.NewPCG(1, uint64(rpm))),
	}
	t.Cleanup(func() { _ = w.client.Close() })
	server.SetTime(w.now)
	return w
}

// start starts one more of at most so many instances.
func (w *world) start(most int) *instance {
	w.t.Helper()
	i := &instance{
		world: w, name: w.started, ahead: w.rpm/2 + 1, busy: func() bool { return true },
		cut: func() failure { return none }, skew: time.Duration(w.random.IntN(7200)-3600) * time.Second,
	}
	i.pacer = lane.NewPacer(lane.Lane{Name: "a", RPM: w.rpm}, nil, fmt.Sprint("instance", i.name), most, slog.New(slog.DiscardHandler))
	i.pacer.SetClock(func() time.Time { return w.now.Add(i.skew) })
	i.pacer.SetRedis(i)
	w.instances = append(w.instances, i)
	w.started++
	return i
}

// Do asks Redis, as redis.Client does: it leaves Redis alone for a while after a
// failure.
func (i *instance) Do(ctx context.Context, _ string, _ time.Duration, op func(context.Context, *goredis.Client) error) error {
	if i.world.now.Before(i.resting) {
		return redis.ErrResting
	}
	f := i.cut()
	if f != none {
		i.resting = i.world.now.Add(restTime)
	}
	if f == lost {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		_ = op(gone, i.world.client)
		return errAway
	}
	if err := op(ctx, i.world.client); err != nil {
		i.world.t.Fatal(err)
	}
	if f == unheard {
		return errAway
	}
	return nil
}

// run lets time go by.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		w.random.Shuffle(len(w.instances), func(a, b int) {
			w.instances[a], w.instances[b] = w.instances[b], w.instances[a]
		})
		for _, i := range w.instances {
			i.work()
		}
		w.now = w.now.Add(w.step())
		w.server.SetTime(w.now)
	}
}

// step returns a fourth of the time between two slots.
func (w *world) step() time.Duration { return time.Minute / time.Duration(4*w.rpm) }

// work asks for a slot for the next delivery, if one waits.
func (i *instance) work() {
	now := i.world.now
	i.pending = slices.DeleteFunc(i.pending, func(at time.Time) bool { return !at.After(now) })
	if !i.busy() || len(i.pending) >= i.ahead || now.Before(i.again) {
		return
	}
	rested := i.resting
	at, taken := i.pacer.Take(i.world.t.Context(), 30*time.Second)
	at = at.Add(-i.skew)
	if !taken {
		i.again = at
		if i.again.After(now.Add(2 * time.Second)) {
			i.again = now.Add(2 * time.Second) // other deliveries come
		}
		return
	}
	i.pending = append(i.pending, at)
	i.world.slots = append(i.world.slots, slot{at, i.name, now.Before(i.resting) || !rested.Equal(i.resting)})
}

// wantQuota fails if some minute has more slots than the quota.
func (w *world) wantQuota() {
	w.t.Helper()
	all := slices.SortedFunc(slices.Values(w.slots), func(a, b slot) int { return a.at.Compare(b.at) })
	first := 0
	for n, s := range all {
		for s.at.Sub(all[first].at) >= time.Minute {
			first++
		}
		if n-first+1 > w.rpm {
			w.t.Fatalf("%d slots in the minute up to %s", n-first+1, s.at.Sub(all[0].at))
		}
	}
}

// used returns which part of the quota was used from one time to another, all
// of it and what was handed out without Redis.
func (w *world) used(from, to time.Time) (all, local float64) {
	for _, s := range w.slots {
		if !s.at.Before(from) && s.at.Before(to) {
			all++
			if s.local {
				local++
			}
		}
	}
	quota := float64(w.rpm) * to.Sub(from).Minutes()
	return all / quota, local / quota
}

// during runs for d, and returns which part of the quota was used meanwhile.
func (w *world) during(d time.Duration) (all, local float64) {
	w.t.Helper()
	from := w.now
	w.run(d)
	return w.used(from, w.now)
}

// between returns a way to fail with f from one time to another, on the world's
// clock from now.
func (w *world) between(from, to time.Duration, f failure) func() failure {
	start, end := w.now.Add(from), w.now.Add(to)
	return func() failure {
		if w.now.Before(start) || !w.now.Before(end) {
			return none
		}
		return f
	}
}

// wantUsed fails unless about that part of the quota is used in the next d, and
// about that part of it without Redis.
func (w *world) wantUsed(what string, d time.Duration, wantAll, wantLocal float64) {
	w.t.Helper()
	precision := 0.03 + 1.5/(float64(w.rpm)*d.Minutes())
	all, local := w.during(d)
	w.t.Logf("%s: %.3f used, %.3f of it without Redis", what, all, local)
	if math.Abs(all-wantAll) > precision || math.Abs(local-wantLocal) > precision {
		w.t.Errorf("%s: %.3f used, %.3f of it without Redis; want %.2f and %.2f", what, all, local, wantAll, wantLocal)
	}
}

// warm runs until everybody has its share.
func (w *world) warm() {
	w.t.Helper()
	w.run(2 * time.Minute)
	w.wantUsed("before", time.Minute, 0.99, 0)
}

// An instance that stalls now and then is not without Redis. Nothing is handed
// out twice.
func TestAStallOfOneInstanceAddsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	w.start(2)
	stalls := w.start(2)
	w.warm()
	stalls.cut = func() failure {
		if w.now.Sub(w.now.Truncate(10*time.Second)) < 1200*time.Millisecond {
			return unheard
		}
		return none
	}
	// A slot whose answer is not heard of is lost.
	w.wantUsed("with stalls", 5*time.Minute, 0.95, 0)
	w.wantQuota()
}

// One instance of three is cut off for long. It uses its share while that is
// kept free for it, and nothing after that.
func TestOneInstanceIsCutOff(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]failure{"asking": lost, "answers": unheard} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 60)
			w.start(3)
			w.start(3)
			gone := w.start(3)
			w.warm()
			gone.cut = w.between(0, 10*time.Minute, f)
			w.run(quietFor(60, 3) + 5*time.Second)
			if f == lost {
				w.wantUsed("its share", 90*time.Second, 0.97, 0.31)
				w.run(time.Minute)
				w.wantUsed("when that is over", 5*time.Minute, 0.99, 0)
			} else { // slots that it takes and does not hear of are lost
				w.run(7*time.Minute + 30*time.Second)
			}
			w.run(4 * time.Minute)
			w.wantUsed("when it is back", 2*time.Minute, 0.99, 0)
			w.wantQuota()
		})
	}
}

// Redis is away for all, with or without its memory, and the instances find out
// that it is back one after the other.
func TestAnOutageAndAStaggeredReturn(t *testing.T) {
	t.Parallel()
	for name, forgets := range map[string]bool{"remembers": false, "forgets": true} {
		for _, rpm := range []int{10, 60} {
			t.Run(fmt.Sprintf("%s at %d", name, rpm), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, rpm)
				for range 3 {
					w.start(3)
				}
				w.warm()
				w.run(3 * time.Minute)
				shares := (float64(rpm)*0.99 - 3) / float64(rpm) // each leaves one request
				first := time.Duration(3 * float64(time.Minute) / (float64(rpm) * shares))
				begin := quietFor(rpm, 3) + first
				for n, i := range w.instances {
					i.cut = w.between(0, begin+time.Minute+time.Duration(n)*10*time.Second, lost)
				}
				w.run(begin)
				if forgets {
					w.server.FlushAll()
				}
				w.wantUsed("in the outage", time.Minute, shares, shares)
				w.run(time.Minute)
				w.wantUsed("when it is back", 2*time.Minute, 0.99, 0)
				w.wantQuota()
			})
		}
	}
}

// quietFor returns after which time without Redis the share of one of so many
// instances begins.
func quietFor(rpm, instances int) time.Duration {
	return lane.Quiet + 8*time.Duration(instances)*(&fleet{rpm: rpm}).interval()
}

// Whatever fails, for whom and for how long, no minute has more slots than the
// quota.
func TestNoFailureCrossesTheQuota(t *testing.T) {
	t.Parallel()
	for seed := range uint64(9) {
		rpm := []int{7, 10, 40}[seed%3]
		t.Run(fmt.Sprintf("seed %d at %d", seed, rpm), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rpm)
			w.random = rand.New(rand.NewPCG(2, seed))
			for range 1 + w.random.IntN(3) {
				w.start(4)
			}
			for range 16 {
				w.disturb()
				w.run(time.Duration(w.random.IntN(90)) * time.Second)
			}
			all, local := w.used(w.slots[0].at, w.now)
			t.Logf("%d instances, %.3f used, %.3f of it without Redis", len(w.instances), all, local)
			w.wantQuota()
		})
	}
}

// disturb lets something happen.
func (w *world) disturb() {
	lasts := []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 6 * time.Minute}
	for _, i := range w.instances {
		f, idle, lasts := failure(w.random.IntN(3)), w.random.IntN(4) == 0, lasts[w.random.IntN(len(lasts))]
		i.cut = w.between(0, lasts, f)
		end := w.now.Add(lasts)
		i.busy = func() bool { return !idle || !w.now.Before(end) }
	}
	switch w.random.IntN(8) {
	case 0:
		w.forget()
	case 1: // one dies
		w.instances = w.instances[1:]
		w.start(4)
	case 2: // one is told to end
		_ = w.instances[0].pacer.Leave(w.t.Context())
		w.instances = w.instances[1:]
		w.start(4)
	case 3:
		if len(w.instances) < 4 {
			w.start(4)
		}
	}
}

// forget lets Redis lose its memory in an outage. All come back within half a
// minute of each other.
func (w *world) forget() {
	away := time.Duration(w.random.IntN(240)) * time.Second
	for _, i := range w.instances {
		i.busy = func() bool { return true }
		i.cut = w.between(0, away+time.Duration(w.random.IntN(30))*time.Second, lost)
	}
	w.server.FlushAll()
	w.run(away + 40*time.Second)
}

// Redis loses its memory in an outage. The instance that comes back first had
// nothing to do, and does not begin over the slots that the other handed out
// and goes on to hand out until it notices.
func TestTheFirstOneBackLeavesTheOthersRoom(t *testing.T) {
	t.Parallel()
	for name, forgets := range map[string]bool{"remembers": false, "forgets": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 60)
			idles, busy := w.start(3), w.start(3)
			w.warm()
			begin := quietFor(60, 2)
			idles.busy = func() bool { return false }
			idles.cut, busy.cut = w.between(0, begin+time.Minute, lost), w.between(0, begin+80*time.Second, lost)
			w.run(begin + time.Minute)
			if forgets {
				w.server.FlushAll()
			}
			idles.busy = func() bool { return true }
			w.start(3) // knows nothing at all
			w.run(5 * time.Minute)
			w.wantUsed("later", time.Minute, 0.99, 0)
			w.wantQuota()
		})
	}
}

// Only an instance that is the only one by its settings goes on without Redis
// for as long as that is away.
func TestOneInstanceNeedsNoRedis(t *testing.T) {
	t.Parallel()
	for most, want := range map[int]float64{1: 0.99, 3: 0} {
		w := newWorld(t, 60)
		i := w.start(most)
		w.run(time.Minute)
		i.cut = w.between(0, 20*time.Minute, lost)
		w.run(quietFor(60, 1) + 5*time.Second) // it has slots for half of that
		w.wantUsed("the whole quota is its share", 90*time.Second, 0.97, 0.97)
		w.run(3 * time.Minute)
		w.wantUsed("for long", 5*time.Minute, want, want)
		w.run(12 * time.Minute)
		w.wantUsed("after that", 2*time.Minute, 0.99, 0)
		w.wantQuota()
	}
}

// An instance that says that it ends leaves its part to the others at once. The
// part of one that died is unused while its share lasts.
func TestSharesOfThoseThatAreGone(t *testing.T) {
	t.Parallel()
	for name, leaves := range map[string]bool{"leaves": true, "dies": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 60)
			gone := w.start(3)
			w.start(3)
			w.warm()
			w.instances = slices.DeleteFunc(w.instances, func(i *instance) bool { return i == gone })
			want := 0.99 / 2
			if leaves {
				want = 0.99
				if err := gone.pacer.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			w.run(quietFor(60, 2))
			w.wantUsed("meanwhile", lane.SharesLast-5*time.Second, want, 0)
			w.run(15 * time.Second)
			w.wantUsed("later", 2*time.Minute, 0.99, 0)
			w.wantQuota()
		})
	}
}

// tardy makes Redis come to each command 2 s late.
type tardy struct{ world *world }

func (tardy) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (tardy) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (h tardy) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		h.world.server.SetTime(h.world.now.Add(2 * time.Second))
		defer h.world.server.SetTime(h.world.now)
		return next(ctx, cmd)
	}
}

// A Redis that stood still works off the questions that were asked meanwhile.
// Nobody waits for the answers any more, so they take no slots.
func TestAnAnswerThatNobodyWaitsForTakesNoSlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	i, other := w.start(1), w.start(1)
	first, _ := i.pacer.Take(t.Context(), time.Minute)
	client := w.client
	w.client = goredis.NewClient(client.Options())
	defer func() { _ = w.client.Close() }()
	w.client.AddHook(tardy{w})
	w.client.Ping(t.Context()) // to connect is several commands
	i.cut = func() failure { return unheard }
	i.pacer.Take(t.Context(), time.Minute)
	w.client = client
	second, taken := other.pacer.Take(t.Context(), time.Minute)
	if got, want := second.Add(-other.skew).Sub(first.Add(-i.skew)), (&fleet{rpm: 60}).interval(); !taken || (got-want).Abs() > precision {
		t.Errorf("the next slot comes %s after the one before, want %s", got, want)
	}
}

// A slot that is given back goes to the next caller, of any instance.
func TestASlotThatIsGivenBackIsUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	i, other := w.start(1), w.start(1)
	var slots []time.Time
	for range 5 {
		at, _ := i.pacer.Take(t.Context(), time.Minute)
		slots = append(slots, at.Add(-i.skew))
	}
	i.pacer.Return(t.Context(), slots[3].Add(i.skew))
	i.pacer.Return(t.Context(), slots[2].Add(i.skew))
	i.pacer.Return(t.Context(), w.now.Add(i.skew-time.Second)) // has passed
	for n, want := range []time.Time{slots[2], slots[3], slots[4].Add((&fleet{rpm: 60}).interval())} {
		at, taken := other.pacer.Take(t.Context(), time.Minute)
		if got := at.Add(-other.skew); !taken || got.Sub(want).Abs() > precision {
			t.Errorf("slot %d is in %s, want %s", n, got.Sub(w.now), want.Sub(w.now))
		}
	}
}

// slow makes each command take 4 ms, of which Redis comes in the middle.
type slow struct {
	tardy

	world *world
}

func (h slow) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		defer h.pass()
		h.pass()
		return next(ctx, cmd)
	}
}

func (h slow) pass() {
	h.world.now = h.world.now.Add(2 * time.Millisecond)
	h.world.server.SetTime(h.world.now)
}

// The way to Redis and back costs nothing of the quota, however short the time
// between two slots is.
func TestSlotsAreAsDenseWithASlowRedis(t *testing.T) {
	t.Parallel()
	const rpm, n = 1000, 100
	w := newWorld(t, rpm)
	w.client.AddHook(slow{world: w})
	i := w.start(1)
	first, _ := i.pacer.Take(t.Context(), time.Minute)
	var last time.Time
	for range n {
		last, _ = i.pacer.Take(t.Context(), time.Minute)
	}
	got, want := last.Sub(first), n*(&fleet{rpm: rpm}).interval()
	if (got - want).Abs() > 10*time.Millisecond {
		t.Errorf("%d slots take %s, want %s", n, got, want)
	}
}

// A replica that takes over is somewhat behind. The slots of the caller are not
// handed out again.
func TestAReplicaThatIsBehindHandsNothingOutTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	i := w.start(1)
	i.pacer.Take(t.Context(), time.Minute)
	behind := w.client.Get(t.Context(), "lane:a:next").Val()
	i.pacer.Take(t.Context(), time.Minute)
	third, _ := i.pacer.Take(t.Context(), time.Minute)
	w.client.Set(t.Context(), "lane:a:next", behind, 0)
	fourth, _ := i.pacer.Take(t.Context(), time.Minute)
	if got, want := fourth.Sub(third), (&fleet{rpm: 60}).interval(); (got - want).Abs() > precision {
		t.Errorf("the next slot comes %s after the one before, want %s", got, want)
	}
}
