package snapshot

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/redis"
)

const (
	// linger is for how long the subscription stays after the last listener
	// left. While there is work, one subscription serves all of it.
	linger = 30 * time.Second
	// subscribeTimeout bounds one command of the subscription.
	subscribeTimeout = 2 * time.Second
	// subscribeAgain is after what time a command of the subscription that
	// failed is repeated.
	subscribeAgain = 2 * time.Second
)

// events lets a process hear what is published, over one subscription for all
// its listeners. The subscription exists only while somebody listens. It is a
// shortcut: without Redis nothing is heard, and listeners look at the record
// themselves.
type events struct {
	redis *redis.Client
	again *time.Timer // wakes run after a command that failed; only run uses it

	mu        sync.Mutex
	listeners map[string]map[*listener]bool // by channel
	heard     map[string]bool               // channels that the server confirmed
	changed   chan struct{}                 // tells run of new and removed channels; nil while run does not run
}

// A listener is called for each message of one channel.
type listener struct {
	call  func(payload string)
	ready chan struct{} // closed once the channel is heard, or cannot be heard
	again chan struct{} // receives if the channel is heard anew: something may have been missed
	once  sync.Once
}

func (l *listener) settle() { l.once.Do(func() { close(l.ready) }) }

// confirm tells the listener that its channel is heard from now on.
func (l *listener) confirm() {
	select {
	case <-l.ready:
		select {
		case l.again <- struct{}{}:
		default: // it has not looked since the last time
		}
	default:
		l.settle()
	}
}

func newEvents(client *redis.Client) *events {
	return &events{redis: client, listeners: make(map[string]map[*listener]bool), heard: make(map[string]bool)}
}

// listen calls f with everything that is published on the channel, one message
// at a time, until stop is called. f must not block: all listeners wait for it.
// listen itself does not wait.
func (e *events) listen(ctx context.Context, channel string, f func(payload string)) (l *listener, stop func()) {
	l = &listener{call: f, ready: make(chan struct{}), again: make(chan struct{}, 1)}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listeners[channel] == nil {
		e.listeners[channel] = make(map[*listener]bool)
	}
	e.listeners[channel][l] = true
	if e.heard[channel] {
		l.settle()
	}
	if e.changed == nil {
		e.changed = make(chan struct{}, 1)
		go e.run(context.WithoutCancel(ctx), e.changed)
	}
	e.signal()
	return l, func() { e.remove(channel, l) }
}

// hears reports whether what is published on the channel is heard now, as far as
// this process knows.
func (e *events) hears(channel string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[channel] && !e.redis.Failing()
}

// signal wakes run, if it runs. The caller must hold the mutex.
func (e *events) signal() {
	select {
	case e.changed <- struct{}{}:
	default: // run does not run, or is about to look anyway
	}
}

func (e *events) lockAndSignal() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.signal()
}

func (e *events) remove(channel string, l *listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.listeners[channel], l)
	if len(e.listeners[channel]) > 0 {
		return
	}
	delete(e.listeners, channel)
	e.signal()
}

// run keeps the subscription until nobody has listened for a while.
func (e *events) run(ctx context.Context, changed <-chan struct{}) {
	sub, messages := e.redis.NewSubscription(ctx)
	defer func() { _ = sub.Close() }()
	subscribed := make(map[string]bool)
	idle := time.NewTimer(linger)
	defer idle.Stop()
	for {
		select {
		case <-changed:
			e.subscribe(ctx, sub, subscribed)
			idle.Reset(linger)
		case m, open := <-messages:
			if !open { // the client is closed
				e.end(true)
				return
			}
			e.deliver(m)
		case <-idle.C:
			if e.end(false) {
				return
			}
			idle.Reset(linger)
		}
	}
}

// subscribe subscribes to the channels that have new listeners, and
// unsubscribes from those that have none any more, with one command for each.
// It keeps the channel of cancellations: every attempt listens to it.
func (e *events) subscribe(ctx context.Context, sub *goredis.PubSub, subscribed map[string]bool) {
	e.mu.Lock()
	var added, gone []string
	for channel := range e.listeners {
		if !subscribed[channel] {
			added = append(added, channel)
		}
	}
	for channel := range subscribed {
		if len(e.listeners[channel]) == 0 && channel != CancelChannel {
			gone = append(gone, channel)
			delete(e.heard, channel)
		}
	}
	e.mu.Unlock()
	for _, channel := range gone {
		delete(subscribed, channel)
	}
	if len(gone) > 0 {
		_ = e.sendCommand(ctx, "unsubscribe", sub.Unsubscribe, gone) // on failure, more is heard than is listened to
	}
	if len(added) == 0 {
		return
	}
	if e.sendCommand(ctx, "subscribe", sub.Subscribe, added) != nil {
		e.settle(added)
		if e.again != nil {
			e.again.Stop() // one is enough, however many have tried
		}
		e.again = time.AfterFunc(subscribeAgain, e.lockAndSignal)
		return
	}
	for _, channel := range added {
		subscribed[channel] = true // when it connects again, the client subscribes again
	}
}

func (e *events) sendCommand(
	ctx context.Context, what string, send func(context.Context, ...string) error, channels []string,
) error {
	return e.redis.Do(ctx, what, subscribeTimeout, func(ctx context.Context, _ *goredis.Client) error {
		return send(ctx, channels...)
	})
}

// settle tells the listeners of channels that they need not wait any longer.
func (e *events) settle(channels []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, channel := range channels {
		for l := range e.listeners[channel] {
			l.settle()
		}
	}
}

// deliver hands a message to the listeners of its channel. If the server
// confirms a subscription, deliver notes that the channel is heard. The client
// subscribes again when it has lost its connection, which is confirmed again.
func (e *events) deliver(m any) {
	switch m := m.(type) {
	case *goredis.Message:
		for _, l := range e.of(m.Channel) {
			l.call(m.Payload)
		}
	case *goredis.Subscription:
		if m.Kind != "subscribe" {
			return
		}
		e.mu.Lock()
		if len(e.listeners[m.Channel]) > 0 || m.Channel == CancelChannel {
			e.heard[m.Channel] = true
		}
		e.mu.Unlock()
		for _, l := range e.of(m.Channel) {
			l.confirm()
		}
	}
}

func (e *events) of(channel string) []*listener {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Keys(e.listeners[channel]))
}

// end ends the subscription unless somebody listens. If forced is set, it ends
// it in any case. It reports whether it did.
func (e *events) end(forced bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) > 0 && !forced {
		return false
	}
	for _, of := range e.listeners {
		for l := range of {
			l.settle()
		}
	}
	e.changed = nil
	clear(e.heard)
	return true
}
