package snapshot

import (
	"encoding/json"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// JobResource is a job as callers see it.
type JobResource struct {
	ID      string `json:"id" format:"uuid" doc:"UUIDv7, so that IDs sort by time of creation."`
	Status  string `json:"status" enum:"queued,processing,succeeded,partial,failed,canceled" doc:"succeeded, partial, failed and canceled are final."`
	Version int64  `json:"version" doc:"Rises with every change of the job or one of its images."`
	Tenant  string `json:"tenant" doc:"Name of the API key that created the job."`

	Priority string           `json:"priority" enum:"normal,low"`
	Input    InputResource    `json:"input"`
	Images   []ImageResource  `json:"images" doc:"One for each picture asked for, by index."`
	Output   []string         `json:"output" format:"uri" doc:"URLs of the pictures there are so far."`
	Error    *ErrorResource   `json:"error" doc:"Why the first failed image did."`
	Progress ProgressResource `json:"progress"`
	Metrics  MetricsResource  `json:"metrics"`
	CostUSD  *float64         `json:"cost_usd" doc:"What the pictures so far cost, by the tokens of the answers; null if not known."`
	Metadata json.RawMessage  `json:"metadata" doc:"As it was given."`

	CreatedAt   time.Time  `json:"created_at"`
	StartedAt   *time.Time `json:"started_at" doc:"When the first image started."`
	CompletedAt *time.Time `json:"completed_at" doc:"When the last image ended."`
	ExpiresAt   time.Time  `json:"expires_at" doc:"Images that have not ended by then fail with deadline_exceeded."`

	QueuePosition    *int       `json:"queue_position" doc:"How many pictures go before the next of this job's that waits; null if none does."`
	EstimatedStartAt *time.Time `json:"estimated_start_at" doc:"When that should start, by the rates of the quotas and the pauses of lanes; null if none waits."`

	URLs LinksResource `json:"urls"`

	RetryOf      *string    `json:"retry_of" format:"uuid" doc:"The job whose pictures this one draws again; null if it is no retry."`
	URLExpiresAt *time.Time `json:"url_expires_at" doc:"Until when the URLs of the pictures are valid; null if they do not expire. A later answer has later ones."`
}

// InputResource is what the caller asked for, with defaults filled in.
type InputResource struct {
	Prompt      string   `json:"prompt"`
	Model       string   `json:"model"`
	Count       int      `json:"count"`
	AspectRatio string   `json:"aspect_ratio,omitempty"`
	ImageSize   string   `json:"image_size,omitempty"`
	InputImages []string `json:"input_images,omitempty" doc:"URLs; of pictures sent as data URIs, where they are stored."`
	Seed        *int32   `json:"seed,omitempty"`
	MaxCostUSD  *float64 `json:"max_cost_usd,omitempty"`

	Webhook       string             `json:"webhook,omitempty" format:"uri" doc:"Who is told."`
	WebhookEvents []job.WebhookEvent `json:"webhook_events,omitempty" doc:"What of."`
}

// ImageResource is one picture of a job.
type ImageResource struct {
	Index        int            `json:"index"`
	Status       string         `json:"status" enum:"queued,processing,succeeded,failed,canceled"`
	URL          *string        `json:"url" format:"uri" doc:"Where the picture is; null before there is one."`
	ContentType  string         `json:"content_type,omitempty"`
	Width        int            `json:"width,omitempty" doc:"Pixels."`
	Height       int            `json:"height,omitempty" doc:"Pixels."`
	Bytes        int64          `json:"bytes,omitempty"`
	SHA256       string         `json:"sha256,omitempty" doc:"Lower-case hex."`
	ModelVersion string         `json:"model_version,omitempty" doc:"The model that answered."`
	Attempts     int            `json:"attempts"`
	Error        *ErrorResource `json:"error" doc:"Why it failed, or why its latest attempt did."`
	WaitingFor   *Waiting       `json:"waiting_for" enum:"turn,quota,lane,backoff,budget,model" doc:"What it waits for while it is queued; null otherwise."`
	RetryAt      *time.Time     `json:"retry_at" doc:"When its next attempt may begin, if it waits for a time."`
}

// ErrorResource says why an image failed.
type ErrorResource struct {
	Code    string `json:"code" doc:"For programs; codes are added, never changed."`
	Message string `json:"message" doc:"For people."`
}

// ProgressResource counts a job's images by status.
type ProgressResource struct {
	Total      int `json:"total"`
	Queued     int `json:"queued"`
	Processing int `json:"processing"`
	Succeeded  int `json:"succeeded"`
	Failed     int `json:"failed"`
	Canceled   int `json:"canceled"`
}

// MetricsResource says how long a job waited and how long it ran.
type MetricsResource struct {
	QueueSeconds *float64 `json:"queue_seconds" doc:"From creation to the first image's start."`
	RunSeconds   *float64 `json:"run_seconds" doc:"From there to the last image's end."`
}

// LinksResource has the addresses for further requests about a job.
type LinksResource struct {
	Get    string `json:"get" format:"uri"`
	Cancel string `json:"cancel" format:"uri"`
	Retry  string `json:"retry" format:"uri"`
}
