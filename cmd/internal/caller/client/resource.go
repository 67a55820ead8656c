package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// A Request is what to draw. Fields that are absent are the service's choice.
type Request struct {
	Prompt        string          `json:"prompt"`
	Model         string          `json:"model,omitempty"`
	Count         *int            `json:"count,omitempty"`
	AspectRatio   string          `json:"aspect_ratio,omitempty"`
	ImageSize     string          `json:"image_size,omitempty"`
	InputImages   []string        `json:"input_images,omitempty"`
	Seed          *int64          `json:"seed,omitempty"`
	Metadata      json.RawMessage `json:"metadata,omitempty"`
	Priority      string          `json:"priority,omitempty"`
	ExpiresIn     *int64          `json:"expires_in,omitempty"` // seconds
	MaxCostUSD    *float64        `json:"max_cost_usd,omitempty"`
	DryRun        bool            `json:"dry_run,omitempty"`
	Webhook       string          `json:"webhook,omitempty"`
	WebhookEvents []string        `json:"webhook_events,omitempty"`
}

// A Job is the part of the API's job that people are shown, and all of it as Raw.
type Job struct {
	ID               string     `json:"id"`
	Status           string     `json:"status"`
	Version          int64      `json:"version"`
	Input            Input      `json:"input"`
	Images           []Image    `json:"images"`
	Error            *Failure   `json:"error"`
	Progress         Progress   `json:"progress"`
	CostUSD          *float64   `json:"cost_usd"`
	CreatedAt        time.Time  `json:"created_at"`
	CompletedAt      *time.Time `json:"completed_at"`
	QueuePosition    *int       `json:"queue_position"`
	EstimatedStartAt *time.Time `json:"estimated_start_at"`
	RetryOf          *string    `json:"retry_of"`

	Raw json.RawMessage `json:"-"` // the answer itself, on one line
}

// Input is what was asked for.
type Input struct {
	Prompt string `json:"prompt"`
	Model  string `json:"model"`
	Count  int    `json:"count"`
}

// An Image is one picture of a job.
type Image struct {
	Index       int        `json:"index"`
	Status      string     `json:"status"`
	URL         *string    `json:"url"`
	ContentType string     `json:"content_type"`
	Width       int        `json:"width"`  // pixels
	Height      int        `json:"height"` // pixels
	Bytes       int64      `json:"bytes"`
	SHA256      string     `json:"sha256"` // lower-case hex
	Attempts    int        `json:"attempts"`
	Error       *Failure   `json:"error"`
	WaitingFor  *string    `json:"waiting_for"`
	RetryAt     *time.Time `json:"retry_at"`
}

// A Failure says why a picture failed.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Progress counts a job's images by status.
type Progress struct {
	Total      int `json:"total"`
	Queued     int `json:"queued"`
	Processing int `json:"processing"`
	Succeeded  int `json:"succeeded"`
	Failed     int `json:"failed"`
	Canceled   int `json:"canceled"`
}

// HasEnded reports whether a job has ended. A status that this version does not
// know counts as an end, so that nobody waits for ever.
func (j Job) HasEnded() bool { return j.Status != "queued" && j.Status != "processing" }

// UnmarshalJSON implements json.Unmarshaler. It fails for what is no job.
func (j *Job) UnmarshalJSON(text []byte) error {
	type plain Job // without this method
	var job plain
	if err := json.Unmarshal(text, &job); err != nil {
		return err
	}
	if job.ID == "" || !printable.MatchString(job.ID) || job.Status == "" {
		return errors.New("what answered is no job")
	}
	var raw bytes.Buffer
	if err := json.Compact(&raw, text); err != nil {
		return err
	}
	*j = Job(job)
	j.Raw = raw.Bytes()
	return nil
}

// A Quote is what a request would cost, and when it would be done.
type Quote struct {
	Model                 string     `json:"model"`
	Count                 int        `json:"count"`
	PriceUSD              *float64   `json:"price_usd"`
	CostUSD               *float64   `json:"cost_usd"`
	WaitingFor            string     `json:"waiting_for"`
	QueuePosition         *int       `json:"queue_position"`
	EstimatedStartAt      *time.Time `json:"estimated_start_at"`
	EstimatedCompletionAt *time.Time `json:"estimated_completion_at"`

	Raw json.RawMessage `json:"-"` // the answer itself, on one line
}

// UnmarshalJSON implements json.Unmarshaler. It fails for what is no quote.
func (q *Quote) UnmarshalJSON(text []byte) error {
	type plain Quote // without this method
	var quote plain
	if err := json.Unmarshal(text, &quote); err != nil {
		return err
	}
	if quote.Count == 0 {
		return errors.New("what answered is no quote")
	}
	var raw bytes.Buffer
	if err := json.Compact(&raw, text); err != nil {
		return err
	}
	*q = Quote(quote)
	q.Raw = raw.Bytes()
	return nil
}
