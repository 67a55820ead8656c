package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A submitted job is one that a caller submits. It has an ID once the caller
// was told of it.
type submitted struct {
	number  int
	planned plannedJob
	id      string
}

// A resource is the part of the API's job that the test looks at.
type resource struct {
	ID       string
	Status   string
	Version  int64
	Progress map[string]int
	Images   []struct {
		Status string
		URL    string
		SHA256 string `json:"sha256"`
		Bytes  int64
	}
}

// final reports whether the job has ended. The test cancels no job.
func (r resource) final() bool {
	return r.Status == "succeeded" || r.Status == "partial" || r.Status == "failed"
}

// callTimeout is how long a caller waits before it tries again. The test does
// not fail when it runs out.
const callTimeout = 10 * time.Second

// allEvents is all that a receiver may be told of, as JSON.
const allEvents = `["job.started","image.succeeded","image.failed","job.succeeded","job.partial","job.failed","job.canceled"]`

// submit submits a job at its time. It tries again with the same key until the
// job is accepted, as a caller does if the answer was lost.
func (d *deployment) submit(ctx context.Context, j *submitted) {
	if !wait(ctx, j.planned.at) {
		return
	}
	named := ""
	if j.planned.model != "" {
		named = fmt.Sprintf(`,"model":%q`, j.planned.model)
	}
	if d.receiver != nil {
		named += fmt.Sprintf(`,"webhook":%q,"webhook_events":%s`, d.receiver.url, allEvents)
	}
	body := fmt.Sprintf(`{"prompt":"Chaos %d","count":%d,"seed":%d,"image_size":"1K"%s}`,
		j.number, j.planned.count, pictureID{job: j.number}.seed(), named)
	until(ctx, func() bool {
		code, answer, err := d.call(ctx, j.planned.tenant, http.MethodPost, "/api/generate-images", body, fmt.Sprintf("chaos-%d", j.number))
		switch {
		case err != nil || code >= http.StatusInternalServerError:
			return false
		case code != http.StatusAccepted && code != http.StatusCreated:
			d.t.Errorf("job %d was answered %d: %s", j.number, code, answer)
			return true
		}
		var r resource
		if err := json.Unmarshal(answer, &r); err != nil {
			d.t.Errorf("job %d: %v in %s", j.number, err, answer)
		}
		j.id = r.ID
		return true
	})
}

func apiKeyOf(tenant string) string { return "0123456789abcdef-" + tenant }

// call sends one request of a tenant to the API.
func (d *deployment) call(ctx context.Context, tenant, method, path, body, idempotencyKey string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, d.proxy.URL()+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+apiKeyOf(tenant))
	if idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", idempotencyKey)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// get polls a job.
func (d *deployment) get(j *submitted) (resource, error) {
	code, text, err := d.call(d.t.Context(), j.planned.tenant, http.MethodGet, "/api/jobs/"+j.id, "", "")
	if err != nil || code != http.StatusOK {
		return resource{}, fmt.Errorf("answered %d: %s: %w", code, text, err)
	}
	var r resource
	return r, json.Unmarshal(text, &r)
}
