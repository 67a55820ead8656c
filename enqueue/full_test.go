package enqueue_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/enqueue/enqueuetest"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// bound returns a producer for whose tenants most pictures may wait.
func (b *bundle) bound(rec record.Record, most, rpm int) *enqueue.Producer {
	return enqueue.New(enqueue.Config{
		Record: rec, Queue: b.queue, Inputs: b.inputs, MaxWaiting: most,
		Lanes:   []lane.Lane{{Name: "other", Model: "other", RPM: 10_000}, {Name: "a", Model: "m", RPM: rpm, Queue: queueName}},
		Process: context.Background(), Log: slog.New(slog.NewJSONHandler(b.log, nil)),
	})
}

// The time is that of as many pictures as there is no room for.
func TestSubmitSaysWhenThereIsRoom(t *testing.T) {
	for name, tt := range map[string]struct {
		jobs, most, rpm int // each job has two pictures
		want            time.Duration
	}{
		"one picture too many":  {8, 17, 60, time.Second},
		"two":                   {8, 16, 60, 2 * time.Second},
		"two of a slow model":   {8, 16, 1, 2 * time.Minute},
		"a second at least":     {8, 16, 30_000, time.Second},
		"an hour at most":       {100, 16, 1, time.Hour},
		"a bound that was less": {50, 16, 60, 86 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			for range tt.jobs {
				if _, err := b.Submit(t.Context(), submission()); err != nil {
					t.Fatal(err)
				}
			}
			_, err := b.bound(b.record, tt.most, tt.rpm).Submit(t.Context(), submission())
			full, ok := errors.AsType[*enqueue.FullError](err)
			if !ok || !errors.Is(err, record.ErrTooManyWaiting) {
				t.Fatalf("got %v, want a full error", err)
			}
			if full.RetryAfter != tt.want || full.Waiting != 2*tt.jobs || full.Most != tt.most {
				t.Errorf("got %+v and %s, want %s", full.TooManyWaitingError, full.RetryAfter, tt.want)
			}
		})
	}
}

// An older name of a model has the quota of the model that draws it, on the lanes
// that are not paused.
func TestSubmitSaysWhenThereIsRoomForAnOlderName(t *testing.T) {
	b := setup(t)
	s := submission()
	s.Input.Model = "old"
	p := enqueue.New(enqueue.Config{
		Record: b.record, Queue: b.queue, MaxWaiting: 1, Process: context.Background(), Log: slog.New(slog.DiscardHandler),
		Lanes: []lane.Lane{
			{Name: "a", Model: "m", AlsoServes: []string{"old"}, RPM: 6, Queue: queueName},
			{Name: "b", Model: "m", RPM: 6000, Queue: queueName, Paused: true},
		},
	})
	_, err := p.Submit(t.Context(), s)
	full, ok := errors.AsType[*enqueue.FullError](err)
	if !ok || full.RetryAfter != 10*time.Second {
		t.Errorf("got %v, want a full error of 10 s: %+v", err, full)
	}
}

// late is a record that fills up between a look at it and a job.
type late struct{ record.Record }

func (late) Recorded(context.Context, record.Draft) (job.Job, error) {
	return job.Job{}, record.ErrNotFound
}

// stores counts the pictures that are stored, also those that are removed again.
type stores struct {
	enqueuetest.Inputs

	n int
}

func (s *stores) PutInput(ctx context.Context, jobID string, n int, data []byte, contentType string) (string, error) {
	s.n++
	return s.Inputs.PutInput(ctx, jobID, n, data, contentType)
}

func TestSubmitKeepsNoPictureOfARequestThatIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		record func(record.Record) record.Record
		key    string // of the request, and of an earlier one with another body
		puts   int
		want   error
	}{
		"full":                  {func(r record.Record) record.Record { return r }, "", 0, record.ErrTooManyWaiting},
		"full meanwhile":        {func(r record.Record) record.Record { return late{r} }, "", 1, record.ErrTooManyWaiting},
		"the key is of another": {func(r record.Record) record.Record { return late{r} }, "k", 1, record.ErrIdempotencyMismatch},
		"the same meanwhile":    {func(r record.Record) record.Record { return late{r} }, "same", 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			s := submission()
			s.IdempotencyKey = tt.key
			if _, err := b.Submit(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if tt.key == "k" {
				s.Fingerprint = "another"
			}
			s.Input.InputImages = []job.InputImage{{}}
			s.Uploads = []enqueue.Upload{{Data: []byte("png"), ContentType: "image/png"}}
			inputs := &stores{}
			p := enqueue.New(enqueue.Config{
				Record: tt.record(b.record), Queue: b.queue, Inputs: inputs, MaxWaiting: 2,
				Lanes:   []lane.Lane{{Name: "a", Model: "m", RPM: 60, Queue: queueName}},
				Process: context.Background(), Log: slog.New(slog.DiscardHandler),
			})
			if _, err := p.Submit(t.Context(), s); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if inputs.n != tt.puts || len(inputs.Stored) != 0 {
				t.Errorf("%d pictures were stored and %v are left, want %d and none", inputs.n, inputs.Stored, tt.puts)
			}
		})
	}
}
