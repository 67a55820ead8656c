package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// notChance is how many images must have failed, while none succeeded, until
// the callers are not the likely cause.
const notChance = 5

// outcomes returns a finding that says how many images failed lately. For each
// code that is not the callers' fault, it says what to do.
func outcomes(out record.Outcomes) []Finding {
	total := out.Succeeded
	ours := 0
	for code, n := range out.Failed {
		total += n
		if !callers(code) {
			ours += n
		}
	}
	if total == 0 {
		return []Finding{ok("no job has ended in the last hour").on("outcomes")}
	}
	summary := fmt.Sprintf("%d of %s of the last hour failed", total-out.Succeeded, count(total, "image"))
	if list := byCode(out.Failed); list != "" {
		summary += ": " + list
	}
	how := ok
	var fixes []string
	for _, code := range codesOf(out.Failed) {
		// A few failures by the callers' fault are in order.
		if !callers(code) || out.Failed[code]*2 >= total {
			fixes = append(fixes, string(code)+": "+mendCode(code))
		}
	}
	fix := strings.Join(fixes, "\n")
	switch {
	case ours*2 >= total, out.Succeeded == 0 && total >= notChance:
		how = func(format string, args ...any) Finding { return failed(fix, format, args...) }
	case len(fixes) > 0:
		how = func(format string, args ...any) Finding { return warning(fix, format, args...) }
	}
	return []Finding{how("%s", summary).on("outcomes")}
}

// callers reports whether a failure is the fault of the request, and not of the
// service.
func callers(code job.Code) bool {
	return code == job.CodeInvalidRequest || code == job.CodeBlocked || code == job.CodeNoImage || code == job.CodeMaxCostExceeded
}

// codesOf returns the codes, the most frequent first.
func codesOf(failed map[job.Code]int) []job.Code {
	var codes []job.Code
	for code := range failed {
		codes = append(codes, code)
	}
	slices.SortFunc(codes, func(a, b job.Code) int {
		if failed[a] != failed[b] {
			return failed[b] - failed[a]
		}
		return strings.Compare(string(a), string(b))
	})
	return codes
}

func byCode(failed map[job.Code]int) string {
	var parts []string
	for _, code := range codesOf(failed) {
		parts = append(parts, fmt.Sprintf("%s %d", code, failed[code]))
	}
	return strings.Join(parts, ", ")
}

// mendCode returns what to do about images that failed with this code.
func mendCode(code job.Code) string {
	switch code {
	case job.CodeInvalidRequest:
		return "the model refuses what is asked: compare sizes, ratios and input images with what it supports; GEMINI_MODEL must be one that draws."
	case job.CodeBlocked:
		return "the provider's policy refuses the prompts or the pictures; only other prompts help."
	case job.CodeNoImage:
		return "the model answers in words; prompts must ask for a picture, and GEMINI_MODEL must be one that draws."
	case job.CodeProviderError, job.CodeProviderTimeout:
		return "Gemini fails or is slow: https://aistudio.google.com/status; a smaller image_size is faster."
	case job.CodeQuotaExhausted, job.CodeLaneUnavailable:
		return "see the lanes' lines, and raise the quota: https://aistudio.google.com/usage."
	case job.CodeStorageError:
		return "see the r2 line; pictures were drawn, paid for, and could not be stored."
	case job.CodeAttemptsExhausted:
		return "workers died while they drew: raise the memory of the worker, and look for its end in the log."
	case job.CodeDeadlineExceeded:
		return "jobs waited longer than their expires_in: raise the quota or the concurrency, or give them more time."
	case job.CodeMaxCostExceeded:
		return "attempts that brought no picture were billed too: see why they failed; or callers allow more with max_cost_usd."
	case job.CodeInternal:
	}
	return "this is a fault of the service: the log of the worker has it, by the job_id."
}
