package memory_test

import (
	"testing"

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
	t.Cleanup(func() { r.Close() })
	return r
}
