package redis

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/status"
)

// putScript stores a snapshot and tells of it, unless a newer one is there.
// The same version again is stored, which makes it young, but told of once.
//
// The version is taken from the text, since decoding it would fail on metadata
// that is nested deeply. The pattern cannot match inside a JSON string, where
// quotes are escaped, and "version" comes before the caller's metadata.
var putScript = goredis.NewScript(`
local stored = redis.call('GET', KEYS[1])
local version = stored and tonumber(string.match(stored, '"version":(%d+)')) or 0
if version > tonumber(ARGV[2]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
if version == tonumber(ARGV[2]) then
  return 0
end
redis.call('PUBLISH', KEYS[2], ARGV[1])
return 1`)

// getScript reads a snapshot and the milliseconds it has left.
var getScript = goredis.NewScript(`return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}`)

const (
	// restAfterError is for how long Redis is left alone once it failed, so
	// that its outage does not cost every request a time-out.
	restAfterError = 2 * time.Second
	// opTimeout bounds one operation, its retry and a new connection included.
	opTimeout = 2 * time.Second
	// makeUpAtOnce bounds how many of the snapshots that Redis missed one change
	// brings along, since somebody waits for it.
	makeUpAtOnce = 16
	// maxMissed bounds the snapshots remembered while Redis is away. Beyond
	// it readers rely on MaxAge alone.
	maxMissed = 10_000
)

// cache is Redis as a place for snapshots that may be missing at any time.
type cache struct {
	client *goredis.Client
	log    *slog.Logger

	restUntil atomic.Int64 // Unix nanoseconds; no command is sent before

	mu     sync.Mutex
	missed map[string]status.Snapshot // newest snapshot of each job that Redis did not get
}

func newCache(client *goredis.Client, log *slog.Logger) *cache {
	return &cache{client: client, log: log, missed: make(map[string]status.Snapshot)}
}

// put stores a snapshot, or remembers it for when Redis is back.
func (c *cache) put(ctx context.Context, snap status.Snapshot) {
	if !c.store(ctx, snap) {
		c.remember(snap)
		return
	}
	c.makeUp(ctx)
}

// store reports whether Redis has the snapshot, or a newer one.
func (c *cache) store(ctx context.Context, snap status.Snapshot) bool {
	keys := []string{SnapshotKey(snap.ID), EventsChannel(snap.ID)}
	return c.do(ctx, "store a snapshot", func(ctx context.Context) error {
		return putScript.Run(ctx, c.client, keys, snap.JSON, snap.Version, TTL.Milliseconds()).Err()
	})
}

// get returns the snapshot of a job, if there is one to be believed.
func (c *cache) get(ctx context.Context, id string) (status.Snapshot, bool) {
	var answer []any
	ok := c.do(ctx, "read a snapshot", func(ctx context.Context) (err error) {
		answer, err = getScript.Run(ctx, c.client, []string{SnapshotKey(id)}).Slice()
		return err
	})
	if !ok || len(answer) != 2 {
		return status.Snapshot{}, false
	}
	doc, isString := answer[0].(string)
	left, isNumber := answer[1].(int64)
	if !isString || !isNumber {
		return status.Snapshot{}, false
	}
	snap, err := status.ParseSnapshot([]byte(doc))
	if err != nil || snap.ID != id {
		return status.Snapshot{}, false
	}
	age := TTL - time.Duration(left)*time.Millisecond
	return snap, snap.Status.Terminal() || age <= MaxAge
}

// subscribe signals every new snapshot of a job, until stop is called. Without
// Redis it never signals.
func (c *cache) subscribe(ctx context.Context, id string) (signal <-chan *goredis.Message, stop func()) {
	var sub *goredis.PubSub
	ok := c.do(ctx, "subscribe to a job", func(ctx context.Context) error {
		sub = c.client.Subscribe(ctx, EventsChannel(id))
		_, err := sub.Receive(ctx) // what happens from here on is not missed
		if err != nil {
			_ = sub.Close()
		}
		return err
	})
	if !ok {
		return nil, func() {}
	}
	return sub.Channel(pingRarely()), func() { _ = sub.Close() }
}

// tell tells all instances that a job was canceled.
func (c *cache) tell(ctx context.Context, id string) {
	c.do(ctx, "tell of a canceled job", func(ctx context.Context) error {
		return c.client.Publish(ctx, CancelChannel, id).Err()
	})
}

// do runs one operation, unless Redis is being left alone. It reports success;
// a failure is logged here and has no other consequence.
func (c *cache) do(ctx context.Context, what string, op func(context.Context) error) bool {
	if time.Now().UnixNano() < c.restUntil.Load() {
		return false
	}
	// A caller that goes away must not look like an outage.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), opTimeout)
	defer cancel()
	err := op(ctx)
	if err == nil || errors.Is(err, goredis.Nil) {
		return true
	}
	c.restUntil.Store(time.Now().Add(restAfterError).UnixNano())
	c.log.WarnContext(ctx, "Redis is not answering; serving from the record", "operation", what, "error", err)
	return false
}

// remember keeps a snapshot that Redis did not get.
func (c *cache) remember(snap status.Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, known := c.missed[snap.ID]
	if old.Version > snap.Version || !known && len(c.missed) >= maxMissed {
		return
	}
	c.missed[snap.ID] = snap
}

// makeUp stores some of what Redis missed. It stops at the first failure.
func (c *cache) makeUp(ctx context.Context) {
	for range makeUpAtOnce {
		snap, ok := c.takeMissed()
		if !ok {
			return
		}
		if !c.store(ctx, snap) {
			c.remember(snap)
			return
		}
	}
}

// takeMissed removes one of the remembered snapshots.
func (c *cache) takeMissed() (status.Snapshot, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, snap := range c.missed {
		delete(c.missed, id)
		return snap, true
	}
	return status.Snapshot{}, false
}

// pingRarely keeps a subscription's checks of its connection, every one a
// command that is billed, below the rate of its messages.
func pingRarely() goredis.ChannelOption {
	return goredis.WithChannelHealthCheckInterval(time.Minute)
}
