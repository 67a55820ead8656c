// Package snapshot shows jobs to callers. It decides what callers see of a job,
// and how they learn of its changes. Record wraps a record: after every
// transition it stores the job's snapshot in Redis, as callers see it, and
// tells those who wait. So polling costs the database nothing, and a web app
// may read the snapshots itself.
//
// Redis is never the truth and never fails a job. While it is away, callers are
// served from the record. What Redis missed meanwhile is written when it is
// back. No reader trusts an unfinished job's snapshot for longer than MaxAge.
package snapshot

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A Snapshot is one version of a job in the form that callers see.
type Snapshot struct {
	JSON []byte `json:"-"`

	// The fields of JSON that this program itself needs.
	ID      string     `json:"id"`
	Tenant  string     `json:"tenant"`
	Version int64      `json:"version"`
	Status  job.Status `json:"status"`
	// ExpiresAt and Progress tell whether images wait past the job's deadline.
	ExpiresAt time.Time        `json:"expires_at"`
	Progress  ProgressResource `json:"progress"`
	// QueuePosition and URLExpiresAt change without a new version.
	QueuePosition *int       `json:"queue_position"`
	URLExpiresAt  *time.Time `json:"url_expires_at"`

	// partial tells that images wait, and that the snapshot does not say for how
	// long: it was made by a transition, and only a read of the record tells.
	partial bool
}

// Tag returns a text that is another one once callers should look again: with a
// new version, when the job has moved up in the queue, and when there are newer
// URLs of its pictures.
func (s Snapshot) Tag() string {
	tag := strconv.FormatInt(s.Version, 10)
	if s.QueuePosition != nil {
		tag += ".q" + strconv.Itoa(*s.QueuePosition)
	}
	if s.URLExpiresAt != nil {
		tag += ".u" + strconv.FormatInt(s.URLExpiresAt.Unix(), 36)
	}
	return tag
}

// overdue reports whether images wait although the job's deadline has passed.
func (s Snapshot) overdue(now time.Time) bool {
	return s.Progress.Queued > 0 && !s.ExpiresAt.After(now)
}

// Parse reads a snapshot from a job object as callers see it.
func Parse(doc []byte) (Snapshot, error) {
	var s Snapshot
	if err := json.Unmarshal(doc, &s); err != nil {
		return Snapshot{}, fmt.Errorf("snapshot: parse: %w", err)
	}
	s.JSON = doc
	return s, nil
}
