// Package client calls the service's API as the npm package does: it repeats a
// request that was lost, and never pays for one twice. It knows HTTP, and nothing
// of who asked.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Config says how to reach the service.
type Config struct {
	URL string // such as https://images.example.com
	Key string // API key; empty for a service that has none
	// IsGuess means that nobody named URL. As long as nothing listens there, a
	// request fails at once: nobody is about to start what is not known to exist.
	IsGuess bool
	HTTP    http.RoundTripper // nil is the usual one
	// OnRetry is called before a request is sent again; nil is for nobody.
	OnRetry func(after time.Duration, reason error)
}

// A Client calls the API of one service. It is safe for concurrent use.
type Client struct {
	base    string
	key     string
	isGuess bool
	http    *http.Client
	onRetry func(time.Duration, error)
}

// printable matches what a header can hold, without spaces. A terminal takes none of
// it for a command.
var printable = regexp.MustCompile(`^[!-~]*$`)

// New returns a client. It sends nothing yet.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("the address of the service must be an http or https URL, such as https://images.example.com")
	}
	if !printable.MatchString(cfg.Key) {
		return nil, errors.New("the API key must be ASCII without spaces, as a header can hold it")
	}
	onRetry := cfg.OnRetry
	if onRetry == nil {
		onRetry = func(time.Duration, error) {}
	}
	return &Client{
		base: strings.TrimRight(cfg.URL, "/"), key: cfg.Key, isGuess: cfg.IsGuess, onRetry: onRetry,
		// A redirect could turn a POST into a GET.
		http: &http.Client{
			Transport:     cfg.HTTP,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// generatePath takes requests for pictures.
const generatePath = "/api/generate-images"

// Generate asks for pictures, and returns the job. key is the Idempotency-Key:
// the same body under the same key is one job, however often it is sent.
func (c *Client) Generate(ctx context.Context, key string, body []byte) (Job, error) {
	return c.job(ctx, call{method: http.MethodPost, path: generatePath, body: body, header: map[string]string{
		"Content-Type": "application/json", "Idempotency-Key": key,
	}})
}

// Quote tells what a request would cost, whose DryRun must be set.
func (c *Client) Quote(ctx context.Context, body []byte) (q Quote, err error) {
	err = c.send(ctx, call{
		method: http.MethodPost, path: generatePath, body: body, header: map[string]string{"Content-Type": "application/json"},
	}, decode(&q))
	return q, err
}

// Get returns a job.
func (c *Client) Get(ctx context.Context, id string) (Job, error) {
	return c.job(ctx, call{method: http.MethodGet, path: jobPath(id)})
}

// Cancel ends a job, and returns it. A job that has ended is left as it is.
func (c *Client) Cancel(ctx context.Context, id string) (Job, error) {
	return c.job(ctx, call{method: http.MethodPost, path: jobPath(id) + "/cancel"})
}

// Retry asks for what failed again, and returns the new job: one for each
// Idempotency-Key.
func (c *Client) Retry(ctx context.Context, key, id string) (Job, error) {
	return c.job(ctx, call{
		method: http.MethodPost, path: jobPath(id) + "/retry", header: map[string]string{"Idempotency-Key": key},
	})
}

// Delete removes a job that has ended. If an earlier try of the same call may have
// arrived, a job that is not there is taken for removed.
func (c *Client) Delete(ctx context.Context, id string) error {
	repeated := false
	err := c.send(ctx, call{
		method: http.MethodDelete, path: jobPath(id), onRetry: func() { repeated = true },
	}, func(*http.Response) error { return nil })
	if refusal, ok := errors.AsType[*Error](err); repeated && ok && refusal.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// job sends a request that a job answers.
func (c *Client) job(ctx context.Context, what call) (j Job, err error) {
	err = c.send(ctx, what, decode(&j))
	return j, err
}

// decode returns a function that reads an answer's JSON into v.
func decode(v any) func(*http.Response) error {
	return func(answer *http.Response) error {
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, v)
	}
}

func jobPath(id string) string { return "/api/jobs/" + url.PathEscape(id) }
