package record

import (
	"context"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// An AttemptKeeper keeps what became of each claim, and sums of that by the hour.
//
// What ends a claim records its attempt, once: Succeed, Fail and Requeue, with
// c.Report; Cancel, Expire, ExpireJob and Reap, and a Claim of an image whose lease
// has run out, without one. Requeue without a reason ends it as
// job.OutcomeGivenBack, Reap and Claim as job.OutcomeLost. The attempt counts unless
// Requeue gives it back. In the same transaction it is added to the sums of the
// hour in which it ended.
type AttemptKeeper interface {
	// NoteAttempt adds c.Report to the attempt of a claim that somebody else ended,
	// and to the sums of its hour, if a request was sent. It does nothing if the
	// attempt has a report, if the claim has not ended, or if the job is gone. So
	// it may be called again.
	//
	// stored tells that the attempt's picture is in the bucket. Then the next claim
	// of the image finds the picture and reports what it cost, so NoteAttempt does
	// nothing to an attempt that was lost.
	//
	// If the attempt was the image's last, NoteAttempt settles the image's reservation
	// with what the attempt was billed, also if no request was sent. If another one
	// follows, what it was billed is taken from that reservation.
	NoteAttempt(ctx context.Context, c Claim, stored bool) error

	// Attempts returns the attempts of a job that have ended, by image and number.
	// Delete and RetireAttempts remove them. There are none of a job that is not there.
	Attempts(ctx context.Context, jobID string) ([]job.Attempt, error)

	// RetireAttempts removes attempts that ended longer than AttemptsKept ago, those that
	// ended first first, limit at most, and returns how many. It leaves those of images
	// that have not ended. The image and the sums of hours stay as they are.
	RetireAttempts(ctx context.Context, limit int) (int, error)

	// Spend returns what a query asks for, ordered by time, lane, model, tenant and
	// code. What was removed by Delete is in it all the same. The cost grows with
	// the sums of the hours that are asked for, and not with attempts.
	Spend(ctx context.Context, q SpendQuery) ([]Spend, error)

	// ForgetSpend removes sums of hours that began at least age ago, limit at most,
	// and returns how many it removed.
	ForgetSpend(ctx context.Context, age time.Duration, limit int) (int, error)
}

// AttemptsKept is how long after its end an attempt is kept, unless its job is removed
// before.
const AttemptsKept = 400 * 24 * time.Hour

// A SpendQuery says which sums Spend returns, and by what they are told apart.
type SpendQuery struct {
	From, To time.Time // hours that begin at From or later, and before To
	// Zone is where days begin. With it, the sums are those of days; an hour is
	// part of the day in which it begins. Without it, they are those of hours. It
	// must have a name that the database knows, as those of time.LoadLocation
	// have.
	Zone *time.Location
	// Whole sums up the whole span, instead of its hours or days.
	Whole                        bool
	Lane, Model, Tenant, Outcome bool // whether sums are told apart by these
	Limit                        int  // of sums, the first ones; above 0
}

// A Spend is the sums of some attempts. What they are not told apart by is empty.
type Spend struct {
	At                  time.Time // when the hour or the day begins, in UTC; zero for the whole span
	Lane, Model, Tenant string
	Outcome             job.Outcome
	Sums
}

// Sums are what attempts came to.
type Sums struct {
	Pictures     int64
	Attempts     int64
	Tokens       job.Tokens // as far as answers told; Total is the sum of the others
	CostMicros   int64      // of all that was billed, in millionths of a US dollar
	WastedMicros int64      // the part of it that brought no picture
	// EstimatedMicros is the part of it that is estimated, because answers did not tell
	// all; see job.Bill. Versions from before this field did not count it.
	EstimatedMicros int64
	Waited, Ran     time.Duration
}

// Plus returns the sums of both.
func (s Sums) Plus(o Sums) Sums {
	s.Pictures += o.Pictures
	s.Attempts += o.Attempts
	s.Tokens.Prompt += o.Tokens.Prompt
	s.Tokens.Text += o.Tokens.Text
	s.Tokens.Thought += o.Tokens.Thought
	s.Tokens.Image += o.Tokens.Image
	s.Tokens.Total += o.Tokens.Total
	s.CostMicros += o.CostMicros
	s.WastedMicros += o.WastedMicros
	s.EstimatedMicros += o.EstimatedMicros
	s.Waited += o.Waited
	s.Ran += o.Ran
	return s
}

// Kept returns a report in the form in which attempts have it: to the microsecond,
// in UTC, and with texts that a database takes. What it counts against the most
// that its job may cost is kept with the image.
func Kept(r job.Report) job.Report {
	r.SlotAt, r.AskedAt, r.AnsweredAt = KeptTime(r.SlotAt), KeptTime(r.AskedAt), KeptTime(r.AnsweredAt)
	r.Detail, r.FinishReason = keptText(r.Detail), keptText(r.FinishReason)
	r.Bill.BoundMicros = 0
	if r.Bill.Tokens != nil {
		tokens := *r.Bill.Tokens
		r.Bill.Tokens = &tokens
	}
	return r
}

// KeptTime returns a time in the form that a record keeps: to the microsecond, in UTC.
func KeptTime(t time.Time) time.Time { return t.Round(0).UTC().Truncate(time.Microsecond) }

// keptText returns the first job.MaxDetail bytes of a text without what Postgres
// cannot keep.
func keptText(s string) string {
	return cut(strings.ReplaceAll(strings.ToValidUTF8(s, "�"), "\x00", ""), job.MaxDetail)
}

// Period returns the begin of the hour or of the day of q that an hour belongs to. It
// is zero if q is of the whole span.
func (q SpendQuery) Period(hour time.Time) time.Time {
	switch {
	case q.Whole:
		return time.Time{}
	case q.Zone == nil:
		return hour.UTC()
	}
	return q.Day(hour.In(q.Zone).Date())
}

// Day returns the begin of a day of q.
func (q SpendQuery) Day(year int, month time.Month, day int) time.Time {
	return job.DayBegin(year, month, day, q.Zone)
}
