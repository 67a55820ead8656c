package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// maxBody is the most bytes that a body has. Standard Webhooks asks for less
// than 20 kB, since receivers behind queues and functions refuse more:
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#payload-size
const maxBody = 20_000 - 1

// A message is the body of a webhook.
type message struct {
	Type      job.WebhookEvent `json:"type"`
	Timestamp time.Time        `json:"timestamp"`
	Data      any              `json:"data"` // jobData or budgetData
}

// A jobData is what is told of a job.
type jobData struct {
	JobID     string          `json:"job_id"`
	Index     *int            `json:"index,omitempty"` // of the image, with an event of an image
	Truncated bool            `json:"truncated"`       // tells that job is an outline
	Job       json.RawMessage `json:"job"`
	Image     json.RawMessage `json:"image,omitempty"` // with an event of an image
}

// An outline is what is told of a job that goes on, or whose snapshot is too
// long: enough to ask for the rest. Its fields are called as they are in a
// snapshot.
type outline struct {
	ID      string     `json:"id"`
	Status  job.Status `json:"status"`
	Version int64      `json:"version"`
	URLs    struct {
		Get string `json:"get"`
	} `json:"urls"`
}

// Body returns the JSON that tells of an event, less than 20 kB of it. snapshot
// is the job as callers see it now; an event of a budget has none. What is told has not
// changed since the event: an event that ends the job tells the whole job, one of an
// image the image, and each an outline of the job as the event left it. What makes the
// body too long is left out. Body fails if snapshot is not the JSON of a job with that image.
func Body(hook job.Webhook, snapshot json.RawMessage) ([]byte, error) {
	body, err := makeBody(hook, snapshot)
	if err != nil {
		return nil, fmt.Errorf("webhook: the body of %s: %w", hook.ID, err)
	}
	return body, nil
}

func makeBody(hook job.Webhook, snapshot json.RawMessage) ([]byte, error) {
	m := message{Type: hook.Event, Timestamp: hook.At.UTC()}
	if hook.Budget != nil {
		m.Data = tellBudget(*hook.Budget, m.Timestamp)
		return encode(m)
	}
	data := jobData{JobID: hook.JobID}
	short, err := outlineOf(hook, snapshot)
	if err != nil {
		return nil, err
	}
	data.Job = short
	switch {
	case hook.Event.Ends():
		data.Job = snapshot
	case hook.Event.OfImage():
		data.Index = &hook.Index
		if data.Image, err = imageOf(snapshot, hook.Index); err != nil {
			return nil, err
		}
	}
	m.Data = data
	body, err := encode(m)
	if err == nil && len(body) > maxBody {
		data.Job, data.Image, data.Truncated = short, nil, true
		m.Data = data
		return encode(m)
	}
	return body, err
}

// outlineOf returns the outline of a job as an event left it.
func outlineOf(hook job.Webhook, snapshot json.RawMessage) (json.RawMessage, error) {
	var o outline
	if err := json.Unmarshal(snapshot, &o); err != nil {
		return nil, err
	}
	o.Status, o.Version = hook.Status, hook.Version
	return encode(o)
}

// imageOf returns an image of a snapshot.
func imageOf(snapshot json.RawMessage, index int) (json.RawMessage, error) {
	var s struct {
		Images []json.RawMessage `json:"images"`
	}
	if err := json.Unmarshal(snapshot, &s); err != nil {
		return nil, err
	}
	if index < 0 || index >= len(s.Images) {
		return nil, fmt.Errorf("the job has no image %d", index)
	}
	return s.Images[index], nil
}

// encode returns v as JSON. It leaves "&" as it is: presigned URLs have many.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
