package generate

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
)

// These match facts that only the text of Google's errors tells. The texts were
// seen in answers of the real service; none of them is documented.
var (
	// namesFile: "You do not have permission to access the File x or it may
	// not exist", "The File x is not in an ACTIVE state". A model's name is
	// never in that form.
	namesFile = regexp.MustCompile(`(?i)\bfiles/|\bthe file\b|\bfile_?uri\b`)
	// badSource: the model could not read or not fetch an input picture. That
	// happens with good presigned URLs too (googleapis/js-genai 1385).
	badSource = regexp.MustCompile(`(?i)unable to process input image|cannot fetch content from the provided url`)
	// prepaid: "Your prepayment credits are depleted", with 402 or 429.
	prepaid = regexp.MustCompile(`(?i)prepayment|credits? (is|are) depleted`)
	// spending: "exceeded its monthly spending cap", "exceeded your
	// spend-based rate limit". Not "billing": every 429 mentions that.
	spending = regexp.MustCompile(`(?i)spend(ing)? (cap|limit|rate)|spend-based`)
	// zeroLimit: "Quota exceeded for metric: …, limit: 0, model: …".
	zeroLimit = regexp.MustCompile(`(?i)limit: ?0(?:[^.0-9]|$)`)
	// overQuota: "You exceeded your current quota", "Quota exceeded for …",
	// but not "Resource has been exhausted (e.g. check quota)".
	overQuota = regexp.MustCompile(`(?i)exceeded your current quota|quota exceeded`)
)

// classify returns the signal that the evidence of a call gives.
func classify(e *evidence) signal {
	switch {
	case e.status != 0 && e.status/100 != 2:
		return classifyError(e.status, e.body)
	case e.unsent:
		return signalInvalid
	case e.err != nil:
		return classifyBreak(e)
	case e.body.Code != 0: // inside an answer with status 200
		return classifyError(e.body.Code, e.body)
	case e.blockReason == "OTHER":
		return signalUnsure
	case e.blockReason != "":
		return signalBlocked
	default:
		return classifyFinish(e.finish)
	}
}

// classifyBreak classifies a request whose answer did not come, or broke off.
func classifyBreak(e *evidence) signal {
	switch {
	case e.late:
		return signalTimeout
	case e.unreached:
		return signalUnreachable
	case e.timedOut():
		return signalTimeout
	case errors.Is(e.err, errTooLarge):
		return signalTooLarge
	default:
		return signalLost
	}
}

// classifyError classifies an error by its code, which is an HTTP status.
func classifyError(code int, e errorBody) signal {
	switch code {
	case http.StatusBadRequest:
		return classifyBadRequest(e)
	case http.StatusUnauthorized:
		return signalKey
	case http.StatusPaymentRequired:
		return signalBilling
	case http.StatusForbidden:
		if namesFile.MatchString(e.Message) {
			return signalFile
		}
		return signalKey
	case http.StatusNotFound:
		if namesFile.MatchString(e.Message) {
			return signalFile
		}
		return signalModel
	case http.StatusTooManyRequests:
		return classifyQuota(e)
	case http.StatusInternalServerError:
		return signalInternal
	case http.StatusGatewayTimeout:
		return signalSlow
	case http.StatusRequestTimeout, http.StatusConflict, statusClientClosed: // not caused by the request
		return signalUnavailable
	}
	if code/100 == 4 {
		return signalRefused
	}
	return signalUnavailable
}

// statusClientClosed is the status that Google gives for CANCELLED.
const statusClientClosed = 499

func classifyBadRequest(e errorBody) signal {
	for _, d := range e.Details {
		if strings.HasPrefix(d.Reason, "API_KEY_") { // API_KEY_INVALID and its kin come with 400, not 401
			return signalKey
		}
	}
	switch {
	case badSource.MatchString(e.Message):
		return signalSource
	case namesFile.MatchString(e.Message):
		return signalFile
	case e.Status == "FAILED_PRECONDITION": // the project's location, or its billing
		return signalBilling
	default:
		return signalRefused
	}
}

// classifyQuota distinguishes the limits that all come as 429. If several are
// exceeded at once, the one that lasts longest counts.
func classifyQuota(e errorBody) signal {
	var windows strings.Builder
	zero := zeroLimit.MatchString(e.Message)
	named := overQuota.MatchString(e.Message)
	for _, d := range e.Details {
		named = named || d.RetryDelay != ""
		for _, v := range d.Violations {
			windows.WriteString(v.QuotaID + " ")
			zero = zero || v.QuotaValue == "0" || v.QuotaValue == 0.0
		}
	}
	switch {
	case prepaid.MatchString(e.Message):
		return signalBilling
	case spending.MatchString(e.Message):
		return signalSpend
	case zero:
		return signalQuotaZero
	case strings.Contains(windows.String(), "PerDay"):
		return signalDay
	case windows.String() != "" || named:
		return signalMinute
	default:
		return signalCapacity
	}
}

// classifyFinish classifies an answer without a picture by its finishReason.
// The list of reasons is open: an unknown reason counts as none.
func classifyFinish(reason string) signal {
	switch reason {
	case "SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "IMAGE_PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "LANGUAGE":
		return signalBlocked
	case "RECITATION", "IMAGE_RECITATION":
		return signalUnsure
	case "MAX_TOKENS":
		return signalCutShort
	default:
		return signalNoPicture
	}
}
