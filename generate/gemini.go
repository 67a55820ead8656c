// Package generate asks Gemini for pictures through google.golang.org/genai, and
// says what each of its answers means for the job that asked.
//
// One call is one HTTP request. Nothing in this package repeats a request,
// because a queue's rate is the rate of requests only if every delivery sends
// one.
package generate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/genai"

	"github.com/ai-worker/ai-worker/job"
)

// googleBaseURL is spelled out because the SDK takes an empty one from the
// environment (GOOGLE_GEMINI_BASE_URL).
const googleBaseURL = "https://generativelanguage.googleapis.com/"

// Config is the settings with which one lane reaches Gemini.
type Config struct {
	APIKey    string
	BaseURL   string            // empty is Google's
	Transport http.RoundTripper // nil makes one for the lane, with time-outs for dialing
	Now       func() time.Time  // nil is time.Now
}

// Gemini generates pictures on one lane. It is safe for concurrent use.
type Gemini struct {
	client *genai.Client
	redact redactor
	now    func() time.Time
}

// NewGemini returns the Gemini of one lane. It never dials. It fails if the key
// or the base URL cannot work.
func NewGemini(ctx context.Context, cfg Config) (*Gemini, error) {
	if cfg.BaseURL == "" {
		cfg.BaseURL = googleBaseURL
	}
	if cfg.Transport == nil {
		cfg.Transport = newBaseTransport()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := errors.Join(checkKey(cfg.APIKey), checkBaseURL(cfg.BaseURL)); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	// The SDK keeps the pointer to its configuration: a fresh one for each lane.
	client, err := genai.NewClient(ctx, &genai.ClientConfig{
		APIKey:  cfg.APIKey,
		Backend: genai.BackendGeminiAPI, // if unspecified, an environment variable decides
		HTTPClient: &http.Client{
			Transport: &transport{base: cfg.Transport},
			// A followed redirect would be a second request.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPOptions: genai.HTTPOptions{
			BaseURL:      cfg.BaseURL,
			RetryOptions: nil, // anything else makes the SDK send a failed request up to five times
		},
	})
	redact := redactor{key: cfg.APIKey}
	if err != nil { // its text holds the whole configuration
		return nil, fmt.Errorf("generate: %w", redact.error(err.Error(), err))
	}
	return &Gemini{client: client, redact: redact, now: cfg.Now}, nil
}

// checkKey refuses a key that net/http would not send. Found only later, such a
// key would look like a broken network.
func checkKey(key string) error {
	if key == "" {
		return errors.New("the API key is empty")
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return errors.New("the API key holds a character that cannot be part of one, such as a space or a line break")
		}
	}
	return nil
}

func checkBaseURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("the base URL of Gemini is not an http or https URL")
	}
	return nil
}

// Generate asks for one picture with exactly one HTTP request, and returns the
// last picture of the answer that is not a draft.
//
// Its errors are *job.Failure, with one exception: once ctx was canceled, the
// error wraps context.Cause(ctx). If the deadline of ctx passed, that is not a
// cancellation but a Failure with job.CodeProviderTimeout.
func (g *Gemini) Generate(ctx context.Context, req job.Request) (job.Picture, error) {
	pic, e := g.generate(ctx, req)
	switch {
	case e == nil:
		return pic, nil
	case errors.Is(ctx.Err(), context.Canceled):
		return job.Picture{}, fmt.Errorf("generate: %w", context.Cause(ctx))
	default:
		e.late = errors.Is(ctx.Err(), context.DeadlineExceeded)
		return job.Picture{}, e.failure(g.redact, req.Model, g.now())
	}
}

// generate returns the picture, or the evidence of why there is none.
func (g *Gemini) generate(ctx context.Context, req job.Request) (job.Picture, *evidence) {
	if err := ctx.Err(); err != nil {
		return job.Picture{}, &evidence{err: err, unreached: true}
	}
	contents, err := contentsFor(req)
	if err != nil {
		return job.Picture{}, &evidence{err: err, unsent: true}
	}
	var a answer
	resp, err := g.call(a.in(ctx), req.Model, contents, configFor(req))
	if err != nil {
		return job.Picture{}, evidenceOf(&a, nil, err)
	}
	data, err := a.picture(resp)
	if err != nil || data == nil {
		return job.Picture{}, evidenceOf(&a, resp, err)
	}
	pic, err := newPicture(data, resp.ModelVersion)
	if err != nil {
		return job.Picture{}, evidenceOf(&a, resp, err)
	}
	pic.Answer = answerOf(resp, req.Model, g.now())
	return pic, nil
}

// call calls the SDK and turns its panics into errUndecodable. Its converters
// panic on JSON of an unexpected shape, such as candidates that are not an
// array.
func (g *Gemini) call(ctx context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig) (resp *genai.GenerateContentResponse, err error) {
	defer func() {
		if recover() != nil {
			resp, err = nil, errUndecodable
		}
	}()
	return g.client.Models.GenerateContent(ctx, model, contents, config)
}
