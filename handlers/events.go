package handlers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
)

// eventsType is the type of a stream of events.
const eventsType = "text/event-stream"

const (
	// MaxStream is how long a stream of events lasts at most. The time-out of a
	// request on Cloud Run, which Terraform sets to 15 minutes, must be longer:
	// it cuts a stream anywhere, even in the middle of an event.
	MaxStream = 14 * time.Minute
	// heartbeat is after how long without an event a stream gets a comment, so
	// that nothing in between takes it for dead.
	heartbeat = 15 * time.Second
	// writeTimeout bounds one write. A caller that does not read for so long
	// loses its stream. It is below the 7 s that running requests have after
	// SIGTERM.
	writeTimeout = 5 * time.Second
	// retryMillis is after what time a browser connects again, in milliseconds.
	retryMillis = 2000
	// padding is the length of the comment that a stream begins with, in bytes.
	// Safari shows nothing before it has 1 KiB.
	padding = 2 << 10
)

var (
	errStreamOver = errors.New("14 minutes are over")
	errDraining   = errors.New("this instance ends")
)

// Events serves GET /api/jobs/{id}/events: each version of a job as an event of
// text/event-stream, until the job has ended.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
func (h *Jobs) Events(w http.ResponseWriter, r *http.Request) {
	snap, err := h.getOwn(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		writeError(w, toProblem(r.Context(), h.Log, err))
		return
	}
	s := &stream{w: w, conn: http.NewResponseController(w), last: lastEventID(r)}
	if snap.Status.Terminal() && snap.Version == s.last {
		w.WriteHeader(http.StatusNoContent) // a browser stops at this, and connects again after anything else
		return
	}
	release, ok := h.held.take(tenant(r.Context()))
	if !ok {
		writeError(w, tooManyHeld())
		return
	}
	defer release()
	header := w.Header()
	header.Set("Content-Type", eventsType)
	header.Set("Cache-Control", "no-cache, no-transform")
	header.Set("X-Accel-Buffering", "no") // nginx would collect events
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return
	}
	ctx, stop := h.streamContext(r.Context())
	defer stop()
	h.stream(ctx, s, snap)
}

// lastEventID returns the version that a caller has already, 0 if it has none.
// Code that stands in for EventSource cannot always set the header.
func lastEventID(r *http.Request) int64 {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("last_event_id")
	}
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0 // another server's
	}
	return version
}

// streamContext returns a context that ends when a stream must: with its
// request, after MaxStream, and as soon as the process is told to end.
func (h *Jobs) streamContext(ctx context.Context) (context.Context, func()) {
	limited, stopTimer := context.WithTimeoutCause(ctx, MaxStream, errStreamOver)
	ctx, cancel := context.WithCancelCause(limited)
	stopDraining := func() bool { return true }
	if h.Draining != nil {
		stopDraining = context.AfterFunc(h.Draining, func() { cancel(errDraining) })
	}
	return ctx, func() {
		stopDraining()
		cancel(nil)
		stopTimer()
	}
}

// stream sends snap and all that follows it, until the job has ended or ctx
// has.
func (h *Jobs) stream(ctx context.Context, s *stream, snap snapshot.Snapshot) {
	watch := h.Snapshots.Watch(ctx, snap.ID)
	defer watch.Close()
	err := s.begin()
	for err == nil {
		if err = s.send(snap); err != nil || snap.Status.Terminal() {
			return
		}
		snap, err = s.next(ctx, watch)
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(err, record.ErrNotFound):
		_ = s.comment("the job was removed") // the stream ends in any case, as below
	case errors.Is(cause, errStreamOver), errors.Is(cause, errDraining):
		_ = s.comment(cause.Error() + "; connect again")
	}
}

// A stream is an answer of events. Each write of it is bounded in time.
type stream struct {
	w    http.ResponseWriter
	conn *http.ResponseController
	last int64     // version that the caller has
	beat time.Time // when the next comment is due
}

// begin sends what makes a browser show events at once, and connect again soon.
func (s *stream) begin() error {
	return s.write(fmt.Sprintf("retry: %d\n:%s\n\n", retryMillis, strings.Repeat(" ", padding)))
}

// send sends a job, unless the caller has it already. A caller may have a newer
// version than a stale snapshot shows. The end of the job is always told.
func (s *stream) send(snap snapshot.Snapshot) error {
	if snap.Version == s.last || snap.Version < s.last && !snap.Status.Terminal() {
		return nil
	}
	s.last = snap.Version
	return s.write(fmt.Sprintf("event: job\nid: %d\ndata: %s\n\n", snap.Version, snap.JSON))
}

func (s *stream) comment(text string) error { return s.write(": " + text + "\n\n") }

// next waits for the next version of the job, and sends comments meanwhile. It
// outlasts a record that cannot be reached, since a browser does not connect
// again after a 503. It fails if the job was removed, if the caller does not
// read, and when ctx ends.
func (s *stream) next(ctx context.Context, watch *snapshot.Watch) (snapshot.Snapshot, error) {
	for {
		beat, cancel := context.WithDeadline(ctx, s.beat)
		snap, err := watch.Next(beat)
		isDue := beat.Err() != nil
		cancel()
		switch {
		case err == nil, errors.Is(err, record.ErrNotFound):
			return snap, err
		case ctx.Err() != nil:
			return snap, ctx.Err()
		case isDue:
			if err := s.comment("still here"); err != nil {
				return snap, err
			}
		}
	}
}

// write sends text at once. An error means that the connection is of no use any
// more.
func (s *stream) write(text string) error {
	s.beat = time.Now().Add(heartbeat)
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	if err := s.conn.Flush(); err != nil {
		return err
	}
	// A deadline that passes between two writes would end a stream of HTTP/2.
	return s.conn.SetWriteDeadline(time.Time{})
}

// writeError answers with an error of the API.
func writeError(w http.ResponseWriter, err error) {
	if headers, ok := errors.AsType[huma.HeadersError](err); ok {
		maps.Copy(w.Header(), headers.GetHeaders())
	}
	model, ok := errors.AsType[*huma.ErrorModel](err)
	if !ok {
		model = &huma.ErrorModel{Status: http.StatusInternalServerError}
	}
	WriteProblem(w, model.Status, model.Detail)
}

// DescribeEvents adds the stream of events to the description of api. The
// handler is none of huma's.
func DescribeEvents(api huma.API, path string) {
	text := &huma.Schema{Type: huma.TypeString}
	events := answerOf[string]("Events of type job. The data of each is a JobResource, on one line.", "Cache-Control", "X-Accel-Buffering")
	events.contentType = eventsType
	api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "get-job-events", Method: http.MethodGet, Path: path,
		Summary: "Follow a job",
		Description: "Sends the whole job as an event of type job each time that it changes; the event's id is the job's version. " +
			"The stream ends after the job's last event, and after 14 minutes. A caller that connects again gets what it has not seen, " +
			"and 204 if that is nothing more.",
		Parameters: []*huma.Param{
			{Name: "id", In: "path", Required: true, Description: "The job's id.", Schema: text},
			{Name: "Last-Event-ID", In: "header", Description: "The version that the caller has.", Schema: text},
			{Name: "last_event_id", In: "query", Description: "The same, for code that cannot set the header.", Schema: text},
		},
		Metadata: answersWith(map[int]answer{
			http.StatusOK:              events,
			http.StatusNoContent:       {says: "The job has ended, and the caller has its last version: do not connect again."},
			http.StatusTooManyRequests: {},
		}),
		Security: readSecurity(api),
	})
}
