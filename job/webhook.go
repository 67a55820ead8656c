package job

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WebhookEvent names what a webhook tells its receiver. The names are part of
// the API: one is added, never changed.
type WebhookEvent string

const (
	WebhookJobStarted     WebhookEvent = "job.started"     // the first image started
	WebhookImageSucceeded WebhookEvent = "image.succeeded" // a picture is stored
	WebhookImageFailed    WebhookEvent = "image.failed"    // an image will not be tried again
	WebhookJobSucceeded   WebhookEvent = "job.succeeded"   // the last image ended, and all have their picture
	WebhookJobPartial     WebhookEvent = "job.partial"     // … and some have
	WebhookJobFailed      WebhookEvent = "job.failed"      // … and none has
	WebhookJobCanceled    WebhookEvent = "job.canceled"    // … because all were canceled

	// WebhookBudgetThreshold is of no job: a period of a budget reached a level.
	WebhookBudgetThreshold WebhookEvent = "budget.threshold"
)

// OfImage reports whether the event is about one image, and not about the job.
func (e WebhookEvent) OfImage() bool {
	return e == WebhookImageSucceeded || e == WebhookImageFailed
}

// EndedEvent returns the event of a job's end in a status, which must be terminal.
func EndedEvent(s Status) WebhookEvent { return "job." + WebhookEvent(s) }

// WebhookEvents returns all events of a job, in the order in which it has them.
func WebhookEvents() []WebhookEvent {
	return append([]WebhookEvent{WebhookJobStarted, WebhookImageSucceeded, WebhookImageFailed}, EndEvents()...)
}

// EndEvents returns the events that end a job. A receiver is told of these unless
// the caller says of which.
func EndEvents() []WebhookEvent {
	return []WebhookEvent{WebhookJobSucceeded, WebhookJobPartial, WebhookJobFailed, WebhookJobCanceled}
}

// Ends reports whether the event ends a job. Nothing changes about the job after
// it.
func (e WebhookEvent) Ends() bool { return slices.Contains(EndEvents(), e) }

// A Receiver is who is told of a job, as the caller asked.
type Receiver struct {
	URL    string         `json:"url"`
	Events []WebhookEvent `json:"events"` // that it is told of
}

// Wants reports whether the receiver is told of an event. Nobody wants any if r
// is nil.
func (r *Receiver) Wants(e WebhookEvent) bool { return r != nil && slices.Contains(r.Events, e) }

// WebhookState says how far the telling of an event is.
type WebhookState string

const (
	// WebhookWaiting means that a try is to come: a task of it exists, or the
	// sweep creates one.
	WebhookWaiting WebhookState = "waiting"
	// WebhookDelivered means that the receiver answered 2xx.
	WebhookDelivered WebhookState = "delivered"
	// WebhookGone means that the receiver answered 410 to this event or to
	// another of its job, and is told of this job no more.
	WebhookGone WebhookState = "gone"
	// WebhookFailed means that the last try failed, or that no try can succeed.
	WebhookFailed WebhookState = "failed"
)

// A Webhook is one event that a receiver is to be told of, as the record keeps it: a
// job's receiver, or the one of budgets. At most one is made of an event of a job, of an
// event of an image, or of a level of a budget's period.
type Webhook struct {
	ID    string // see WebhookID and BudgetWebhookID; sent as webhook-id with every try
	JobID string // empty for a budget's
	Event WebhookEvent
	Index int       // of the image that the event is about, if Event.OfImage
	At    time.Time // when the event happened
	// Version and Status are the job's as the event left it.
	Version int64
	Status  Status
	Budget  *BudgetReached // what is told of a budget; nil unless Event is WebhookBudgetThreshold

	State WebhookState
	// Tries counts the tries so far, those of earlier rounds included, so that
	// no number is used for two tries.
	Tries int
	// RoundFrom is what Tries was when the schedule last began: 0, or what it
	// was at the latest replay.
	RoundFrom int
	// Renewed counts how often the next try got a task in place of one that was
	// on the queue before. Tasks of before are not needed any more.
	Renewed int
	NextAt  time.Time    // when the next try is due; zero unless State is WebhookWaiting
	Log     []WebhookTry // the latest tries, MaxWebhookLog at most, the oldest first
}

