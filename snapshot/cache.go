package snapshot

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/redis"
)

// Key returns the key under which Redis keeps the snapshot of a job, a JSON
// string.
func Key(id string) string { return "job:" + id }

// VersionKey returns the key under which Redis keeps the version of that
// snapshot, a number.
func VersionKey(id string) string { return "job:" + id + ":version" }

// EventsChannel returns the channel on which every new snapshot of a job is
// published.
func EventsChannel(id string) string { return "job:" + id + ":events" }

// CancelChannel is the channel on which the ID of every canceled job is
// published.
const CancelChannel = "jobs:canceled"

const (
	// TTL is how long a snapshot stays after its last change, or a little less.
	// The npm package's route for Next.js tells the age of a snapshot by it
	// (client/src/next/snapshots.ts).
	TTL = 24 * time.Hour
	// MaxAge is how long the snapshot of an unfinished job is believed. A
	// reader learns of a change that Redis missed after this time at the
	// latest. The snapshot of a finished job is final.
	MaxAge = 5 * time.Second

	// opTimeout bounds one operation, with its retry and a new connection.
	opTimeout = 2 * time.Second
	// makeUpAtOnce bounds how many snapshots that Redis missed are stored after
	// one change. Somebody waits for the change meanwhile.
	makeUpAtOnce = 16
	// maxMissed bounds the snapshots that are remembered while Redis is away, in
	// bytes. For the rest, readers rely on MaxAge alone.
	maxMissed = 32 << 20
)

// putScript stores a snapshot with its version and publishes it, unless a newer
// one is there. If the same version is there already, it is stored again, which
// makes it young, but not published again.
var putScript = goredis.NewScript(`
local stored = tonumber(redis.call('GET', KEYS[2]) or '') or 0
local version = tonumber(ARGV[2])
if stored > version then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
if stored == version then
  return 0
end
redis.call('PUBLISH', KEYS[3], ARGV[1])
return 1`)

// getScript reads a snapshot and for how many milliseconds it will still be
// kept.
var getScript = goredis.NewScript(`return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}`)

// cache keeps snapshots in Redis. Any of them may be missing at any time.
type cache struct {
	redis  *redis.Client
	missed *missed
}

func newCache(client *redis.Client) *cache {
	return &cache{redis: client, missed: newMissed(maxMissed)}
}

// put stores a snapshot in Redis, or remembers it until Redis is back.
func (c *cache) put(ctx context.Context, snap Snapshot) {
	if !c.store(ctx, snap) {
		c.missed.remember(snap)
		return
	}
	c.makeUp(ctx)
}

// store stores a snapshot in Redis, unless a newer one is there. It reports
// whether Redis has the snapshot, or a newer one, now. A partial snapshot is
// stored as one that is too old to be believed: whoever looks next reads the
// record, and so completes it.
func (c *cache) store(ctx context.Context, snap Snapshot) bool {
	lives := TTL
	if snap.partial {
		lives -= MaxAge + time.Second
	}
	keys := []string{Key(snap.ID), VersionKey(snap.ID), EventsChannel(snap.ID)}
	return c.redis.Do(ctx, "store a snapshot", opTimeout, func(ctx context.Context, r *goredis.Client) error {
		return putScript.Run(ctx, r, keys, snap.JSON, snap.Version, lives.Milliseconds()).Err()
	}) == nil
}

// get returns the snapshot of a job, and whether there is one that can be
// believed.
func (c *cache) get(ctx context.Context, id string) (Snapshot, bool) {
	var answer []any
	err := c.redis.Do(ctx, "read a snapshot", opTimeout, func(ctx context.Context, r *goredis.Client) (err error) {
		answer, err = getScript.Run(ctx, r, []string{Key(id)}).Slice()
		return err
	})
	if err != nil || len(answer) != 2 {
		return Snapshot{}, false
	}
	doc, isString := answer[0].(string)
	left, isNumber := answer[1].(int64)
	if !isString || !isNumber {
		return Snapshot{}, false
	}
	snap, err := Parse([]byte(doc))
	if err != nil || snap.ID != id {
		return Snapshot{}, false
	}
	age := TTL - time.Duration(left)*time.Millisecond
	return snap, snap.Status.Terminal() || age <= MaxAge
}

// removed is the version of a job that was removed: above all others, and the
// greatest that a number of Lua keeps exactly.
const removed = 1<<53 - 1

// drop removes the snapshot of a job that is removed. For as long as a snapshot
// lives, none of the job is stored again by whoever read it before, or remembers
// one that Redis missed. A snapshot that stays behind while Redis is away ends
// with its TTL.
func (c *cache) drop(ctx context.Context, id string) {
	c.missed.forget(id)
	_ = c.redis.Do(ctx, "remove a snapshot", opTimeout, func(ctx context.Context, r *goredis.Client) error {
		_, err := r.TxPipelined(ctx, func(p goredis.Pipeliner) error {
			p.Set(ctx, VersionKey(id), removed, TTL)
			p.Del(ctx, Key(id))
			return nil
		})
		return err
	})
}

// tellCanceled tells all instances that a job was canceled.
func (c *cache) tellCanceled(ctx context.Context, id string) {
	// An instance that misses this learns the same when it renews the lease.
	_ = c.redis.Do(ctx, "tell of a canceled job", opTimeout, func(ctx context.Context, r *goredis.Client) error {
		return r.Publish(ctx, CancelChannel, id).Err()
	})
}

// makeUp stores some of the snapshots that Redis missed. It stops at the first
// failure.
func (c *cache) makeUp(ctx context.Context) {
	for range makeUpAtOnce {
		if ctx.Err() != nil {
			return
		}
		snap, ok := c.missed.take()
		if !ok {
			return
		}
		if !c.store(ctx, snap) {
			c.missed.remember(snap)
			return
		}
	}
}
