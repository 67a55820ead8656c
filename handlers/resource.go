package handlers

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// JobResource is a job as callers see it. Its first fields are in an order
// that snapshots rely on: version comes before anything the caller chose.
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
	CostUSD  *float64         `json:"cost_usd" doc:"List price of the pictures so far; null if not known."`
	Metadata json.RawMessage  `json:"metadata" doc:"As it was given."`

	CreatedAt   time.Time  `json:"created_at"`
	StartedAt   *time.Time `json:"started_at" doc:"When the first image started."`
	CompletedAt *time.Time `json:"completed_at" doc:"When the last image ended."`
	ExpiresAt   time.Time  `json:"expires_at" doc:"Images that have not ended by then fail with deadline_exceeded."`

	QueuePosition    *int       `json:"queue_position" doc:"How many pictures go before this job's first; null once that has started."`
	EstimatedStartAt *time.Time `json:"estimated_start_at" doc:"When it should start, by the rate of the quota; null once it has."`

	URLs LinksResource `json:"urls"`
}

// InputResource is what was asked for, defaults filled in.
type InputResource struct {
	Prompt      string   `json:"prompt"`
	Model       string   `json:"model"`
	Count       int      `json:"count"`
	AspectRatio string   `json:"aspect_ratio,omitempty"`
	ImageSize   string   `json:"image_size,omitempty"`
	InputImages []string `json:"input_images,omitempty" doc:"URLs; of pictures sent as data URIs, where they are stored."`
	Seed        *int32   `json:"seed,omitempty"`
}

// ImageResource is one picture of a job.
type ImageResource struct {
	Index        int            `json:"index"`
	Status       string         `json:"status" enum:"queued,processing,succeeded,failed,canceled"`
	URL          *string        `json:"url"`
	ContentType  string         `json:"content_type,omitempty"`
	Width        int            `json:"width,omitempty" doc:"Pixels."`
	Height       int            `json:"height,omitempty" doc:"Pixels."`
	Bytes        int64          `json:"bytes,omitempty"`
	SHA256       string         `json:"sha256,omitempty" doc:"Lower-case hex."`
	ModelVersion string         `json:"model_version,omitempty" doc:"The model that answered."`
	Attempts     int            `json:"attempts"`
	Error        *ErrorResource `json:"error" doc:"Why it failed, or why its latest attempt did."`
}

// ErrorResource is why an image failed.
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

// MetricsResource is where a job's time went.
type MetricsResource struct {
	QueueSeconds *float64 `json:"queue_seconds" doc:"From creation to the first image's start."`
	RunSeconds   *float64 `json:"run_seconds" doc:"From there to the last image's end."`
}

// LinksResource is where to go on.
type LinksResource struct {
	Get    string `json:"get" format:"uri"`
	Cancel string `json:"cancel" format:"uri"`
}

// A Presenter renders jobs.
type Presenter struct {
	RPM      map[string]int // of all lanes together, by model
	Now      func() time.Time
	BaseURL  string                           // where callers reach the API
	ImageURL func(key string) (string, error) // where they reach a stored picture
}

// JSON is the job as callers see it.
func (p Presenter) JSON(j job.Job) ([]byte, error) {
	r, err := p.job(j)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// path is the job's place in the API.
func path(id string) string { return "/api/jobs/" + id }

func (p Presenter) job(j job.Job) (JobResource, error) {
	input, err := p.input(j.Input)
	if err != nil {
		return JobResource{}, err
	}
	r := JobResource{
		ID: j.ID, Status: string(j.Status), Version: j.Version, Tenant: j.Tenant,
		Priority:  string(j.Priority),
		Input:     input,
		Images:    make([]ImageResource, len(j.Images)),
		Output:    []string{},
		Progress:  ProgressResource(j.Progress()),
		Metrics:   metrics(j),
		CostUSD:   cost(j),
		Metadata:  j.Metadata,
		CreatedAt: j.CreatedAt, StartedAt: optional(j.StartedAt), CompletedAt: optional(j.CompletedAt), ExpiresAt: j.ExpiresAt,
		URLs: LinksResource{Get: p.BaseURL + path(j.ID), Cancel: p.BaseURL + path(j.ID) + "/cancel"},
	}
	if rpm := p.RPM[j.Input.Model]; j.Ahead != nil && rpm > 0 {
		start := p.Now().Add(time.Duration(float64(*j.Ahead) / float64(rpm) * float64(time.Minute))).UTC()
		r.QueuePosition, r.EstimatedStartAt = j.Ahead, &start
	}
	if r.Metadata == nil {
		r.Metadata = json.RawMessage("{}")
	}
	for i, img := range j.Images {
		if r.Images[i], err = p.image(img); err != nil {
			return JobResource{}, fmt.Errorf("image %d: %w", i, err)
		}
		if url := r.Images[i].URL; url != nil {
			r.Output = append(r.Output, *url)
		}
		if r.Error == nil && img.Status == job.StatusFailed {
			r.Error = r.Images[i].Error
		}
	}
	return r, nil
}

func (p Presenter) input(in job.Input) (InputResource, error) {
	r := InputResource{
		Prompt: in.Prompt, Model: in.Model, Count: in.Count,
		AspectRatio: in.AspectRatio, ImageSize: in.ImageSize, Seed: in.Seed,
	}
	for _, img := range in.InputImages {
		url := img.URL
		if img.Key != "" {
			var err error
			if url, err = p.ImageURL(img.Key); err != nil {
				return InputResource{}, err
			}
		}
		r.InputImages = append(r.InputImages, url)
	}
	return r, nil
}

func (p Presenter) image(img job.Image) (ImageResource, error) {
	obj := img.Object
	r := ImageResource{
		Index: img.Index, Status: string(img.Status), Attempts: img.Attempts,
		ContentType: obj.ContentType, Width: obj.Width, Height: obj.Height,
		Bytes: obj.Bytes, SHA256: obj.SHA256, ModelVersion: obj.ModelVersion,
	}
	if obj.Key != "" {
		url, err := p.ImageURL(obj.Key)
		if err != nil {
			return ImageResource{}, err
		}
		r.URL = &url
	}
	if img.Error != nil {
		r.Error = &ErrorResource{Code: string(img.Error.Code), Message: img.Error.Message}
	}
	return r, nil
}

// cost is null as long as a picture's price is not known.
func cost(j job.Job) *float64 {
	for _, img := range j.Images {
		if img.Status == job.StatusSucceeded && img.CostMicros == 0 {
			return nil
		}
	}
	usd := float64(j.CostMicros()) / 1e6
	return &usd
}

func metrics(j job.Job) MetricsResource {
	return MetricsResource{
		QueueSeconds: seconds(j.CreatedAt, j.StartedAt),
		RunSeconds:   seconds(j.StartedAt, j.CompletedAt),
	}
}

// seconds is the time between two events, to the millisecond, or nil if one of
// them has not happened.
func seconds(from, to time.Time) *float64 {
	if from.IsZero() || to.IsZero() {
		return nil
	}
	s := float64(to.Sub(from).Milliseconds()) / 1000
	return &s
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
