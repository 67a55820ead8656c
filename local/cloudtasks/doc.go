// Package cloudtasks emulates Google Cloud Tasks, version 2 of its API: queues and
// tasks over gRPC and REST for any official client, and deliveries that look and
// come as the service's do. It runs inside a Go test or behind a port.
//
//	emu, err := cloudtasks.Start("localhost:8123", cloudtasks.Options{})
//
// # What is modelled
//
// Each rule is documented by the vendor, recorded against the real service,
// reported by users, or inferred; the constants in limits.go and the comments say
// which.
//
//   - Every method of queues and tasks, batches included, with the service's checks,
//     codes and (where recorded) words; page tokens; response views; field masks.
//   - Rate: a token bucket at exactly max_dispatches_per_second, also below one a
//     second; retries take tokens too (documented). Its size is inferred: a fifth of
//     the rate and at least ten, so a queue of ten a minute can fire ten at once and
//     about twenty in its first minute. max_concurrent_dispatches (documented).
//   - Retries: the documented backoff, counted from the failure (recorded); giving up
//     only when max_attempts and max_retry_duration are both met (documented).
//   - Deliveries: at least once; the recorded headers; success is 2xx; at the
//     dispatch deadline the connection is closed and the attempt counts as a 504;
//     redirects are not followed, because a 302 was recorded as a failed attempt.
//   - Names of ended tasks and deleted queues stay taken (documented; for how long,
//     sources disagree).
//   - Slow-down of the whole queue when the worker answers 429 or 503, or fails often
//     (documented). How much is inferred: half the rate at each cut, doubling again
//     every ten seconds; Retry-After holds back the task that got it.
//   - Tokens: real RS256 ID tokens that Google's validator accepts through
//     Emulator.Transport; opaque OAuth tokens; a queue's HTTP target overrides.
//   - On request: duplicate deliveries and the slow start of an idle queue, which the
//     service shows too seldom to test against.
//
// # What is not
//
// There is no IAM: policies are kept and nothing is refused. There is no queue.yaml
// and no pull queue. Of version v2beta3, which is served too, batches and the
// lifetimes of a queue's tasks and names are missing. Queues do not fall asleep
// after 30 idle days. A purge is done at once; the service takes up to a minute. Tasks
// that are due at the same instant go in order of creation; the service promises no
// order. A paused queue drops tasks past their 31 days only when it is resumed. Filters
// of ListQueues know the state only. REST takes no parameter "fields".
//
// # Time
//
// All waiting is on one clock. With the zero Options it is the time package, so the
// emulator runs inside a testing/synctest bubble, with HandlerTransport in place of
// a socket. ManualClock does the same for tests that need real sockets.
package cloudtasks
