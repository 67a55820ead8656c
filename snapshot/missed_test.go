package snapshot_test

import (
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/snapshot"
)

// What Redis missed is remembered up to a number of bytes, whatever its number:
// prompts may be long.
func TestMissedSnapshotsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	const limit = 1000
	missed := snapshot.NewMissed(limit)
	remember := func(id string, version int64, size int) {
		missed.Remember(snapshot.Snapshot{ID: id, Version: version, Status: job.StatusQueued, JSON: []byte(strings.Repeat("x", size))})
	}
	remember("a", 1, 400)
	remember("a", 2, 500) // in the place of the first
	remember("a", 1, 100) // is old
	remember("b", 1, 500)
	remember("c", 1, 1) // is one byte too many
	var got []string
	for {
		snap, ok := missed.Take()
		if !ok {
			break
		}
		got = append(got, snap.ID)
		if want := map[string]int64{"a": 2, "b": 1}[snap.ID]; snap.Version != want {
			t.Errorf("version %d of %s, want %d", snap.Version, snap.ID, want)
		}
	}
	if len(got) != 2 {
		t.Errorf("%v were remembered, want a and b", got)
	}
	remember("c", 1, limit) // there is room again
	if _, ok := missed.Take(); !ok {
		t.Error("what was taken still counts")
	}
}
