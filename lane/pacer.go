package lane

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/redis"
)

const (
	// headroom is the part of the quota that is left unused. The provider does
	// not publish its window. At every rate, one per cent leaves 0.6 s a minute
	// for the difference between the slowest and the fastest network path of
	// two requests.
	headroom = 0.01

	// askTimeout bounds one question to Redis.
	askTimeout = time.Second
	// slowAnswer is how long an answer of Redis may take. It tells how long it is
	// until the slot, from some time on between the question and the answer. If
	// that is more than half the head-room, the slot may be late, so it is given
	// up for another one. The second answer counts however long it takes: from a
	// Redis that is always slow, all slots are equally late.
	slowAnswer = 300 * time.Millisecond
	// memory is how long Redis remembers a lane. A lane without memory begins
	// with a wait.
	memory = 30 * 24 * time.Hour

	// longestWait is how far away slots usually are at most: how long a caller
	// waits for one. A caller may wait longer.
	longestWait = 30 * time.Second
	// quiet is how long an instance does not hear from Redis before its share of
	// the quota begins, at least. It is longer than longestWait: a slot that is
	// handed out now must not lie in the share of an instance that asks as usual.
	quiet = longestWait + 10*time.Second
	// valid is for how long a share lasts. The share of an instance that has died
	// is unused for so long.
	valid = 2 * time.Minute
	// farthest is how far away the next slot can be, unless a caller waited
	// longer.
	farthest = time.Minute

	// returnedFor is how long Redis keeps slots that were given back.
	returnedFor = 2 * longestWait

	// againFirst and againLast bound the time after which a caller asks again who got
	// no slot because Redis is away: a quarter of the time that it has been away.
	againFirst, againLast = 2 * time.Second, time.Minute
)

// takeSource does what slots.take does, for all instances.
//
//go:embed take.lua
var takeSource string

var takeScript = goredis.NewScript(takeSource)

// A Pacer spaces the requests of a lane evenly over all instances, whatever
// bursts its queue sends. It is the generic cell rate algorithm without a
// burst, in one Redis script on Redis' clock.
//
// While Redis is away, an instance that is the only one hands the slots out
// itself. One of several cannot know whether the others are without Redis too.
// So Redis gives each a share of the quota, for a time that begins when the
// instance has not asked for a while, and ends two minutes later. For that time
// Redis keeps the share free. The instance hands slots out of it from its begin
// to its end, and after that none. All slots of a minute are then at most
//
//	1 + the unreserved part of RPM × 0.99    from Redis, in any minute
//	  + the reserved part of RPM × 0.99      from the shares
//
// which is less than RPM + 1, whoever is cut off, for how long, and in whatever
// order they come back. See docs/decisions/0019.
type Pacer struct {
	lane      Lane
	redis     doer
	instance  string // names this process among the instances
	most      int    // so many instances there are at most
	instances atomic.Int64
	clock     remoteClock // Redis'
	local     slots       // of the lane, as this process knows them
	shares    shares      // what this process may hand out as one of several
	log       *slog.Logger
}

// A doer sends commands to Redis, as redis.Client does.
type doer interface {
	Do(ctx context.Context, what string, timeout time.Duration, op func(context.Context, *goredis.Client) error) error
}

// NewPacer returns a pacer for the lane, whose RPM must be positive. instance
// names this process. instances is how many processes there are at most.
func NewPacer(l Lane, client *redis.Client, instance string, instances int, log *slog.Logger) *Pacer {
	p := &Pacer{
		lane: l, redis: client, instance: instance, most: max(instances, 1), log: log,
		local: slots{now: time.Now}, shares: shares{now: time.Now, slots: slots{now: time.Now}},
	}
	p.instances.Store(int64(p.most))
	return p
}

// Take takes the lane's next slot if it comes within patience, and returns its
// time. Otherwise it takes none, and returns when to ask again: a different
// time for each caller. While Redis is away, that may be within patience.
func (p *Pacer) Take(ctx context.Context, patience time.Duration) (at time.Time, taken bool) {
	lasts := valid
	if p.most == 1 {
		lasts = 0 // it needs no share
	}
	a, err := p.ask(ctx, patience, lasts)
	if err == nil && (a.taken && a.took > slowAnswer || a.late) {
		a, err = p.ask(ctx, patience, lasts)
	}
	if err == nil {
		return a.at, a.taken
	}
	away := p.shares.failed()
	if p.alone() {
		p.logAway(ctx, "pacing without Redis until it is back", err)
		return p.local.take(p.interval(), patience)
	}
	if at, taken, ok := p.shares.take(p.lane.RPM, patience); ok {
		p.logAway(ctx, "pacing by this instance's share until Redis is back", err)
		return at, taken
	}
	p.logAway(ctx, "no slots until Redis is back: other instances may have it", err)
	again := min(max(away/4, againFirst), againLast)
	return p.local.now().Add(again/2 + rand.N(again)), false
}

