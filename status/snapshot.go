package status

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

// ParseSnapshot reads what a caller's job object says of itself.
func ParseSnapshot(doc []byte) (Snapshot, error) {
	var s Snapshot
	if err := json.Unmarshal(doc, &s); err != nil {
		return Snapshot{}, fmt.Errorf("status: snapshot: %w", err)
	}
	s.JSON = doc
	return s, nil
}
