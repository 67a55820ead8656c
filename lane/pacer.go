package lane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	// memory is how long Redis remembers a lane's next slot. It is far longer
	// than any interval, since a lane without memory starts with a wait of one
	// interval.
	memory = 24 * time.Hour
	// present is for how long an instance counts after it last asked.
	present = 2 * time.Minute
)

// takeScript does what slots.take does, on Redis' clock and for all instances.
// Times are in microseconds.
//
// If the next slot is not known, it counts as one interval away: Redis may have
// lost it right after it was taken. The same holds if it is further away than
// is possible: then the clock was set back. ARGV[3] is how far away the next
// slot is, as far as the caller knows.
//
// The script also counts the instances that asked lately, because they share
// the quota while Redis is away.
var takeScript = goredis.NewScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, patience, known = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function keep(key, value)
  redis.call('SET', key, string.format('%.0f', value), 'PX', ARGV[4])
end
redis.call('ZADD', KEYS[3], now, ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now - tonumber(ARGV[6])))
redis.call('PEXPIRE', KEYS[3], ARGV[4])
local instances = redis.call('ZCARD', KEYS[3])
local nextslot = tonumber(redis.call('GET', KEYS[1]) or '')
if not nextslot or nextslot > now + patience + interval then
  nextslot = now + interval
end
nextslot = math.max(nextslot, now + known)
if nextslot - now <= patience then
  keep(KEYS[1], nextslot + interval)
  return {1, math.floor(nextslot - now), instances}
end
local later = tonumber(redis.call('GET', KEYS[2]) or '') or 0
if later < nextslot or later > now + 86400000000 then
  later = nextslot
end
keep(KEYS[2], later + interval)
return {0, math.floor(later - now), instances}`)

// A Pacer spaces the requests of a lane evenly over all instances, whatever
// bursts its queue sends. It is the generic cell rate algorithm without a
// burst, in one Redis script on Redis' clock. While Redis is away, each
// instance keeps to its share of the quota.
type Pacer struct {
	lane      Lane
	redis     *redis.Client
	instance  string // names this process among the instances
	instances atomic.Int64
	local     slots
	log       *slog.Logger
}

// NewPacer returns a pacer for the lane, whose RPM must be positive. instance
// names this process. instances is the assumed number of processes until Redis
// has told it.
func NewPacer(l Lane, client *redis.Client, instance string, instances int, log *slog.Logger) *Pacer {
	p := &Pacer{lane: l, redis: client, instance: instance, log: log, local: slots{now: time.Now}}
	p.instances.Store(int64(max(instances, 1)))
	return p
}

// Take takes the lane's next slot if it comes within patience, and returns its
// time. Otherwise it takes none, and returns when to ask again: a different
// time for each caller.
func (p *Pacer) Take(ctx context.Context, patience time.Duration) (at time.Time, taken bool) {
	a, err := p.ask(ctx, patience)
	if err == nil && a.taken && a.took > slowAnswer {
		a, err = p.ask(ctx, patience)
	}
	if err == nil {
		return a.at, a.taken
	}
	if !errors.Is(err, redis.ErrResting) {
		p.log.WarnContext(ctx, "pacing by this instance's share until Redis is back",
			"lane", p.lane.Name, "instances", p.instances.Load(), "error", err)
	}
	return p.local.take(p.share(), patience)
}

// An answer is what Redis said of the next slot.
type answer struct {
	at    time.Time // on this process' clock, and never too early
	taken bool
	took  time.Duration // how long Redis took to answer
}

// ask takes a slot in Redis, or none if the next one is further away than
// patience.
func (p *Pacer) ask(ctx context.Context, patience time.Duration) (a answer, err error) {
	key := "lane:" + p.lane.Name + ":"
	asked := p.local.now()
	var values []int64
	err = p.redis.Do(ctx, "take a slot", askTimeout, func(ctx context.Context, r *goredis.Client) error {
		values, err = takeScript.Run(ctx, r, []string{key + "next", key + "later", key + "instances"},
			p.interval().Microseconds(), patience.Microseconds(), p.local.ahead().Microseconds(),
			memory.Milliseconds(), p.instance, present.Microseconds()).Int64Slice()
		if err == nil && len(values) != 3 {
			err = fmt.Errorf("lane: %d values from the pacer's script", len(values))
		}
		return err
	})
	if err != nil {
		return answer{}, err
	}
	p.instances.Store(max(values[2], 1))
	answered := p.local.now()
	a = answer{
		at: answered.Add(time.Duration(values[1]) * time.Microsecond), taken: values[0] == 1, took: answered.Sub(asked),
	}
	if a.taken {
		p.local.noteTaken(a.at, p.interval())
	}
	return a, nil
}

// interval returns the time between two slots of the lane.
func (p *Pacer) interval() time.Duration {
	return time.Duration(float64(time.Minute) / (float64(p.lane.RPM) * (1 - headroom)))
}

// share returns the time between two slots of this instance while it cannot ask
// the others. Their slots may coincide, so each instance leaves one request of
// its share unused: n instances with k slots a minute send up to n*(k+1) in
// some minute.
func (p *Pacer) share() time.Duration {
	n := float64(p.instances.Load())
	if n == 1 {
		return p.interval()
	}
	perMinute := float64(p.lane.RPM)*(1-headroom)/n - 1
	if perMinute < 1/n {
		perMinute = 1 / n // a quota smaller than the number of instances
	}
	return time.Duration(float64(time.Minute) / perMinute)
}
