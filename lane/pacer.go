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
	// headroom is the part of the quota left unused. The provider's window is
	// not published; one per cent leaves 0.6 s a minute for the difference
	// between the slowest and the fastest network path of two requests, at
	// every rate.
	headroom = 0.01

	// askTimeout bounds one question to Redis.
	askTimeout = time.Second
	// memory is how long Redis remembers a lane's next slot: far longer than
	// any interval, since a lane without memory starts with a wait of one.
	memory = 24 * time.Hour
	// present is for how long an instance counts after it last asked.
	present = 2 * time.Minute
)

// takeScript is slots.take on Redis' clock, for all instances. Times are in
// microseconds.
//
// A next slot that is not known counts as one interval away: Redis may have
// lost it right after it was taken. One further away than can be comes of a
// clock that was set back, and counts the same. ARGV[3] is how far away the
// caller knows it to be.
//
// The instances that asked lately are counted, because they share the quota
// when Redis is away.
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

// A Pacer spaces the requests of a lane evenly, whatever bursts its queue
// sends, over all instances. It is the generic cell rate algorithm without a
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
// names this process; instances is how many there are taken to be as long as
// Redis has never said.
func NewPacer(l Lane, client *redis.Client, instance string, instances int, log *slog.Logger) *Pacer {
	p := &Pacer{lane: l, redis: client, instance: instance, log: log, local: slots{now: time.Now}}
	p.instances.Store(int64(max(instances, 1)))
	return p
}

// Take takes the lane's next slot if it comes within patience, and returns how
// long to wait for it. Else it takes none, and returns when to come back: a
// time of its own for each caller.
func (p *Pacer) Take(ctx context.Context, patience time.Duration) (wait time.Duration, taken bool) {
	wait, taken, err := p.ask(ctx, patience)
	if err == nil {
		return wait, taken
	}
	if !errors.Is(err, redis.ErrResting) {
		p.log.WarnContext(ctx, "pacing by this instance's share until Redis is back",
			"lane", p.lane.Name, "instances", p.instances.Load(), "error", err)
	}
	return p.local.take(p.share(), patience)
}

// ask takes a slot in Redis.
func (p *Pacer) ask(ctx context.Context, patience time.Duration) (wait time.Duration, taken bool, err error) {
	key := "lane:" + p.lane.Name + ":"
	var answer []int64
	err = p.redis.Do(ctx, "take a slot", askTimeout, func(ctx context.Context, r *goredis.Client) error {
		answer, err = takeScript.Run(ctx, r, []string{key + "next", key + "later", key + "instances"},
			p.interval().Microseconds(), patience.Microseconds(), p.local.ahead().Microseconds(),
			memory.Milliseconds(), p.instance, present.Microseconds()).Int64Slice()
		if err == nil && len(answer) != 3 {
			err = fmt.Errorf("lane: %d values from the pacer's script", len(answer))
		}
		return err
	})
	if err != nil {
		return 0, false, err
	}
	p.instances.Store(max(answer[2], 1))
	wait, taken = time.Duration(answer[1])*time.Microsecond, answer[0] == 1
	if taken {
		p.local.used(wait, p.interval())
	}
	return wait, taken, nil
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