// Return gives back a slot that was taken and cannot be used, so that another
// caller gets it. It does nothing if the slot's time has passed, or Redis does
// not answer.
func (p *Pacer) Return(ctx context.Context, at time.Time) {
	slot := p.clock.atLeast(at)
	if slot == 0 || !at.After(p.local.now()) {
		return
	}
	_ = p.redis.Do(ctx, "give a slot back", askTimeout, func(ctx context.Context, r *goredis.Client) error {
		key := p.key("returned")
		_, err := r.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
			pipe.ZAdd(ctx, key, goredis.Z{Score: float64(slot), Member: slot})
			pipe.PExpire(ctx, key, returnedFor)
			return nil
		})
		return err
	}) // the slot is lost, and the circuit has logged it
}

// Leave gives up this instance's share, so that the others need not keep it
// free. No slot may be taken after it. It asks Redis nothing if it never did, and
// fails if Redis does not answer.
func (p *Pacer) Leave(ctx context.Context) error {
	if !p.shares.leave() {
		return nil
	}
	_, err := p.ask(ctx, -1, 0)
	return err
}

// logAway logs a failure of Redis, once for each question.
func (p *Pacer) logAway(ctx context.Context, what string, err error) {
	if !errors.Is(err, redis.ErrResting) {
		p.log.WarnContext(ctx, what, "lane", p.lane.Name, "instances", p.instances.Load(), "error", err)
	}
}

// An answer is what Redis said of the next slot.
type answer struct {
	at    time.Time // on this process' clock, and never too early
	taken bool
	late  bool          // Redis came to the question too late, and took no slot
	took  time.Duration // how long Redis took to answer
}

// values is how many values the script returns, and late its first one if the
// question came too late.
const (
	values = 7
	late   = 2
)

// ask takes a slot in Redis, or none if the next one is further away than
// patience. lasts is how long the share lasts that Redis gives.
func (p *Pacer) ask(ctx context.Context, patience, lasts time.Duration) (a answer, err error) {
	asked := p.local.now()
	var got []int64
	err = p.redis.Do(ctx, "take a slot", askTimeout, func(ctx context.Context, r *goredis.Client) error {
		held := p.shares.report()
		got, err = takeScript.Run(ctx, r, []string{p.key("next"), p.key("later"), p.key("shares"), p.key("returned")},
			p.interval().Microseconds(), patience.Microseconds(), p.instance,
			p.local.ahead().Microseconds(), p.most == 1, quiet.Microseconds(), lasts.Microseconds(),
			held.of, held.redisFrom, held.out, held.outFor.Microseconds(), quiet.Microseconds(),
			farthest.Microseconds(), memory.Milliseconds(), p.clock.atMost(asked.Add(askTimeout)),
			p.local.owes(), p.clock.lastSlot()).Int64Slice()
		if err == nil && len(got) != values {
			err = fmt.Errorf("lane: %d values from the pacer's script", len(got))
		}
		return err
	})
	if err != nil {
		return answer{}, err
	}
	answered := p.local.now()
	a = answer{
		at: answered.Add(time.Duration(got[1]) * time.Microsecond), taken: got[0] == 1, took: answered.Sub(asked),
	}
	now, from, till := got[3], got[5], got[6]
	p.clock.note(now, asked, answered)
	if a.late = got[0] == late; a.late {
		return a, nil
	}
	if a.taken {
		p.clock.noteSlot(now + got[1])
		p.local.notBefore(a.at.Add(p.interval()))
	}
	p.instances.Store(max(got[2], 1))
	p.shares.renew(share{
		of: got[4], redisFrom: from, redisAnswer: now,
		from: answered.Add(time.Duration(from-now) * time.Microsecond),
		till: asked.Add(time.Duration(till-now) * time.Microsecond),
	})
	return a, nil
}

// key returns the name of one of the lane's keys in Redis.
func (p *Pacer) key(name string) string { return "lane:" + p.lane.Name + ":" + name }

// alone reports whether there is no other instance.
func (p *Pacer) alone() bool { return p.most == 1 && p.instances.Load() == 1 }

// interval returns the time between two slots of the lane.
func (p *Pacer) interval() time.Duration {
	return time.Duration(float64(time.Minute) / (float64(p.lane.RPM) * (1 - headroom)))
}
