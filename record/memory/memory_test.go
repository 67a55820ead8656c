package memory_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/journal"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/record/recordtest"
)

func TestRecord(t *testing.T) {
	t.Parallel()
	recordtest.Run(t, func(*testing.T) record.Record { return memory.New() })
}

func TestRecordWithAJournal(t *testing.T) {
	t.Parallel()
	recordtest.Run(t, func(t *testing.T) record.Record { return open(t, t.TempDir()) })
}

func open(t testing.TB, dir string, options ...memory.Option) *memory.Record {
	t.Helper()
	r, err := memory.Open(dir, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// reopened is a record that is closed and opened again whenever time moves.
type reopened struct{ record.Record }

// A record that was read back from its journal goes on as if it had never been
// closed, whatever happened before.
func TestHistoriesWithReopening(t *testing.T) {
	t.Parallel()
	recordtest.Histories(t, func() recordtest.Timed {
		dir := t.TempDir()
		var now time.Time
		clock := memory.WithClock(func() time.Time { return now })
		kept := open(t, dir, clock)
		r := &reopened{kept}
		return recordtest.Timed{Record: r, SetTime: func(moved time.Time) {
			now = moved
			if err := kept.Close(); err != nil {
				t.Fatal(err)
			}
			kept = open(t, dir, clock)
			r.Record = kept
		}}
	})
}

func draft(count int) record.Draft {
	d := record.Draft{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "acme", Weight: 1, ExpiresIn: time.Hour,
		Metadata: json.RawMessage(`{ "order":  7 }`), // must be returned to the byte
		Input:    job.Input{Prompt: "a lighthouse", Model: "m", Count: count},
	}
	for range count {
		d.Lanes = append(d.Lanes, "a")
	}
	return d
}

// write makes a journal in which each kind of change has happened, and returns
// its text.
func write(t *testing.T, dir string) []byte {
	t.Helper()
	r := open(t, dir)
	_, tasks, err := r.Create(t.Context(), draft(2))
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: tasks[1], Lease: time.Hour})
	if err == nil {
		_, err = r.Succeed(t.Context(), c, record.Success{Object: job.Object{Key: "k"}})
	}
	if err == nil {
		_, _, err = r.Create(t.Context(), draft(1))
	}
	if err == nil {
		err = r.Pause(t.Context(), []string{"b"}, record.Pause{For: time.Hour, Reason: job.Error{Code: job.CodeQuotaExhausted}})
	}
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "jobs.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A process may be killed at any moment. Wherever the journal ends, everything
// that its whole lines say is there, and the record goes on from that.
func TestJournalThatEndsAnywhere(t *testing.T) {
	t.Parallel()
	whole := write(t, t.TempDir())
	for end := range len(whole) + 1 {
		nearALine := bytes.Contains(whole[max(0, end-2):min(len(whole), end+2)], []byte("\n"))
		if end%31 != 0 && !nearALine && end < len(whole) {
			continue // as good as its neighbours
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "jobs.jsonl"), whole[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		r := open(t, dir)
		b, err := r.Backlog(t.Context(), 0)
		want := []int{0, 2, 1, 1, 2, 2}[bytes.Count(whole[:end], []byte("\n"))] // by lines: create, claim, succeed, create, pause
		if err != nil || b.Waiting != want {
			t.Fatalf("cut at byte %d: %d images wait, %v; want %d", end, b.Waiting, err, want)
		}
		if _, _, err := r.Create(t.Context(), draft(1)); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err = open(t, dir).Backlog(t.Context(), 0); err != nil || b.Waiting != want+1 {
			t.Fatalf("cut at byte %d and gone on: %d images wait, %v; want %d", end, b.Waiting, err, want+1)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jobs.jsonl"), append([]byte("nonsense\n"), write(t, t.TempDir())...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := memory.Open(dir); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a broken journal gives %v, want the line that is", err)
	}
	dir = t.TempDir()
	open(t, dir)
	if _, err := memory.Open(dir); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("a second time gives %v, want %v", err, journal.ErrInUse)
	}
}

// The journal does not grow with what is past.
func TestJournalIsCompacted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	_, tasks, err := r.Create(t.Context(), draft(1))
	if err != nil {
		t.Fatal(err)
	}
	for range 5_000 {
		if tasks[0], err = r.Postpone(t.Context(), tasks[0], "m", record.Place{Lane: "a", Model: "m"}); err != nil {
			t.Fatal(err)
		}
	}
	before, err := r.Get(t.Context(), tasks[0].JobID)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "jobs.jsonl"))
	if lines := bytes.Count(text, []byte("\n")); err != nil || lines > 2_100 {
		t.Errorf("%d lines, %v; want about 2,000 at most", lines, err)
	}
	after, err := open(t, dir).Get(t.Context(), tasks[0].JobID)
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("%v (-before +after):\n%s", err, diff)
	}
}

// BenchmarkOpen opens journals of jobs whose pictures were drawn.
func BenchmarkOpen(b *testing.B) {
	for _, jobs := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			dir := b.TempDir()
			r := open(b, dir)
			for range jobs {
				_, tasks, err := r.Create(b.Context(), draft(1))
				if err != nil {
					b.Fatal(err)
				}
				c, err := r.Claim(b.Context(), record.ClaimRequest{Model: "m", Task: tasks[0], Lease: time.Hour})
				if err == nil {
					_, err = r.Succeed(b.Context(), c, record.Success{Object: job.Object{Key: "k"}})
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := open(b, dir).Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
