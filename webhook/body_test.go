package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/webhook"
)

func hook(event job.WebhookEvent) job.Webhook {
	return job.Webhook{
		ID: "msg_1", JobID: jobID, Event: event, Index: 1, Version: 5, Status: job.StatusProcessing,
		At:    time.Date(2026, 11, 24, 13, 0, 0, 500_000_000, time.FixedZone("", 3600)),
		State: job.WebhookWaiting,
	}
}

const (
	pictures = `"images":[{"index":0,"status":"queued"},{"index":1,"url":"https://img.example.com/1?X-Amz-Expires=86400&X-Amz-Signature=ab"}]`
	outlined = `"job":{"id":"` + jobID + `","status":"processing","version":5,"urls":{"get":"https://api.example.com/api/jobs/` + jobID + `"}}`
)

// snapshot returns a job as callers see it later than the event, with a prompt.
func snapshot(prompt string) json.RawMessage {
	text, err := json.Marshal(prompt)
	if err != nil {
		panic(err)
	}
	return json.RawMessage(`{"id":"` + jobID + `","status":"partial","version":7,"input":{"prompt":` + string(text) + `},` + pictures +
		`,"urls":{"get":"https://api.example.com/api/jobs/` + jobID + `","cancel":"https://api.example.com/cancel"}}`)
}

// What is told has not changed since the event: all of a job that has ended, the
// image that has ended, and else where to ask.
func TestBody(t *testing.T) {
	t.Parallel()
	const begin = `,"timestamp":"2026-11-24T12:00:00.5Z","data":{"job_id":"` + jobID + `",`
	const image = `"image":{"index":1,"url":"https://img.example.com/1?X-Amz-Expires=86400&X-Amz-Signature=ab"}`
	whole := `"truncated":false,"job":` + string(snapshot("<a&b>")) + `}}`
	for name, c := range map[string]struct {
		event  job.WebhookEvent
		prompt string
		want   string
	}{
		"a job's end":            {job.WebhookJobPartial, "<a&b>", `{"type":"job.partial"` + begin + whole},
		"a job's start":          {job.WebhookJobStarted, "<a&b>", `{"type":"job.started"` + begin + `"truncated":false,` + outlined + `}}`},
		"an image's":             {job.WebhookImageSucceeded, "<a&b>", `{"type":"image.succeeded"` + begin + `"index":1,"truncated":false,` + outlined + `,` + image + `}}`},
		"of a long job":          {job.WebhookJobPartial, strings.Repeat("x", 20_000), `{"type":"job.partial"` + begin + `"truncated":true,` + outlined + `}}`},
		"of a long job's image":  {job.WebhookImageFailed, strings.Repeat("x", 20_000), `{"type":"image.failed"` + begin + `"index":1,"truncated":false,` + outlined + `,` + image + `}}`},
		"an event of the future": {"job.archived", "x", `{"type":"job.archived"` + begin + `"truncated":false,` + outlined + `}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := webhook.Body(hook(c.event), snapshot(c.prompt))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A body has less than 20 kB, to the byte.
func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	empty, err := webhook.Body(hook(job.WebhookJobPartial), snapshot(""))
	if err != nil {
		t.Fatal(err)
	}
	for more, truncated := range map[int]bool{19_999 - len(empty): false, 20_000 - len(empty): true} {
		body, err := webhook.Body(hook(job.WebhookJobPartial), snapshot(strings.Repeat("x", more)))
		if err != nil || strings.Contains(string(body), `"truncated":true`) != truncated || len(body) >= 20_000 {
			t.Errorf("%d bytes, %v, want truncated %t", len(body), err, truncated)
		}
	}
}

func TestBodyNeedsASnapshot(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "{", `"` + strings.Repeat("x", 20_000) + `"`, `{"images":[{}]}`} {
		if body, err := webhook.Body(hook(job.WebhookImageFailed), json.RawMessage(s)); err == nil || !strings.Contains(err.Error(), "msg_1") {
			t.Errorf("%.10q: %s, %v", s, body, err)
		}
	}
}
