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
	Data      data             `json:"data"`
}

type data struct {
	JobID     string          `json:"job_id"`
	Index     *int            `json:"index,omitempty"` // of the image, with an event of an image
	Truncated bool            `json:"truncated"`       // tells that job is an outline
	Job       json.RawMessage `json:"job"`
}

// An outline is what is told of a job whose snapshot is too long: enough to ask
// for the rest. Its fields are called as they are in a snapshot.
type outline struct {
	ID      string     `json:"id"`
	Status  job.Status `json:"status"`
	Version int64      `json:"version"`
	URLs    struct {
		Get string `json:"get"`
	} `json:"urls"`
}

// Body returns the JSON that tells of an event, less than 20 kB of it. snapshot
// is hook.Job as callers see it; where that makes the body too long, its outline
// stands for it. Body fails if snapshot is not the JSON of a job.
func Body(hook job.Webhook, snapshot json.RawMessage) ([]byte, error) {
	m := message{Type: hook.Event, Timestamp: hook.At.UTC(), Data: data{JobID: hook.Job.ID, Job: snapshot}}
	if hook.Event.OfImage() {
		m.Data.Index = &hook.Index
	}
	body, err := encode(m)
	if err == nil && len(body) > maxBody {
		body, err = truncate(m)
	}
	if err != nil {
		return nil, fmt.Errorf("webhook: the body of %s: %w", hook.ID, err)
	}
	return body, nil
}

// truncate returns the body of m with the outline of its job.
func truncate(m message) ([]byte, error) {
	var o outline
	err := json.Unmarshal(m.Data.Job, &o)
	if err != nil {
		return nil, err
	}
	m.Data.Truncated = true
	if m.Data.Job, err = json.Marshal(o); err != nil {
		return nil, err
	}
	return encode(m)
}

// encode returns m as JSON. It leaves "&" as it is: presigned URLs have many.
func encode(m message) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
