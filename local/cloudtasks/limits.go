package cloudtasks

import "time"

// What the service does by default and allows at most. Each group says where it
// is known from: documented by the vendor, recorded against the real service, or
// inferred here.

// Documented: what a queue gets for a setting that its creator left out.
const (
	defaultRate          = 500.0 // dispatches a second
	defaultConcurrent    = 1000
	defaultMaxAttempts   = 100
	defaultMinBackoff    = 100 * time.Millisecond
	defaultMaxBackoff    = time.Hour
	defaultMaxDoublings  = 16
	defaultDeadline      = 10 * time.Minute // dispatch_deadline of an HTTP task
	unlimitedAttempts    = -1
	taskRetention        = 31 * 24 * time.Hour // then a task is deleted, dispatched or not
	maxQueuePageSize     = 9800
	maxTaskPageSize      = 1000
	maxBatchCreate       = 100
	maxBatchDelete       = 1000
	defaultOAuthScope    = "https://www.googleapis.com/auth/cloud-platform"
	httpUserAgent        = "Google-Cloud-Tasks"
	appEngineUserAgent   = "AppEngine-Google; (+http://code.google.com/appengine)"
	appEngineContentType = "application/octet-stream" // of a body whose creator named none
)

// Documented, and recorded as InvalidArgument when exceeded.
const (
	maxRate           = 500.0
	maxConcurrent     = 5000
	minDeadline       = 15 * time.Second
	maxDeadline       = 30 * time.Minute
	maxEngineDeadline = 24*time.Hour + 15*time.Second
	maxScheduleAhead  = 720 * time.Hour
	maxURLLength      = 2083
	maxHeaderBytes    = 80 << 10
	maxQueueIDLength  = 100
	maxTaskIDLength   = 500
)

// maxStoredTask is the largest task that is accepted, in bytes of the stored
// message: the task with the service's defaults filled in. Recorded: 1 MiB less 7
// bytes, for both kinds of target. Older pages name smaller sizes.
const maxStoredTask = 1<<20 - 7

// Tombstones. A task's name is documented as taken for "up to 24 hours", and for
// one hour in older pages: the shorter one is the default, so that code which
// relies on more than an hour of de-duplication fails here. A queue's name is
// documented as taken for 3 days.
const (
	defaultTaskTombstone  = time.Hour
	defaultQueueTombstone = 3 * 24 * time.Hour
)

// The size of a queue's token bucket is output only and its formula is not
// published. Recorded: 500/s has 100, 5/s has 10, 1/s has 10. Inferred: a fifth
// of the rate, and never less than 10, which fits all three. So a queue of ten a
// minute can fire ten at once.
const (
	minBurst     = 10
	burstPerRate = 1.0 / 5
	burstSlack   = 1e-9 // of a token: what float rounding may leave short
)

// The slow-down of a whole queue after a 429, a 503 or many failures is
// documented; how much, and how fast it recovers, is not. Inferred: the rate is
// halved, at most once for the answers to what was sent since the last cut, never
// below a sixty-fourth, and then doubles every ten seconds until it is back.
const (
	slowDownFactor   = 0.5
	slowDownFloor    = 1.0 / 64
	slowDownDoubling = 10 * time.Second
)

// "The rate of errors is high" is documented as a reason to slow down, without a
// number. Inferred: half of the last 20 answers.
const (
	errorWindowSize = 20
	errorWindowMax  = 10
)

// maxRetryAfter caps what a worker's Retry-After may ask for. The documentation
// says only that the header is "considered". Inferred: it holds back the task
// that was refused, for an hour at most.
const maxRetryAfter = time.Hour

// The slow start of an idle or a new queue is documented; reported once: a queue
// of 50/s took about two minutes. Inferred: a sixteenth of the rate at first,
// doubling every 30 seconds; idle is ten minutes without a dispatch.
const (
	slowStartFactor   = 1.0 / 16
	slowStartDoubling = 30 * time.Second
	slowStartIdle     = 10 * time.Minute
)

// What X-CloudTasks-TaskPreviousResponse says of an attempt without an answer.
// Recorded: 504 after the dispatch deadline of an HTTP task, 0 of an App Engine
// task. Inferred: 0 when there was no connection at all.
const (
	statusDeadline   = 504
	statusNoResponse = 0
)
