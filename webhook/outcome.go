package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ai-worker/ai-worker/job"
)

const (
	// maxAnswer is how many bytes of an answer's body are read, and kept for
	// the log.
	maxAnswer = 1 << 10
	// maxCause is how many bytes of an error's own words are kept.
	maxCause = 256
)

// answered returns the outcome of a try that was answered. It reads the
// beginning of the answer's body, as far as it comes.
func answered(resp *http.Response, now time.Time) Outcome {
	begin, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what came before an error is kept
	o := byStatus(resp)
	o.Try.Status, o.Try.Answer = resp.StatusCode, printable(string(begin), maxAnswer)
	if o.Result == ResultAgain {
		o.RetryAfter = retryAfter(resp.Header, now)
	}
	return o
}

// byStatus returns the outcome that an answer's status means.
func byStatus(resp *http.Response) Outcome {
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return Outcome{Result: ResultDelivered}
	case code == http.StatusGone:
		return failed(ResultGone, job.WebhookStatus, "The receiver answered 410: it is told of this job no more.")
	case code >= 300 && code < 400:
		return failed(ResultAgain, job.WebhookRedirect,
			fmt.Sprintf("The receiver answered %d, a redirect. None is followed: give the address to which it leads.", code))
	default:
		return failed(ResultAgain, job.WebhookStatus, fmt.Sprintf("The receiver answered %d, and not 2xx.", code))
	}
}

// unanswered returns the outcome of a try that err ended. badTLS is the error of
// its TLS handshake, if that failed. ctx is the try's own.
func unanswered(ctx context.Context, err, badTLS error) Outcome {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errRefusedAddress):
		return failed(ResultAgain, job.WebhookRefusedAddress, "The receiver's host has an address that is not public, and was not called.")
	case ctx.Err() != nil:
		return failed(ResultAgain, job.WebhookTimeout, fmt.Sprintf("The receiver did not answer within %s.", sendTimeout))
	case errors.As(err, &dns):
		return failed(ResultAgain, job.WebhookNoAddress, "The receiver's host has no address in DNS.")
	case badTLS != nil:
		return failed(ResultAgain, job.WebhookBadTLS, "No safe connection to the receiver: "+printable(badTLS.Error(), maxCause)+".")
	case errors.As(err, &op) && op.Op == "dial":
		return failed(ResultAgain, job.WebhookUnreachable, "No connection to the receiver.")
	default:
		return failed(ResultAgain, job.WebhookBadAnswer, "The receiver ended the connection, or did not answer in HTTP.")
	}
}

// internal returns the outcome of a try that this service could not make.
func internal() Outcome {
	return failed(ResultAgain, job.WebhookInternal, "This service failed to make the webhook.")
}

// failed returns the outcome of a try that failed.
func failed(r Result, f job.WebhookFailure, message string) Outcome {
	return Outcome{Result: r, Try: job.WebhookTry{Failure: f, Message: message}}
}

// printable returns text from outside as one that is safe to keep and to show:
// UTF-8 of length bytes at most, a space for each control character.
func printable(text string, length int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r): // U+202E too, which turns the direction of text
			return utf8.RuneError
		default:
			return r
		}
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
	for len(text) > length {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return strings.TrimSpace(text)
}
