package job

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
)

// OfImage reports whether the event is about one image, and not about the job.
func (e WebhookEvent) OfImage() bool {
	return e == WebhookImageSucceeded || e == WebhookImageFailed
}

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

// A Webhook is one event that a job's receiver is to be told of, as the record
// keeps it.
type Webhook struct {
	ID    string // sent as webhook-id with every try; of letters, digits, "-" and "_"
	Event WebhookEvent
	Index int       // of the image that the event is about, if Event.OfImage
	At    time.Time // when the event happened
	URL   string    // of the receiver, from the request
	// Job is the job in the version that the event made. It never changes,
	// whatever becomes of the job afterwards. Its Ahead is nil.
	Job Job

	State WebhookState
	// Tries counts the tries so far, those of earlier rounds included, so that
	// no number is used for two tries.
	Tries int
	// RoundFrom is what Tries was when the schedule last began: 0, or what it
	// was at the latest replay.
	RoundFrom int
	NextAt    time.Time // when the next try is due; zero unless State is WebhookWaiting
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

// A WebhookTry is one try to tell a receiver, for the log that its owner sees.
type WebhookTry struct {
	Number    int // from 1
	StartedAt time.Time
	Duration  time.Duration
	Status    int            // of the HTTP answer; 0 for none
	Failure   WebhookFailure // empty if there was none
	Message   string         // a sentence that says what failed and is safe to show; empty if nothing did
	Answer    string         // the beginning of the answer's body, as printable text; see webhook.Sender
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
	JobID     string
	WebhookID string
	Try       int // whose turn it is, from 1
	PutOff    int // how often this try was put off because its receiver was busy
}

// ID returns the task's name within its queue. The same task always has the
// same ID, so that the queue refuses to create it twice. It starts with a hash
// because sequential names make Cloud Tasks slow.
func (t WebhookTask) ID() string {
	id := fmt.Sprintf("%s-%d-%d", t.WebhookID, t.Try, t.PutOff)
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:4]) + "-" + id
}
