package record

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
)

const (
	// MaxTenants is how many tenants an Overview lists, at most.
	MaxTenants = 50
	// MaxEnded is how many ended jobs an Overview counts, at most.
	MaxEnded = 10_000
	// EndedSince is how far back an Overview counts ended jobs.
	EndedSince = 24 * time.Hour
	// UnsentAge is how long a task may take to its queue before an Overview's
	// Backlog counts it as unsent.
	UnsentAge = time.Minute
)

// An Overview is what an operator looks at first. Its parts are of one moment or
// nearly so.
type Overview struct {
	At       time.Time // the record's time, to compare times with
	Lanes    []LaneState
	InFlight map[string]int // images that are worked on, by the lane of their task; nil if there are none
	Models   []ModelState
	Backlog  Backlog
	Tenants  []TenantState // that have images waiting, those with the most first
	Waiting  int           // how many such tenants there are
	Ended    Ended
}

// A TenantState is what waits of one tenant.
type TenantState struct {
	Tenant  string
	Waiting int           // queued images, parked ones included
	Waits   time.Duration // how long the oldest of them has waited, since its job was recorded
}

// Ended counts the jobs that ended within EndedSince, or the latest MaxEnded of
// them.
type Ended struct {
	Jobs map[job.Status]int // nil if none did
	More bool               // there were more than MaxEnded
}
