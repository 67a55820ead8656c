package snapshot

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A Renderer makes snapshots of jobs.
type Renderer struct {
	Lanes    []Lane // all that are configured
	Now      func() time.Time
	Budgets  job.Budgets
	BaseURL  string                           // where callers reach the API
	ImageURL func(key string) (string, error) // where callers reach a stored picture
	// URLsExpire returns until when the URLs of pictures are valid, or the zero
	// time; nil stands for that.
	URLsExpire func() time.Time
}

// Path returns a job's path in the API.
func Path(id string) string { return "/api/jobs/" + id }

// Render returns the snapshot of a job. It fails if ImageURL fails.
func (r Renderer) Render(j job.Job) (Snapshot, error) {
	resource, err := r.job(j)
	if err != nil {
		return Snapshot{}, fmt.Errorf("snapshot: render job %s: %w", j.ID, err)
	}
	doc, err := json.Marshal(resource)
	if err != nil {
		return Snapshot{}, fmt.Errorf("snapshot: render job %s: %w", j.ID, err)
	}
	return Snapshot{
		JSON: doc, ID: j.ID, Tenant: j.Tenant, Version: j.Version, Status: j.Status,
		ExpiresAt: j.ExpiresAt, Progress: resource.Progress,
		QueuePosition: resource.QueuePosition, URLExpiresAt: resource.URLExpiresAt,
		partial: j.Ahead == nil && slices.ContainsFunc(j.Images, func(img job.Image) bool { return waits(img) || held(img) }),
	}, nil
}

func (r Renderer) job(j job.Job) (JobResource, error) {
	input, err := r.input(j.Input)
	if err != nil {
		return JobResource{}, err
	}
	resource := JobResource{
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
		URLs: LinksResource{Get: r.BaseURL + Path(j.ID), Cancel: r.BaseURL + Path(j.ID) + "/cancel", Retry: r.BaseURL + Path(j.ID) + "/retry"},
	}
	o := r.outlook(j)
	resource.QueuePosition, resource.EstimatedStartAt = o.next(j)
	if r.URLsExpire != nil {
		resource.URLExpiresAt = optional(r.URLsExpire())
	}
	if retry := j.Input.Retry; retry != nil {
		resource.RetryOf = &retry.Of
	}
	if resource.Metadata == nil {
		resource.Metadata = json.RawMessage("{}")
	}
	for i, img := range j.Images {
		if resource.Images[i], err = r.image(img, o); err != nil {
			return JobResource{}, fmt.Errorf("image %d: %w", i, err)
		}
		if url := resource.Images[i].URL; url != nil {
			resource.Output = append(resource.Output, *url)
		}
		if resource.Error == nil && img.Status == job.StatusFailed {
			resource.Error = resource.Images[i].Error
		}
	}
	return resource, nil
}

func (r Renderer) input(in job.Input) (InputResource, error) {
	resource := InputResource{
		Prompt: in.Prompt, Model: in.Model, Count: in.Count,
		AspectRatio: in.AspectRatio, ImageSize: in.ImageSize, Seed: in.Seed,
		MaxCostUSD: usd(in.MaxCostMicros),
	}
	if in.Webhook != nil {
		resource.Webhook, resource.WebhookEvents = in.Webhook.URL, in.Webhook.Events
	}
	for _, img := range in.InputImages {
		url := img.URL
		if img.Key != "" {
			var err error
			if url, err = r.ImageURL(img.Key); err != nil {
				return InputResource{}, err
			}
		}
		resource.InputImages = append(resource.InputImages, url)
	}
	return resource, nil
}

func (r Renderer) image(img job.Image, o outlook) (ImageResource, error) {
	obj := img.Object
	resource := ImageResource{
		Index: img.Index, Status: string(img.Status), Attempts: img.Attempts,
		ContentType: obj.ContentType, Width: obj.Width, Height: obj.Height,
		Bytes: obj.Bytes, SHA256: obj.SHA256, ModelVersion: obj.ModelVersion,
	}
	if obj.Key != "" {
		url, err := r.ImageURL(obj.Key)
		if err != nil {
			return ImageResource{}, err
		}
		resource.URL = &url
	}
	if img.Status == job.StatusQueued {
		what, at := o.waitingFor(img)
		resource.WaitingFor, resource.RetryAt = &what, at
	}
	if img.Error != nil {
		resource.Error = &ErrorResource{Code: string(img.Error.Code), Message: img.Error.Message}
	}
	return resource, nil
}

// cost returns what the job cost so far in US dollars, or nil if a picture's
// price is not known.
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

// seconds returns the time between two events, to the millisecond, or nil if
// one of them has not happened.
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
