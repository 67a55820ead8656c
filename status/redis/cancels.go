package redis

import (
	"context"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// linger is for how long the subscription stays after the last watcher left:
// while there is work, one serves all of it.
const linger = 30 * time.Second

// cancels lets work learn at once that its job was canceled. All watchers of a
// process share one subscription, which exists only while there is any.
//
// It is a shortcut: without Redis, work learns the same when it renews its
// lease.
type cancels struct {
	cache *cache

	mu       sync.Mutex
	watchers map[string]map[*func()]struct{} // by job
	sub      *goredis.PubSub
	closing  *time.Timer
}

// OnCancel calls f once the job is canceled, perhaps more than once, until stop
// is called.
func (c *cancels) OnCancel(ctx context.Context, jobID string, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watchers == nil {
		c.watchers = make(map[string]map[*func()]struct{})
	}
	if c.watchers[jobID] == nil {
		c.watchers[jobID] = make(map[*func()]struct{})
	}
	c.watchers[jobID][&f] = struct{}{}
	if c.closing != nil {
		c.closing.Stop()
		c.closing = nil
	}
	if c.sub == nil {
		c.subscribe(ctx)
	}
	return func() { c.remove(jobID, &f) }
}

// subscribe opens the subscription; the client keeps it open from then on.
func (c *cancels) subscribe(ctx context.Context) {
	c.sub = c.cache.client.Subscribe(context.WithoutCancel(ctx), CancelChannel)
	go func(messages <-chan *goredis.Message) {
		for m := range messages {
			c.call(m.Payload)
		}
	}(c.sub.Channel(pingRarely()))
}

// call calls the watchers of a job.
func (c *cancels) call(jobID string) {
	c.mu.Lock()
	var calls []func()
	for f := range c.watchers[jobID] {
		calls = append(calls, *f)
	}
	c.mu.Unlock()
	for _, f := range calls {
		f()
	}
}

func (c *cancels) remove(jobID string, f *func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watchers[jobID], f)
	if len(c.watchers[jobID]) == 0 {
		delete(c.watchers, jobID)
	}
	if len(c.watchers) == 0 && c.closing == nil {
		c.closing = time.AfterFunc(linger, c.unsubscribe)
	}
}

// unsubscribe closes the subscription, unless somebody watches again.
func (c *cancels) unsubscribe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.watchers) > 0 || c.sub == nil {
		return
	}
	_ = c.sub.Close()
	c.sub, c.closing = nil, nil
}
