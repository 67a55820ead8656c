// Package redis is a process' way to Redis: one client with short time-outs,
// and one circuit that leaves a server alone while it fails. It also says what
// is wrong with a server. It knows no key and no message: those belong to the
// packages that use it.
package redis

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	dialTimeout = time.Second
	ioTimeout   = 500 * time.Millisecond
	maxRetries  = 1

	// rest is for how long Redis is left alone after a failure, so that its
	// outage does not cost every request a time-out.
	rest = 2 * time.Second
	// grace is how long a command goes on after its context has ended. A caller
	// that goes away must not look like an outage, and an outage must not hold
	// it up.
	grace = 500 * time.Millisecond
	// pingInterval is the time between a subscription's checks of its
	// connection. Each is a command that is billed, so there should be fewer of
	// them than messages.
	pingInterval = time.Minute
)

var (
	// ErrBadURL means that the URL cannot be parsed. The parser's own words are
	// left out, because they can quote the password.
	ErrBadURL = errors.New("redis: REDIS_URL is not a valid URL; it looks like rediss://default:password@host:6379")
	// ErrResting means that Redis failed a moment ago and was not asked again
	// yet.
	ErrResting = errors.New("redis: left alone after a failure")
)

// Nil is the answer for a key that does not exist. It is no failure.
const Nil = goredis.Nil

// A Client is one process' way to a Redis server. While the server fails, the
// client leaves it alone for a while at a time, for all its users. It is safe
// for concurrent use.
type Client struct {
	server *goredis.Client
	log    *slog.Logger

	mu      sync.Mutex
	failing bool
	retryAt time.Time // while failing: no command is sent before this time
	trying  bool      // while failing: one command is finding out whether the server works again
}

// NewClient returns a client of the server at url. It connects on first use.
func NewClient(url string, log *slog.Logger) (*Client, error) {
	opts, err := goredis.ParseURL(url)
	if err != nil {
		return nil, ErrBadURL
	}
	opts.DialTimeout = dialTimeout
	opts.ReadTimeout = ioTimeout
	opts.WriteTimeout = ioTimeout
	opts.MaxRetries = maxRetries
	opts.DialerRetries = 1
	opts.ContextTimeoutEnabled = true
	// Upstash knows neither CLIENT SETINFO nor maintenance notifications, and
	// it bills every command.
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &Client{server: goredis.NewClient(opts), log: log}, nil
}

// Close closes all connections.
func (c *Client) Close() error { return c.server.Close() }

// Do runs op, which sends commands to the server, for at most timeout, and for
// a little longer than ctx. While the server is left alone, Do fails with
// ErrResting and does not run op. An error of op other than Nil begins such a
// rest, unless ctx has ended. what names op in the log.
func (c *Client) Do(
	ctx context.Context, what string, timeout time.Duration, op func(context.Context, *goredis.Client) error,
) error {
	admitted, tries := c.admit()
	if !admitted {
		return ErrResting
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	defer stop()
	err := op(limited, c.server)
	c.note(ctx, what, tries, err)
	return err
}

// Failing reports whether the server did not answer last. It sends nothing.
func (c *Client) Failing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failing
}

// admit reports whether the caller may send a command now, and whether it is
// the one that tries the server. Once a rest is over, one caller does while the
// others go on without Redis. So an outage holds up one request at a time.
func (c *Client) admit() (admitted, tries bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.failing {
		return true, false
	}
	if c.trying || time.Now().Before(c.retryAt) {
		return false, false
	}
	c.trying = true
	return true, true
}

// note records how a command ended, and logs it if that is new. An error of a
// command whose caller has ended says nothing of the server.
func (c *Client) note(ctx context.Context, what string, tried bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if tried {
		c.trying = false
	}
	switch {
	case err == nil || errors.Is(err, Nil):
		if c.failing {
			c.log.InfoContext(ctx, "Redis answers again")
		}
		c.failing = false
	case ctx.Err() == nil:
		c.failing, c.retryAt = true, time.Now().Add(rest)
		c.log.WarnContext(ctx, "Redis is not answering; going on without it", "operation", what, "error", err)
	}
}

// NewSubscription returns a subscription to no channel yet, on a connection of
// its own, and the channel of its messages. These tell both what is published
// and what is subscribed to.
func (c *Client) NewSubscription(ctx context.Context) (*goredis.PubSub, <-chan any) {
	sub := c.server.Subscribe(ctx)
	return sub, sub.ChannelWithSubscriptions(goredis.WithChannelHealthCheckInterval(pingInterval))
}
