package generate

import (
	"regexp"

	"github.com/ai-worker/ai-worker/job"
)

// A signal is what an answer of Gemini tells about the cause of a failure.
type signal string

const (
	signalInvalid     signal = "invalid"     // refused by the SDK, before a request
	signalRefused     signal = "refused"     // 400 and the like
	signalFile        signal = "file"        // 403 or 404 naming a file
	signalSource      signal = "source"      // an input picture cannot be read
	signalKey         signal = "key"         // the API key or its permissions
	signalBilling     signal = "billing"     // the project's billing or location
	signalModel       signal = "model"       // there is no such model
	signalQuotaZero   signal = "quota_zero"  // a quota of zero
	signalMinute      signal = "minute"      // requests or tokens a minute
	signalDay         signal = "day"         // requests a day
	signalSpend       signal = "spend"       // the account's spend cap
	signalCapacity    signal = "capacity"    // 429 that names no quota
	signalUnreachable signal = "unreachable" // no connection
	signalTimeout     signal = "timeout"     // no answer in our time
	signalLost        signal = "lost"        // broke off, or cannot be decoded
	signalTooLarge    signal = "too_large"   // over our limits
	signalInternal    signal = "internal"    // 500
	signalSlow        signal = "slow"        // 504
	signalUnavailable signal = "unavailable" // 408, 499, 502, 503
	signalBlocked     signal = "blocked"     // by policy
	signalUnsure      signal = "unsure"      // a refusal that may not come again
	signalCutShort    signal = "cut_short"   // MAX_TOKENS
	signalNoPicture   signal = "no_picture"  // any other answer without one
)

// meanings is the only table of what each signal means. The rules, in short: if
// Gemini rejects the request, the image ends; if it rejects our account, the
// lane stops; if it does not say, the request is tried again. There are fewer
// tries the likelier it is that the request was charged (4xx and 5xx are not,
// 200 may be).
var meanings = map[signal]job.Failure{
	signalInvalid: {
		Remedy: job.RemedyFail,
		Public: job.Error{Code: job.CodeInvalidRequest, Message: "The request is not valid. Check the model and the input images."},
	},
	signalRefused: {
		Remedy: job.RemedyFail,
		Public: job.Error{Code: job.CodeInvalidRequest, Message: "The provider refuses the request as it stands. Check the prompt, the aspect ratio, the image size and the input images against what the model supports."},
	},
	signalFile: {
		Remedy: job.RemedyFail,
		Public: job.Error{Code: job.CodeInvalidRequest, Message: "The provider has no access to an input image. Send it again, or use a public https URL."},
	},
	signalSource: {
		Remedy: job.RemedyRetry, Retries: 1,
		Public: job.Error{Code: job.CodeInvalidRequest, Message: "The provider could not read an input image. Check that it is a PNG, JPEG or WebP image and that its URL is public."},
	},

	signalKey: {
		Remedy: job.RemedyStop,
		Public: job.Error{Code: job.CodeLaneUnavailable, Message: "The service is not accepted by the provider at the moment. The operator has to act; the job waits."},
	},
	signalBilling: {
		Remedy: job.RemedyStop,
		Public: job.Error{Code: job.CodeLaneUnavailable, Message: "The provider does not serve this account at the moment. The operator has to act; the job waits."},
	},
	signalModel: {
		Remedy: job.RemedyStop,
		Public: job.Error{Code: job.CodeLaneUnavailable, Message: "The provider does not offer this model at the moment. The operator has to act; the job waits."},
	},
	signalQuotaZero: {
		Remedy: job.RemedyStop,
		Public: job.Error{Code: job.CodeLaneUnavailable, Message: "The service has no quota for this model. The operator has to act; the job waits."},
	},

	signalMinute: {
		Remedy: job.RemedyWait, Limit: job.LimitMinute,
		Public: job.Error{Code: job.CodeQuotaExhausted, Message: "The provider's quota for this minute is used up. The job waits for the next."},
	},
	signalDay: {
		Remedy: job.RemedyWait, Limit: job.LimitDay,
		Public: job.Error{Code: job.CodeQuotaExhausted, Message: "The provider's quota for today is used up. The job waits until it is renewed."},
	},
	signalSpend: {
		Remedy: job.RemedyWait, Limit: job.LimitSpend,
		Public: job.Error{Code: job.CodeQuotaExhausted, Message: "The service's spending limit at the provider is reached. The job waits until it is renewed."},
	},
	signalCapacity: {
		Remedy: job.RemedyWait, Limit: job.LimitCapacity,
		Public: job.Error{Code: job.CodeQuotaExhausted, Message: "The provider has no capacity at the moment. The job waits until it has."},
	},

	signalUnreachable: {
		Remedy: job.RemedyRetry,
		Public: job.Error{Code: job.CodeProviderError, Message: "The provider could not be reached. Try again later."},
	},
	signalTimeout: {
		Remedy: job.RemedyRetry, Retries: 2, Billable: true,
		Public: job.Error{Code: job.CodeProviderTimeout, Message: "The provider did not answer in time. Try again, perhaps with a smaller image size."},
	},
	signalLost: {
		Remedy: job.RemedyRetry, Retries: 2, Billable: true,
		Public: job.Error{Code: job.CodeProviderError, Message: "The provider's answer was lost or could not be read. Try again."},
	},
	signalTooLarge: {
		Remedy: job.RemedyRetry, Retries: 1, Billable: true,
		Public: job.Error{Code: job.CodeProviderError, Message: "The provider's answer is larger than this service accepts. Try a smaller image size."},
	},
	signalInternal: {
		Remedy: job.RemedyRetry, Retries: 3,
		Public: job.Error{Code: job.CodeProviderError, Message: "The provider failed. Try again later; if it keeps failing, try a shorter prompt or other input images."},
	},
	signalSlow: {
		Remedy: job.RemedyRetry, Retries: 2,
		Public: job.Error{Code: job.CodeProviderTimeout, Message: "The provider took too long. Try again later, perhaps with a smaller image size."},
	},
	signalUnavailable: {
		Remedy: job.RemedyRetry,
		Public: job.Error{Code: job.CodeProviderError, Message: "The provider is overloaded or down at the moment. Try again later."},
	},

	signalBlocked: {
		Remedy: job.RemedyFail, Billable: true,
		Public: job.Error{Code: job.CodeBlocked, Message: "The provider's content policy refuses the prompt or the picture. Change the prompt or the input images."},
	},
	signalUnsure: {
		Remedy: job.RemedyRetry, Retries: 1, Billable: true,
		Public: job.Error{Code: job.CodeBlocked, Message: "The provider withheld the picture. Change the prompt or the input images."},
	},
	signalCutShort: {
		Remedy: job.RemedyFail, Billable: true,
		Public: job.Error{Code: job.CodeNoImage, Message: "The model ran out of its output limit before there was a picture. Ask for less in the prompt."},
	},
	signalNoPicture: {
		Remedy: job.RemedyRetry, Retries: 2, Billable: true,
		Public: job.Error{Code: job.CodeNoImage, Message: "The model answered without a picture. Say in the prompt that you want a picture, and what it shows."},
	},
}

// enumName is the form of Google's names for reasons. Only a name of this form
// is shown.
var enumName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// failure returns the Failure that s means. reason is the provider's name for
// it, or "".
func (s signal) failure(reason string) *job.Failure {
	f := meanings[s]
	if enumName.MatchString(reason) && reason != "STOP" {
		f.Public.Message += " The provider's reason: " + reason + "."
	}
	return &f
}
