// Package snapshot shows jobs to callers: what of a job they see, and how they
// learn of its changes. Record wraps the record, so that every transition
// leaves the job's snapshot in Redis, as callers see it, and tells those who
// wait. Polling then costs the database nothing, and a web app may read the
// snapshot itself.
//
// Redis is never the truth and never fails a job. While it is away, callers
// are served from the record; what it missed meanwhile is written when it is
// back, and no reader trusts an unfinished job's snapshot for longer than
// MaxAge.
package snapshot

import (
	"encoding/json"
	"fmt"

	"github.com/ai-worker/ai-worker/job"
)

// A Snapshot is one version of a job in the form that callers see.
type Snapshot struct {
	JSON []byte `json:"-"`

	// What JSON says, for whoever hands it on.
	ID      string     `json:"id"`
	Tenant  string     `json:"tenant"`
	Version int64      `json:"version"`
	Status  job.Status `json:"status"`
}

// Parse reads what a caller's job object says of itself.
func Parse(doc []byte) (Snapshot, error) {
	var s Snapshot
	if err := json.Unmarshal(doc, &s); err != nil {
		return Snapshot{}, fmt.Errorf("snapshot: parse: %w", err)
	}
	s.JSON = doc
	return s, nil
}
