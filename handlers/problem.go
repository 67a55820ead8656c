package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// retryAfter is after how many seconds a caller may repeat what the service
// could not do.
const retryAfter = "2"

// retryAfterMending is the same for what somebody has to mend first.
const retryAfterMending = "60"

// telling returns a handler that does what do does, and makes a problem of its
// error, as toProblem does.
func telling[I, O any](h *Jobs, do func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, toProblem(ctx, h.Log, err)
		}
		return out, nil
	}
}

// toProblem returns what a caller is told of an error, in the form of RFC 9457.
// Any error that the service has no words for is its own fault: toProblem logs it
// and does not show it.
func toProblem(ctx context.Context, log *slog.Logger, err error) error {
	var told huma.StatusError
	var full *enqueue.FullError
	var input *enqueue.InputError
	var upload *job.NoUploadError
	var costly *enqueue.CostError
	var budget *enqueue.BudgetError
	switch {
	case errors.As(err, &told):
		return err // whole: headers may be around it
	case errors.Is(err, record.ErrNotFound):
		return huma.Error404NotFound("There is no such job.")
	case errors.As(err, &full):
		return tooManyWaiting(ctx, full)
	case errors.As(err, &costly):
		return tooCostly(costly)
	case errors.As(err, &budget):
		return overBudget(budget)
	case errors.Is(err, enqueue.ErrNoPrice):
		c := &checker{}
		c.addFault("model", "cannot be drawn: a budget is set, and the price of the model is not known. Name a model whose price is known")
		return c.err()
	case errors.Is(err, record.ErrWaiting):
		return huma.Error409Conflict("The webhook is waiting for its next try already.")
	case errors.Is(err, enqueue.ErrOutOfBounds):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, enqueue.ErrNoLane):
		return huma.ErrorWithHeaders(
			huma.Error503ServiceUnavailable("No quota is configured for this model. Tell whoever runs the service."),
			http.Header{"Retry-After": {retryAfterMending}})
	case errors.As(err, &input) && errors.As(err, &upload):
		c := &checker{}
		c.addFault(fmt.Sprintf("input_images[%d]", input.Position), upload.Why)
		return c.err()
	case errors.Is(err, enqueue.ErrNotEnded):
		return huma.Error409Conflict("The job has not ended. Wait for its end, or cancel it, before it is retried.")
	case errors.Is(err, enqueue.ErrNothingToRetry):
		return huma.Error409Conflict("No picture of the job failed or was canceled.")
	case errors.Is(err, record.ErrIdempotencyMismatch):
		return huma.Error422UnprocessableEntity("The Idempotency-Key was used for another request. " +
			"Send the same body again, or use a new key.")
	}
	log.ErrorContext(ctx, "request failed", "error", err)
	return huma.ErrorWithHeaders(
		huma.Error503ServiceUnavailable("The service cannot do this now. Try again; with an Idempotency-Key, "+
			"a job that was accepted all the same is not recorded twice."),
		http.Header{"Retry-After": {retryAfter}})
}

// tooManyWaiting returns what the caller of a full queue is told.
func tooManyWaiting(ctx context.Context, full *enqueue.FullError) error {
	setting := "MAX_WAITING_PICTURES"
	if tenant(ctx).Limits.MaxWaiting > 0 {
		setting = "max_waiting_pictures in TENANTS"
	}
	seconds := strconv.Itoa(int(math.Ceil(full.RetryAfter.Seconds())))
	return huma.ErrorWithHeaders(
		huma.Error429TooManyRequests(fmt.Sprintf("%d pictures of this API key wait, and at most %d may "+
			"(%s): there is no room for this request's. Send it again after %s seconds, or cancel jobs.",
			full.Waiting, full.Most, setting, seconds)),
		http.Header{"Retry-After": {seconds}})
}

// A problem describes a refusal as callers see it (RFC 9457): the part of
// huma.ErrorModel that this service fills in.
type problem struct {
	Title  string  `json:"title" example:"Unprocessable Entity" doc:"The status in words."`
	Status int     `json:"status" minimum:"400" maximum:"599" example:"422" doc:"The answer's own status."`
	Detail string  `json:"detail" doc:"What is wrong, and what to do about it. For people."`
	Code   string  `json:"code,omitempty" example:"token_expired" doc:"Names the kind of refusal for programs, if it has a name. Codes are added, never changed."`
	Errors []fault `json:"errors,omitempty" maxItems:"20" doc:"Each fault of the request."`
}

// A fault is one thing that is wrong with a request.
type fault struct {
	Message  string `json:"message" doc:"What is wrong, for people."`
	Location string `json:"location,omitempty" example:"body.input_images[0]" doc:"Where, such as header.NAME, or body.FIELD."`
	Value    any    `json:"value,omitempty" doc:"What stands there, if it is short and no list or object."`
}

// WriteProblem answers with an RFC 9457 problem.
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	WriteCodedProblem(w, status, "", detail)
}

// WriteCodedProblem answers with an RFC 9457 problem that has a code for
// programs, empty for none.
func WriteCodedProblem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	doc, err := json.Marshal(struct {
		huma.ErrorModel

		Code string `json:"code,omitempty"`
	}{huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail}, code})
	if err != nil {
		return // the answer has the status alone
	}
	_, _ = w.Write(doc)
}

// advise says what to do about a body that did not come in time, where huma only
// says that it did not.
func advise(_ huma.Context, _ string, v any) (any, error) {
	if model, ok := v.(*huma.ErrorModel); ok && model.Status == http.StatusRequestTimeout {
		model.Detail = "The body did not come in time. Send the request again; " +
			"a picture that takes long to send can be given as an https URL instead."
	}
	return v, nil
}

// maxEchoed bounds how much of a bad value an error repeats, in bytes. The
// value may be a whole picture.
const maxEchoed = 100

// maxMessage bounds a message, which may quote a value too.
const maxMessage = 500

// shorten bounds how much a problem tells: it removes faults past the first
// ones, and large values.
func shorten(_ huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	if n := len(model.Errors); n > maxFaults {
		model.Errors = model.Errors[:maxFaults]
		model.Detail += fmt.Sprintf("; the first %d of %d errors are listed", maxFaults, n)
	}
	for _, detail := range model.Errors {
		detail.Message = clip(detail.Message)
		if !isShort(detail.Value) {
			detail.Value = nil
		}
	}
	return model, nil
}

// isShort reports whether an error may repeat the value. It measures no array
// and no object, since that costs as much as to write them.
func isShort(v any) bool {
	switch v := v.(type) {
	case string:
		return len(v) <= maxEchoed
	case bool, float64:
		return true
	}
	return false
}

func clip(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "…"
}