// MaxWebhookLog is how many tries of a webhook are kept. It bounds what somebody
// who replays a webhook without end can fill.
const MaxWebhookLog = 30

// Task returns the task of the webhook's next try.
func (h Webhook) Task() WebhookTask {
	return WebhookTask{JobID: h.JobID, WebhookID: h.ID, Try: h.Tries + 1, Renewed: h.Renewed}
}

// WebhookID returns the name of the webhook of an event: the same for the same
// event, of letters, digits and "_". index is that of the image, if e.OfImage.
func WebhookID(jobID string, e WebhookEvent, index int) string {
	id := "msg_" + strings.ReplaceAll(jobID, "-", "") + "_" + strings.ReplaceAll(string(e), ".", "_")
	if e.OfImage() {
		id += "_" + strconv.Itoa(index)
	}
	return id
}

// WebhookFailure names why a try failed, for programs. It is empty for a try
// that did not. Names are part of the API: one is added, never changed.
type WebhookFailure string

const (
	WebhookRefusedURL     WebhookFailure = "refused_url"     // the URL is one that this service does not call
	WebhookRefusedAddress WebhookFailure = "refused_address" // the host has an address that is not public
	WebhookNoAddress      WebhookFailure = "no_address"      // DNS has no address of the host
	WebhookUnreachable    WebhookFailure = "unreachable"     // no connection
	WebhookBadTLS         WebhookFailure = "tls"             // no TLS, or a certificate that does not hold
	WebhookTimeout        WebhookFailure = "timeout"         // no answer in time
	WebhookBadAnswer      WebhookFailure = "bad_answer"      // the connection broke, or what came is no HTTP
	WebhookRedirect       WebhookFailure = "redirect"        // a 3xx, which is not followed
	WebhookStatus         WebhookFailure = "status"          // another status than 2xx
	WebhookInternal       WebhookFailure = "internal"        // a fault of this service
)

// A WebhookTry is one try to tell a receiver, for the log that its owner sees. Its
// JSON is how the record keeps it.
type WebhookTry struct {
	Number    int            `json:"number"` // from 1
	StartedAt time.Time      `json:"started_at"`
	Duration  time.Duration  `json:"duration"`
	Status    int            `json:"status,omitempty"`  // of the HTTP answer; 0 for none
	Failure   WebhookFailure `json:"failure,omitempty"` // empty if there was none
	Message   string         `json:"message,omitempty"` // a sentence that says what failed and is safe to show; empty if nothing did
	Answer    string         `json:"answer,omitempty"`  // the beginning of the answer's body, as printable text; see webhook.Sender
}

// A WebhookNote says how a try ended, and what follows.
type WebhookNote struct {
	JobID, WebhookID string
	Try              WebhookTry
	State            WebhookState
	// After is how long after now the next try is due, if State is
	// WebhookWaiting.
	After time.Duration
}

// A WebhookTask names one entry on the queue for webhooks. A delivery carries
// it.
type WebhookTask struct {
	JobID     string // empty for a webhook of a budget
	WebhookID string
	Try       int // whose turn it is, from 1
	PutOff    int // how often this try was put off because its receiver was busy
	Renewed   int // see Webhook.Renewed
}

// ID returns the task's name within its queue. The same task always has the
// same ID, so that the queue refuses to create it twice. It starts with a hash
// because sequential names make Cloud Tasks slow.
func (t WebhookTask) ID() string {
	id := fmt.Sprintf("%s-%d-%d-%d", t.WebhookID, t.Try, t.PutOff, t.Renewed)
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:4]) + "-" + id
}
