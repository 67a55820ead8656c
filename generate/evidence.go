package generate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/genai"

	"github.com/ai-worker/ai-worker/job"
)

// evidence is everything that is known about a call that gave no picture.
type evidence struct {
	unsent    bool  // no request was sent, because of what it asks for
	unreached bool  // the request did not reach Gemini
	late      bool  // the caller's deadline passed
	err       error // why there is no whole answer

	status      int                            // of HTTP; 0 without an answer
	resp        *genai.GenerateContentResponse // nil unless it was decoded
	header      http.Header
	body        errorBody // of an answer that is an error
	blockReason string    // of an answer that refuses the prompt
	finish      string    // finishReason of an answer without a picture
	message     string    // the provider's words on either
}

// evidenceOf collects the evidence of a call: what the transport noted, what
// the SDK returned, if anything, and the error that ended it, if there was one.
func evidenceOf(a *answer, resp *genai.GenerateContentResponse, err error) *evidence {
	e := &evidence{
		unsent:    !a.sent,
		unreached: a.connWanted && !a.connGot,
		err:       err,
		status:    a.status,
		header:    a.header,
	}
	if a.sent && a.err != nil { // the SDK wraps it, with the URL
		e.err = a.err
	}
	if a.sent && a.err == nil && a.ok() && err != nil {
		e.err = undecodable(err)
	}
	b := a.body()
	if b.Error != nil {
		e.body = *b.Error
	}
	if resp != nil {
		e.resp = resp
		e.noteRefusal(resp, b)
	}
	return e
}

// undecodable returns why the SDK could not decode an answer. The SDK's own
// text is of no use, because it repeats the whole body.
func undecodable(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, errUndecodable), errors.Is(err, errNotAPicture):
		return err
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: %v", errUndecodable, syntax)
	default:
		return errUndecodable
	}
}

// noteRefusal notes the reason that an answer without a picture gives.
func (e *evidence) noteRefusal(resp *genai.GenerateContentResponse, b body) {
	if f := resp.PromptFeedback; f != nil {
		e.blockReason, e.message = string(f.BlockReason), f.BlockReasonMessage
	}
	if len(resp.Candidates) > 0 && resp.Candidates[0] != nil {
		e.finish = string(resp.Candidates[0].FinishReason)
	}
	if len(b.Candidates) > 0 && e.message == "" {
		e.message = b.Candidates[0].FinishMessage
	}
}

// failure returns what the evidence means for the job. The call of a model ended
// at now.
func (e *evidence) failure(redact redactor, model string, now time.Time) *job.Failure {
	s := classify(e)
	f := s.failure(e.reason())
	f.Cause = redact.error(e.text(), e.err)
	if e.status != 0 {
		f.Answer = answerOf(e.resp, model, now)
	}
	f.Answer.Detail, f.Answer.FinishReason = redact.text(e.text()), shownName(e.reason())
	if s != signalQuotaZero { // there the provider names a time that will not help
		f.RetryAfter = retryAfter(e.header, e.body)
	}
	if s == signalDay && f.RetryAfter == 0 {
		f.RetryAfter = untilNextDay(now)
	}
	if e.unreached {
		f.Billable = false
	}
	return f
}

// reason returns the name that the provider gives its refusal, or "".
func (e *evidence) reason() string {
	if e.blockReason != "" {
		return e.blockReason
	}
	return e.finish
}

// text describes the evidence for the log. It is not yet redacted.
func (e *evidence) text() string {
	var words []string
	switch {
	case e.status != 0 && e.status/100 != 2, e.body.Code != 0, e.body.Message != "":
		words = append(words, fmt.Sprintf("HTTP %d", e.status), e.body.Status, e.quotas(), e.body.Message)
		for _, d := range e.body.Details {
			words = append(words, d.Reason)
		}
	case e.err != nil:
		words = append(words, e.err.Error())
	case e.blockReason != "":
		words = append(words, "blockReason", e.blockReason, e.message)
	case e.finish != "":
		words = append(words, "no picture, finishReason", e.finish, e.message)
	default:
		words = append(words, "no picture, and no reason")
	}
	return strings.Join(words, " ")
}

// quotas returns which quotas are used up and for how long. It is short, and ahead of
// the message, which is long: ReadRefusal reads it from what is kept of the text.
func (e *evidence) quotas() string {
	var words []string
	for _, d := range e.body.Details {
		for _, v := range d.Violations {
			words = append(words, v.QuotaID)
		}
	}
	if after := retryAfter(e.header, e.body); after > 0 {
		words = append(words, fmt.Sprintf("retry in %gs", after.Seconds()))
	}
	return strings.Join(words, " ")
}

// timedOut reports whether a limit of the transport passed.
func (e *evidence) timedOut() bool {
	var timeout net.Error
	return errors.As(e.err, &timeout) && timeout.Timeout()
}
