package record

import (
	"context"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A Board is what operators read of all tenants' work. It changes nothing. A call
// costs the same however many jobs wait or have ended, because each looks at a
// bounded number of jobs, images or attempts. Where that bound was reached, the
// answer says so.
type Board interface {
	// Search returns a page of the jobs that match all of q, the newest first: by
	// id, which begins with a time. It looks at jobs, one after the other, until the
	// page is full or it has looked at q.Look() of them. A page may thus be short, or
	// empty, and still have a next one. A job that is removed meanwhile is left out.
	// What is no id, no cursor or no text that a record can keep matches nothing.
	Search(ctx context.Context, q SearchQuery) (SearchPage, error)

	// Count counts the jobs that match q, by their status. It looks at q.Look() jobs at
	// most, and goes by neither q.Cursor nor q.Limit.
	Count(ctx context.Context, q SearchQuery) (StatusTally, error)

	// Pictures returns a page of the jobs that have stored pictures, the newest
	// first, with these. It looks at jobs as Search does.
	Pictures(ctx context.Context, q PictureQuery) (PicturePage, error)

	// Activity returns what waits where, and what became of attempts of late.
	Activity(ctx context.Context) (Activity, error)

	// Slots returns what became of the attempts that were begun since a time, minute
	// by minute: on one lane, or on all if lane is empty. It looks at the latest
	// MaxAttempts attempts of all lanes that ended since then. Attempts that go on
	// are not in it.
	Slots(ctx context.Context, lane string, since time.Time) (Slots, error)

	// Errors returns groups of the attempts that failed since a time, the largest
	// first, limit at most. It looks at the latest MaxFailures of them. An attempt
	// failed unless it succeeded, was canceled, or was given back without a reason.
	Errors(ctx context.Context, since time.Time, limit int) (ErrorGroups, error)

	// LaneFailures returns groups of one lane's attempts that failed since a time, with
	// the latest attempts of each: those that failed last first, limit at most. Attempts
	// are a group if they have the same outcome, and words that differ in no more than
	// which digits they have. It looks at the latest MaxFailures attempts of all lanes
	// that failed.
	LaneFailures(ctx context.Context, lane string, since time.Time, limit int) (LaneFailures, error)
}

const (
	// MaxSearched is how many jobs Search and Count look at, at most.
	MaxSearched = 100_000
	// MaxSearchedInto is the same if they have to look at the images of each job.
	MaxSearchedInto = 20_000
	// MaxCounted is how many jobs MeasureBulk counts, at most.
	MaxCounted = 10_000
	// MinIDPart is how many hex digits of an id Search takes, at least.
	MinIDPart = 8
)

// A SearchQuery says which jobs Search returns. What is empty is not asked for. Bulks
// are kept with theirs.
type SearchQuery struct {
	ID       string       `json:"id,omitempty"` // the whole id or its beginning, of MinIDPart hex digits or more
	Tenant   string       `json:"tenant,omitempty"`
	Statuses []job.Status `json:"statuses,omitempty"` // any of these
	// Recorded at After or later, and before Before, by the time in the id: that of
	// the instance that took the request, to the millisecond.
	After  time.Time `json:"after,omitzero"`
	Before time.Time `json:"before,omitzero"`
	// The job's pictures cost at least so much so far, in millionths of a US dollar,
	// without what brought none.
	MinCostMicros int64  `json:"min_cost_micros,omitempty"`
	Text          string `json:"text,omitempty"` // a part of the prompt, in any case; see SearchText

	// These are of one and the same image of the job.
	Code  job.Code `json:"code,omitempty"`  // of its error
	Lane  string   `json:"lane,omitempty"`  // where it waits; if it does not, where it was last claimed; if it never was, where it waited
	Model string   `json:"model,omitempty"` // that draws it

	// Jobs that ended then or later match whatever Statuses says; the zero time for
	// none. See Bulk.
	EndedSince time.Time `json:"ended_since,omitzero"`

	Cursor string `json:"cursor,omitempty"` // Next of the page before; empty for the first page
	Limit  int    `json:"limit,omitempty"`  // jobs on a page; above 0
}

// A SearchPage is what Search returns at once.
type SearchPage struct {
	Jobs   []BoardJob
	Next   string    // Cursor of the next page; empty if there is no job left to look at
	Looked int       // how many jobs were looked at for this page
	Since  time.Time // when the last of these was recorded; zero if there was none
}

// A BoardJob is one line of a list of jobs.
type BoardJob struct {
	ID       string
	Tenant   string
	Status   job.Status
	Progress job.Progress
	Prompt   string // the first MaxBoardPrompt bytes
	Model    string // that the caller asked for

	CreatedAt, StartedAt, CompletedAt time.Time // as in job.Job

	CostMicros int64      // of its pictures so far, in millionths of a US dollar
	Error      *job.Error // of its first image that has one; nil if none has
}

// MaxBoardPrompt bounds BoardJob.Prompt, in bytes.
const MaxBoardPrompt = 200

// A Tally is how many jobs there are, as far as they were counted.
type Tally struct {
	Jobs   int
	More   bool      // there may be more: as many were counted as may be, or not all were looked at
	Looked int       // how many jobs were looked at
	Since  time.Time // when the last of these was recorded; zero if there was none
}

// A StatusTally is how many jobs there are, in all and in each state.
type StatusTally struct {
	Tally

	ByStatus map[job.Status]int // states that there are
}

// Add counts jobs of a status.
func (t *StatusTally) Add(status job.Status, jobs int) {
	if jobs == 0 {
		return
	}
	if t.ByStatus == nil {
		t.ByStatus = make(map[job.Status]int)
	}
	t.Jobs += jobs
	t.ByStatus[status] += jobs
}

// A PictureQuery says which pictures are asked for. What is empty is not asked
// for.
type PictureQuery struct {
	Tenant string
	Model  string // that drew at least one of the job's pictures
	Cursor string // Next of the page before; empty for the first page
	Limit  int    // jobs on a page; above 0
}

// A PicturePage is what Pictures returns at once.
type PicturePage struct {
	Jobs   []PictureJob
	Next   string    // as in SearchPage, and so are these
	Looked int       //
	Since  time.Time //
}

// A PictureJob is a job with all its stored pictures.
type PictureJob struct {
	ID        string
	Tenant    string
	Status    job.Status
	Prompt    string // the first MaxBoardPrompt bytes
	Model     string // that the caller asked for
	CreatedAt time.Time
	Pictures  []StoredPicture // by index; at least one
}

// A StoredPicture is a stored picture of a job.
type StoredPicture struct {
	Index       int // of the image
	Object      job.Object
	CostMicros  int64  // in millionths of a US dollar, 0 if not known
	Seed        *int32 // nil if none was asked for
	CompletedAt time.Time
}

const (
	// MaxHeads is how many waiting images of a group Activity looks at, at most.
	MaxHeads = 1000
	// ActivitySince is how far back Activity looks at attempts.
	ActivitySince = time.Hour
	// MaxAttempts is how many attempts Activity and Slots look at, at most.
	MaxAttempts = 50_000
	// PaceStretch is how long a stretch of Activity.Paces is.
	PaceStretch = 5 * time.Minute
	// MaxPaces is of how many attempts Activity measures how long they took, at
	// most.
	MaxPaces = 1000
)

// An Activity is what goes on, besides what an operator knows from counters.
type Activity struct {
	At time.Time // the record's time, to compare times with
	// Waits is by lane, model and priority; images that no lane serves come first.
	// Those that a budget holds are in none: they wait for no lane.
	Waits []Wait

	Lanes []LaneActivity // that had attempts, by name
	// Paces is how long attempts of all lanes waited and ran that succeeded, by when
	// they ended, in order. Stretches in which none did are left out.
	Paces []Pace
	// Since is from when on Lanes and Paces are complete: ActivitySince ago, or when the
	// earliest of the latest MaxAttempts ended.
	Since time.Time
}

// Oldest returns how long the oldest image has waited, of each lane on which one waits.
func (a Activity) Oldest() map[string]time.Duration {
	oldest := make(map[string]time.Duration)
	for _, w := range a.Waits {
		oldest[w.Lane] = max(oldest[w.Lane], a.At.Sub(w.Oldest))
	}
	return oldest
}

// A Wait is what waits on one lane of one model and priority.
type Wait struct {
	Lane     string // empty for parked images: no lane serves their model
	Model    string
	Priority job.Priority
	// Images is how many wait, or the first MaxHeads of them in the order of turns.
	// Oldest is when the job of the oldest of these was recorded.
	Images int
	More   bool // there are more than MaxHeads: Oldest is as far as those tell
	Oldest time.Time
}

// A LaneActivity is what became of a lane's attempts that ended of late.
type LaneActivity struct {
	Lane     string
	Outcomes map[job.Outcome]int
	// How long attempts of the lane waited and ran, of the latest MaxPaces of all
	// lanes that succeeded. Others would tell of other things: a refusal is quick.
	Wait, Run Runs
}

// A Pace is how long attempts waited and ran that succeeded within PaceStretch from a
// time.
type Pace struct {
	At        time.Time // a whole number of PaceStretch since midnight, UTC
	Wait, Run Runs
}

// Slots are minutes of lanes.
type Slots struct {
	Lanes []LaneSlots // that had attempts, by name
	// Since is from when on this is complete: the time that was asked for, or when
	// the earliest of the latest MaxAttempts ended.
	Since time.Time
}

// A LaneSlots is what became of one lane's attempts.
type LaneSlots struct {
	Lane    string
	Minutes []Minute // that had attempts, in order
}

// A Minute counts the attempts that were begun in one minute.
type Minute struct {
	At      time.Time // when the minute begins
	Drawn   int       // succeeded
	Limited int       // ended with job.CodeQuotaExhausted
	Failed  int       // ended otherwise, as Errors counts them
	Other   int       // canceled, or given back without a reason
}

const (
	// MaxFailures is how many attempts Errors looks at, at most.
	MaxFailures = 20_000
	// MaxErrorDetail bounds ErrorGroup.Detail, in characters.
	MaxErrorDetail = 120
	// MaxErrorTenants bounds ErrorGroup.Tenants.
	MaxErrorTenants = 5
	// ErrorHours is how many hours ErrorGroup.Hours has.
	ErrorHours = 24
)

// ErrorGroups are attempts that failed.
type ErrorGroups struct {
	At     time.Time // the record's time
	Groups []ErrorGroup
	More   bool // there are more groups than were asked for
	Looked int  // how many attempts were looked at
	// Since is from when on this is complete: the time that was asked for, or when
	// the earliest of the latest MaxFailures ended.
	Since time.Time
}

// An ErrorGroup is the attempts that failed alike. Outcome, Detail and Lane name
// it.
type ErrorGroup struct {
	Outcome job.Outcome
	Detail  string // the provider's words as NormalDetail returns them; may be empty
	Lane    string

	Attempts    int
	First, Last time.Time // when the first and the last of these ended
	Tenants     []string  // MaxErrorTenants at most: those with the most attempts, then by name
	TenantCount int       // how many there are
	// Hours counts attempts by hours back from At. The last is the hour until At.
	Hours [ErrorHours]int
	// The latest attempt, as a sample.
	JobID  string
	Index  int // of the image
	Number int // of the attempt
}

// MaxFailureSamples bounds LaneFailure.Latest.
const MaxFailureSamples = 5

// LaneFailures are attempts of a lane that failed.
type LaneFailures struct {
	At     time.Time // the record's time
	Groups []LaneFailure
	More   bool // there are more groups than were asked for
	// Since is from when on this is complete: the time that was asked for, or when
	// the earliest of the latest MaxFailures ended.
	Since time.Time
}

// A LaneFailure is the attempts of a lane that failed alike.
type LaneFailure struct {
	Outcome  job.Outcome
	Attempts int
	First    time.Time       // when the first of these ended
	Latest   []FailedAttempt // the latest first, MaxFailureSamples at most
}

// A FailedAttempt is one of a LaneFailure.
type FailedAttempt struct {
	EndedAt time.Time
	Detail  string // the provider's words, as kept; may be empty
	JobID   string
	Index   int // of the image
	Number  int // of the attempt
}
