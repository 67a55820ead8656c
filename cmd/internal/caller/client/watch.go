package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// stallAfter is after how much silence a stream is dead. The service sends a
	// comment every 15 s.
	stallAfter = 45 * time.Second
	// deafAfter is after how many streams in a row without an event the job is
	// polled.
	deafAfter = 3
	// mostFailures is after how many failures in a row, some minutes, a watch fails.
	mostFailures = 30
	// pollEvery is the least time from one poll to the next: an answer may come at
	// once in spite of the wait.
	pollEvery = 2 * time.Second
	// firstPause and mostPause bound the time before a stream is opened again.
	firstPause = 100 * time.Millisecond
	mostPause  = 5 * time.Second
)

// final has the statuses by which the service says that a watch is of no use.
var final = []int{400, 401, 403, 404, 409, 410, 422}

var (
	errStalled = errors.New("the stream is silent")
	errEnough  = errors.New("nobody wants more") // ends a stream from within
)

// Watch yields each version of a job that is newer than version, until the job has
// ended, or an error, which is the last. It follows server-sent events, and polls
// where those do not get through.
func (c *Client) Watch(ctx context.Context, id string, version int64) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		f := &follower{client: c, path: jobPath(id), version: version, retry: firstPause}
		for failures := 1; ; failures++ {
			err := f.follow(ctx, func(j *Job) bool {
				failures = 0
				return j == nil || f.hand(*j, yield)
			})
			if errors.Is(err, errEnough) {
				return
			}
			if ctx.Err() != nil {
				yield(Job{}, context.Cause(ctx))
				return
			}
			if err := f.meet(err, failures); err != nil {
				yield(Job{}, err)
				return
			}
			_ = sleep(ctx, f.pause(failures)) // the next try finds out that ctx has ended
		}
	}
}

// A follower is a watch between two tries.
type follower struct {
	client  *Client
	path    string
	version int64         // the latest that the caller has
	deaf    bool          // events do not get through
	retry   time.Duration // the least pause that the stream asked for
	etag    string
	least   time.Duration // the least pause that a refusal asked for
}

// hand hands the job on if it is new, and reports whether more is wanted.
func (f *follower) hand(j Job, yield func(Job, error) bool) bool {
	if j.HasEnded() || j.Version > f.version {
		f.version = j.Version
		if !yield(j, nil) {
			return false
		}
	}
	return !j.HasEnded()
}

func (f *follower) follow(ctx context.Context, yield func(*Job) bool) error {
	if f.deaf {
		return f.poll(ctx, yield)
	}
	return f.stream(ctx, yield)
}

// meet takes note of how a try to follow ended, and returns what ends the watch.
func (f *follower) meet(err error, failures int) error {
	refusal, refused := errors.AsType[*Error](err)
	isFinal := refused && slices.Contains(final, refusal.Status)
	if isFinal || failures >= mostFailures || (f.deaf && err != nil && !isTransient(err)) {
		if err == nil {
			err = &Error{Call: "GET " + f.path + "/events", Detail: "the streams have no events"}
		}
		return err
	}
	f.least = 0
	if refused {
		f.least = refusal.RetryAfter
	}
	f.deaf = f.deaf || failures >= deafAfter || (err != nil && !isTransient(err))
	return nil
}

// pause returns how long to wait after some failures in a row.
func (f *follower) pause(failures int) time.Duration {
	bound := f.retry
	for range failures - 1 {
		bound = min(mostPause, bound*2)
	}
	bound = min(mostPause, bound)
	return max(f.least, bound/2+rand.N(bound+1))
}

// stream yields what one stream of events has.
func (f *follower) stream(ctx context.Context, yield func(*Job) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(stallAfter, func() { cancel(errStalled) })
	defer stall.Stop()
	// The id of an event is the version that it has.
	what := call{method: http.MethodGet, path: f.path + "/events", header: map[string]string{
		"Accept": "text/event-stream", "Last-Event-ID": strconv.FormatInt(f.version, 10),
	}}
	answer, err := f.client.open(ctx, what)
	if err != nil {
		f.deaf = f.deaf || errors.Is(context.Cause(ctx), errStalled)
		return err
	}
	defer answer.Body.Close()
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		f.deaf = true // 204 says that there is nothing more; anything else is no stream
		return nil
	}
	body := &heard{Reader: answer.Body, on: func() { stall.Reset(stallAfter) }}
	err = f.read(body, yield)
	// What is in between may collect what it should hand on.
	f.deaf = f.deaf || (!body.any && errors.Is(context.Cause(ctx), errStalled))
	if err == nil || errors.Is(err, errEnough) {
		return err
	}
	return f.client.broken(what, cmpCause(ctx, err))
}

// read yields the jobs of a stream.
func (f *follower) read(stream io.Reader, yield func(*Job) bool) error {
	for e, err := range events(stream) {
		if err != nil {
			return err
		}
		if e.retry > 0 {
			f.retry = e.retry
		}
		if e.kind != "job" {
			continue
		}
		var j Job
		if err := json.Unmarshal([]byte(e.data), &j); err != nil {
			return err
		}
		if !yield(&j) {
			return errEnough
		}
	}
	return nil
}

// heard tells when something was read.
type heard struct {
	io.Reader

	on  func()
	any bool
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		h.any = true
		h.on()
	}
	return n, err
}

// poll yields what polls have, each held back until the job has ended or 25 s are
// over; nil if that is nothing new.
func (f *follower) poll(ctx context.Context, yield func(*Job) bool) error {
	for {
		next := time.Now().Add(pollEvery)
		what := call{method: http.MethodGet, path: f.path, header: map[string]string{"Prefer": "wait=25"}}
		if f.etag != "" {
			what.header["If-None-Match"] = f.etag
		}
		var found *Job
		err := f.client.send(ctx, what, func(answer *http.Response) error {
			found = nil
			if answer.StatusCode == http.StatusNotModified {
				return nil
			}
			f.etag = answer.Header.Get("ETag")
			found = &Job{}
			return decode(found)(answer)
		})
		if err != nil {
			return err
		}
		if !yield(found) {
			return errEnough
		}
		if err := sleep(ctx, time.Until(next)); err != nil {
			return err
		}
	}
}
