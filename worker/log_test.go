package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
)

// lines collects log entries.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// find returns the first log entry with a message, with those attributes only.
func (l *lines) find(t *testing.T, message string, attrs ...string) map[string]any {
	t.Helper()
	found := l.all(t, message, attrs...)
	if len(found) == 0 {
		t.Fatalf("nothing says %q in %s", message, l.text.Bytes())
	}
	return found[0]
}

// all returns the log entries with a message, with those attributes only.
func (l *lines) all(t *testing.T, message string, attrs ...string) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []map[string]any
	for line := range bytes.Lines(l.text.Bytes()) {
		var all map[string]any
		if err := json.Unmarshal(line, &all); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if all["msg"] != message {
			continue
		}
		some := map[string]any{}
		for _, a := range append(attrs, "level") {
			if v, ok := all[a]; ok {
				some[a] = v
			}
		}
		found = append(found, some)
	}
	return found
}

// Metrics and alerts go by these lines.
func TestDeliverLogsWhatAPictureCost(t *testing.T) {
	for name, tt := range map[string]struct {
		prices map[string]int64
		want   map[string]any
	}{
		"known":   {map[string]int64{"1K": 34_000}, map[string]any{"level": "INFO", "cost_usd": 0.034, "bytes": 3.}},
		"unknown": {nil, map[string]any{"level": "INFO", "bytes": 3.}},
	} {
		t.Run(name, func(t *testing.T) {
			b, log := setup(t), &lines{}
			b.config.Log = slog.New(slog.NewJSONHandler(log, nil))
			b.config.Lanes[0].Model.Prices = tt.prices
			b.start(b.config)
			_, tasks := b.create(t, 1)
			if _, err := b.deliver(t, tasks[0]); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, log.find(t, "picture stored", "cost_usd", "bytes")); diff != "" {
				t.Errorf("the line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeliverLogsWhichLanesItPauses(t *testing.T) {
	for name, tt := range map[string]struct {
		failure job.Failure
		want    map[string]any
	}{
		"a broken lane": {
			job.Failure{Remedy: job.RemedyStop},
			map[string]any{"level": "ERROR", "lanes": []any{"a"}, "broken": true},
		},
		"an account's spend cap": {
			job.Failure{Remedy: job.RemedyWait, Limit: job.LimitSpend},
			map[string]any{"level": "ERROR", "lanes": []any{"a", "b"}, "broken": false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, log := setup(t), &lines{}
			b.config.Log = slog.New(slog.NewJSONHandler(log, nil))
			b.start(b.config)
			b.generator.answer = func(context.Context) (job.Picture, error) { return job.Picture{}, &tt.failure }
			_, tasks := b.create(t, 1)
			if _, err := b.deliver(t, tasks[0]); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, log.find(t, "lane paused", "lanes", "broken")); diff != "" {
				t.Errorf("the line (-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever looks into why an image failed, or why a lane was paused, is told what
// others found.
func TestDeliverLogsHowManyStrikesWereDisproved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newScene(t, 60, "a"), &lines{}
		s.config.Log = slog.New(slog.NewJSONHandler(log, nil))
		s.start(s.config)
		s.refuse = refusing(usedUpToday, "bad")
		s.submit("bad")
		time.Sleep(time.Minute)
		s.submit("good")
		s.run(2 * time.Hour)
		want := []map[string]any{
			{"level": "WARN", "strikes": 0., "code": "quota_exhausted"},
			{"level": "WARN", "strikes": 1., "code": "quota_exhausted"},
		}
		if diff := cmp.Diff(want, log.all(t, "attempt failed", "strikes", "code")); diff != "" {
			t.Errorf("the lines (-want +got):\n%s", diff)
		}
	})
}
