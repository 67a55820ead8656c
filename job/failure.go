package job

import (
	"fmt"
	"time"
)

// Code names a kind of failure for callers' programs. Codes are part of the
// API: one is added, never changed.
type Code string

const (
	CodeInvalidRequest    Code = "invalid_request"    // the provider refuses the request as it stands
	CodeBlocked           Code = "blocked"            // the provider's policy refuses the prompt or the picture
	CodeNoImage           Code = "no_image"           // the model answered, but without a picture
	CodeProviderError     Code = "provider_error"     // the provider failed, or its answer was lost
	CodeProviderTimeout   Code = "provider_timeout"   // the provider did not answer in time
	CodeQuotaExhausted    Code = "quota_exhausted"    // the provider's quota has no room now
	CodeLaneUnavailable   Code = "lane_unavailable"   // the provider refuses our key, project or model
	CodeStorageError      Code = "storage_error"      // the picture could not be stored
	CodeAttemptsExhausted Code = "attempts_exhausted" // every attempt ended without an answer
	CodeDeadlineExceeded  Code = "deadline_exceeded"  // the job's expires_at came first
	CodeMaxCostExceeded   Code = "max_cost_exceeded"  // another attempt could bring the job above what it may cost
	CodeInternal          Code = "internal"           // a fault of this service
)

// An Error is a failure as its job's owner may see it.
type Error struct {
	Code    Code
	Message string // a sentence that is safe to show: never a key, a URL with a signature, or another tenant's data
}

// Error implements error. It returns the code and the safe message.
func (e Error) Error() string { return string(e.Code) + ": " + e.Message }

// DeadlineExceeded returns the error of an image that did not end before its
// job's deadline.
func DeadlineExceeded() Error {
	return Error{Code: CodeDeadlineExceeded, Message: "The job's expires_at came before the picture did."}
}

// Remedy says what to do about a failed generation.
type Remedy int

const (
	// RemedyRetry means to try again later, on the same lane. It spends an
	// attempt.
	RemedyRetry Remedy = iota
	// RemedyFail means that the image cannot succeed: fail it now.
	RemedyFail
	// RemedyWait means that a limit of the provider is reached; Limit says
	// which. The image waits, or moves to another lane, and spends no attempt.
	RemedyWait
	// RemedyStop means that the lane itself is broken (key, billing, location,
	// model). The image is put back and spends no attempt.
	RemedyStop
)

// Limit is the limit of the provider that a RemedyWait ran into.
type Limit string

const (
	LimitMinute   Limit = "minute"   // requests a minute: the lane pauses for RetryAfter
	LimitDay      Limit = "day"      // requests a day: the lane pauses for RetryAfter, until the next day begins
	LimitSpend    Limit = "spend"    // spend cap: every lane of the billing account pauses
	LimitCapacity Limit = "capacity" // the provider is out of capacity: another lane, else back off
	LimitStorage  Limit = "storage"  // not the provider's: the bucket cannot be reached, back off
)

// A Failure is a failed attempt, with what to do about it. It is an error; its
// text is for the log and may hold the provider's words, secrets removed.
type Failure struct {
	Public  Error // what the job's owner is told if this is the last word
	Remedy  Remedy
	Limit   Limit // with RemedyWait
	Retries int   // with RemedyRetry: attempts that may follow this one at most; 0 is as many as the service allows
	// RetryAfter is how long to wait: what the provider asks for, or what is
	// known of the limit that was reached. It is 0 if neither is known.
	RetryAfter time.Duration
	// Billable tells that the provider may charge for the attempt although it
	// brought no picture, as after a time-out.
	Billable bool
	Answer   Answer // of the provider, as far as there was one
	Cause    error
}

// Error returns the public error with its cause, for the log.
func (f *Failure) Error() string {
	if f.Cause == nil {
		return f.Public.Error()
	}
	return fmt.Sprintf("%s: %v", f.Public.Code, f.Cause)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// SpendsAttempt reports whether an attempt that ended with f counts. One that
// has to wait for quota or for a broken lane does not.
func (f *Failure) SpendsAttempt() bool {
	return f.Remedy == RemedyRetry || f.Remedy == RemedyFail
}

// ByProvider reports whether the provider is at fault and not the request. Many
// such failures in a row mean that the provider should be left alone.
func (f *Failure) ByProvider() bool {
	return f.Remedy == RemedyRetry && (f.Public.Code == CodeProviderError || f.Public.Code == CodeProviderTimeout)
}

// Final reports whether an image that failed with f on its attempt-th attempt
// (the first is 1) must fail. maxAttempts is how many the service allows.
func (f *Failure) Final(attempt, maxAttempts int) bool {
	switch f.Remedy {
	case RemedyFail:
		return true
	case RemedyRetry:
		return attempt >= maxAttempts || f.Retries > 0 && attempt > f.Retries
	default:
		return false
	}
}
