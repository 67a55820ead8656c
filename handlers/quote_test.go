package handlers_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/record"
)

func TestDryRunAnswersWithAQuote(t *testing.T) {
	b := setup(t)
	b.generate(`{"prompt":"a","count":3}`)
	for name, tt := range map[string]struct{ body, want string }{
		"known": {
			`{"prompt":"a","count":2,"image_size":"1K","max_cost_usd":0.068,"dry_run":true}`,
			`{"dry_run":true,"model":"banana","count":2,"price_usd":0.034,"cost_usd":0.068,"waiting_for":"turn","queue_position":3,` +
				`"estimated_start_at":"2026-11-23T12:00:03Z","estimated_completion_at":null}`,
		},
		"no price, and no lane that callers wait for": {
			`{"prompt":"a","model":"cherry","dry_run":true}`,
			`{"dry_run":true,"model":"cherry","count":1,"price_usd":null,"cost_usd":null,"waiting_for":"model","queue_position":null,` +
				`"estimated_start_at":null,"estimated_completion_at":null}`,
		},
	} {
		a := b.generate(tt.body, "Prefer", "wait=5")
		if diff := cmp.Diff(tt.want, a.body); diff != "" || a.code != http.StatusOK {
			t.Errorf("%s: %d (-want +got):\n%s", name, a.code, diff)
		}
		if got := a.header.Get("Cache-Control") + a.header.Get("Location") + a.header.Get("ETag"); got != "no-store" {
			t.Errorf("%s: the headers say %q", name, got)
		}
	}
}

// Nothing is left of a dry run: no job, no key and no picture.
func TestDryRunRecordsNothing(t *testing.T) {
	b := setup(t)
	before, err := b.record.Backlog(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if a := b.generate(`{"prompt":"a","dry_run":true}`, "Idempotency-Key", "k"); a.code != http.StatusOK {
			t.Fatalf("got %d %s", a.code, a.body)
		}
	}
	after, err := b.record.Backlog(t.Context(), 0)
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("what waits (-before +after):\n%s%v", diff, err)
	}
	page, err := b.record.List(t.Context(), record.Query{Tenant: "web", Limit: 1})
	if len(page.Jobs) > 0 || err != nil {
		t.Errorf("there are jobs: %+v, %v", page.Jobs, err)
	}
	if a := b.generate(`{"prompt":"a"}`, "Idempotency-Key", "k"); a.code != http.StatusAccepted {
		t.Errorf("the request itself: %d %s", a.code, a.body)
	}
	if a := b.generate(`{"prompt":"b","dry_run":true}`, "Idempotency-Key", "k"); a.code != http.StatusOK {
		t.Errorf("a dry run under the key of a job: %d %s", a.code, a.body)
	}
}

// A dry run is refused as the request itself would be.
func TestLimitsOfATenant(t *testing.T) {
	b := setup(t)
	as := []string{"Authorization", "Bearer " + poorKey}
	for range 8 {
		if a := b.generate(`{"prompt":"a","count":2}`, as...); a.code != http.StatusAccepted {
			t.Fatalf("got %d %s", a.code, a.body)
		}
	}
	const (
		costly = "The job is refused: 3 pictures cost $0.102 by list price, $0.034 each, and a job of this API key may cost $0.07 at most " +
			"(max_cost_usd in TENANTS). Ask for less, or ask whoever runs this service to allow more."
		unknown = "The job is refused: its price is not known, and a job of this API key may cost $0.07 at most " +
			"(max_cost_usd in TENANTS). Ask for less, or ask whoever runs this service to allow more."
		full = "16 pictures of this API key wait, and at most 16 may (max_waiting_pictures in TENANTS): " +
			"there is no room for this request's. Send it again after 1 seconds, or cancel jobs."
	)
	for _, end := range []string{"}", `,"dry_run":true}`} {
		for body, want := range map[string]struct {
			code   int
			detail string
		}{
			`{"prompt":"a","count":3`:        {http.StatusPaymentRequired, costly},
			`{"prompt":"a","model":"cherry"`: {http.StatusPaymentRequired, unknown},
			`{"prompt":"a","count":1`:        {http.StatusTooManyRequests, full},
		} {
			if got := b.generate(body+end, as...).problem(t, want.code).Detail; got != want.detail {
				t.Errorf("%s: %q, want %q", body+end, got, want.detail)
			}
		}
		const upload = `{"prompt":"a","input_images":["f0000000-0000-7000-8000-000000000000"]`
		b.generate(upload+end).problem(t, http.StatusUnprocessableEntity)
	}
	if a := b.generate(`{"prompt":"a","count":16}`); a.code != http.StatusAccepted {
		t.Errorf("another tenant: %d %s", a.code, a.body)
	}
}

// A retry is a job like any other.
func TestRetryKeepsToTheTenantsLimits(t *testing.T) {
	b := setup(t)
	d := record.Draft{
		ID: "0199a0a0-0000-7000-8000-000000000001", Tenant: "poor", Weight: 1, ExpiresIn: lease, Lanes: []string{"a", "a", "a"},
	}
	d.Input.Prompt, d.Input.Model, d.Input.Count = "a", "banana", 3
	if _, _, err := b.record.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if _, err := b.record.Cancel(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	a := b.do(http.MethodPost, "/api/jobs/"+d.ID+"/retry", "", "Authorization", "Bearer "+poorKey)
	a.problem(t, http.StatusPaymentRequired)
}
