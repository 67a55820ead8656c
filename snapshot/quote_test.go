package snapshot_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
)

// Two lanes of 60 and 30 a minute serve the model. Each row is what is ahead and
// closed, and when the first picture starts and the last is done.
func TestQuoteKnowsLanes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	closed := func(lane string, after time.Duration, code job.Code) job.PausedLane {
		return job.PausedLane{Name: lane, Until: now.Add(after), Code: code}
	}
	for name, tt := range map[string]struct {
		ahead, last int
		paused      []job.PausedLane
		run         time.Duration
		waits       snapshot.Waiting
		start, done time.Duration // from now on; 0 for no such time
	}{
		"both open":              {9, 12, nil, 20 * time.Second, snapshot.WaitingTurn, 6 * time.Second, 28 * time.Second},
		"nobody knows the time":  {9, 12, nil, 0, snapshot.WaitingTurn, 6 * time.Second, 0},
		"one is closed":          {9, 12, []job.PausedLane{closed("b", time.Hour, job.CodeLaneUnavailable)}, 20 * time.Second, snapshot.WaitingTurn, 9 * time.Second, 32 * time.Second},
		"both are, for quota":    {3, 6, []job.PausedLane{closed("a", time.Minute, job.CodeQuotaExhausted), closed("b", time.Hour, job.CodeQuotaExhausted)}, time.Second, snapshot.WaitingQuota, 63 * time.Second, 67 * time.Second},
		"both are, out of order": {3, 6, []job.PausedLane{closed("a", time.Minute, job.CodeLaneUnavailable), closed("b", time.Hour, job.CodeLaneUnavailable)}, time.Second, snapshot.WaitingLane, 63 * time.Second, 67 * time.Second},
	} {
		r := snapshot.Renderer{Now: func() time.Time { return now }, Lanes: []snapshot.Lane{
			{Name: "a", Models: []string{"m"}, RPM: 60}, {Name: "b", Models: []string{"m"}, RPM: 30},
		}}
		got := r.Quote(snapshot.Quote{
			Input: job.Input{Model: "m", Count: 4}, PriceMicros: 34_000, Run: tt.run,
			Outlook: record.Outlook{Ahead: &tt.ahead, LastAhead: &tt.last, Paused: tt.paused},
		})
		price, cost, start, done := 0.034, 0.136, now.Add(tt.start), now.Add(tt.done)
		want := snapshot.QuoteResource{
			DryRun: true, Model: "m", Count: 4, PriceUSD: &price, CostUSD: &cost, WaitingFor: tt.waits,
			QueuePosition: &tt.ahead, EstimatedStartAt: &start, EstimatedCompletionAt: &done,
		}
		if tt.done == 0 {
			want.EstimatedCompletionAt = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestQuoteWithoutALane(t *testing.T) {
	t.Parallel()
	r := snapshot.Renderer{Now: time.Now, Lanes: []snapshot.Lane{{Name: "a", Models: []string{"m"}, RPM: 60, Paused: true}}}
	got := r.Quote(snapshot.Quote{Input: job.Input{Model: "m", Count: 1}, Run: time.Second})
	want := snapshot.QuoteResource{DryRun: true, Model: "m", Count: 1, WaitingFor: snapshot.WaitingLane}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("quote (-want +got):\n%s", diff)
	}
}

// All of a job, or its last pictures, would be held. The budget begins at midnight in
// Berlin.
func TestQuoteKnowsBudgets(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	midnight := time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	r := snapshot.Renderer{
		Now: func() time.Time { return now }, Lanes: []snapshot.Lane{{Name: "a", Models: []string{"m"}, RPM: 60}},
		Budgets: job.Budgets{job.TenantBudget("web"): {LimitMicros: 1, Per: job.PerDay, Zone: berlin}},
	}
	zero := 0
	for name, tt := range map[string]struct {
		outlook record.Outlook
		waits   snapshot.Waiting
		start   time.Time
	}{
		"all":      {record.Outlook{Held: 2, HeldBy: job.TenantBudget("web")}, snapshot.WaitingBudget, midnight},
		"the last": {record.Outlook{Ahead: &zero, LastAhead: &zero, Held: 1, HeldBy: job.TenantBudget("web")}, snapshot.WaitingTurn, now},
	} {
		got := r.Quote(snapshot.Quote{Input: job.Input{Model: "m", Count: 2}, Run: time.Minute, Outlook: tt.outlook})
		if got.WaitingFor != tt.waits || !got.EstimatedStartAt.Equal(tt.start) || !got.EstimatedCompletionAt.Equal(midnight.Add(time.Minute)) {
			t.Errorf("%s: waits for %s from %v to %v", name, got.WaitingFor, got.EstimatedStartAt, got.EstimatedCompletionAt)
		}
	}
	j := job.Job{Input: job.Input{Model: "m"}, Images: []job.Image{{Status: job.StatusQueued, HeldBy: job.TenantBudget("web")}}}
	snap, err := r.Render(j)
	if err != nil {
		t.Fatal(err)
	}
	var shown snapshot.JobResource
	if err := json.Unmarshal(snap.JSON, &shown); err != nil {
		t.Fatal(err)
	}
	if img := shown.Images[0]; *img.WaitingFor != snapshot.WaitingBudget || !img.RetryAt.Equal(midnight) || !shown.EstimatedStartAt.Equal(midnight) {
		t.Errorf("the image is %+v, and starts at %v", img, shown.EstimatedStartAt)
	}
}
