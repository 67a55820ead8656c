package job

import "time"

// An Attempt is a claim of an image that has ended. One that goes on is told by
// its image.
type Attempt struct {
	Index    int // of the image
	Number   int // of the attempt among all of the image, from 1
	Lane     string
	Model    string // of the lane
	Tenant   string
	Dispatch int // how often the image had been put on a queue

	StartedAt time.Time     // when the image was claimed
	EndedAt   time.Time     //
	Waited    time.Duration // until it was claimed: since the attempt before ended, or the job was recorded
	Outcome   Outcome
	Counted   bool // it was not given back

	Report // what its claimant told; zero if somebody else ended the attempt
}

// Ran returns for how long the attempt had the image.
func (a Attempt) Ran() time.Duration { return max(0, a.EndedAt.Sub(a.StartedAt)) }

// Outcome says how an attempt ended. It is one of the four here, or the Code of the
// error that ended it. Operators' programs go by it: one is added, never changed.
type Outcome string

const (
	OutcomeSucceeded Outcome = "succeeded"  // its picture is stored
	OutcomeCanceled  Outcome = "canceled"   // the job was canceled meanwhile
	OutcomeLost      Outcome = "lost"       // its lease ran out: the worker died, or lost the record
	OutcomeGivenBack Outcome = "given_back" // nothing was wrong with it: its slot was missed, or the process ended
)

// A Report is what a worker tells of its attempt. Times are those of its own
// clock.
type Report struct {
	SlotAt       time.Time // the slot that the request had, or would have had
	AskedAt      time.Time // when the request was sent; zero if none was
	AnsweredAt   time.Time // when the provider's answer had come; zero if none did
	FinishReason string    // the provider's name for how it ended; empty if it gave none
	Detail       string    // the provider's words about a failure, secrets removed; at most MaxDetail bytes
	Bill         Bill
}

// Asked reports whether a request was sent.
func (r Report) Asked() bool { return !r.AskedAt.IsZero() }

// MaxDetail bounds Report.Detail, in bytes.
const MaxDetail = 500

// An Answer is what a provider's answer tells besides the picture.
type Answer struct {
	At           time.Time // when it had come; zero if none did
	FinishReason string    // as in Report
	Detail       string    // as in Report
	Tokens       *Tokens   // nil if it does not say
	CostMicros   int64     // of the tokens, in millionths of a US dollar; 0 if not known
	Estimated    bool      // the tokens are not all of a kind that the answer names
}

// Tokens counts by kind what an attempt was charged for.
type Tokens struct {
	Prompt  int64 // of all input, pictures too
	Text    int64 // of the answer
	Thought int64
	Image   int64 // of the answer
	Total   int64 // as the provider counts them
}
