package doctor_test

import (
	"testing"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

func TestOutcomes(t *testing.T) {
	t.Parallel()
	type failures = map[job.Code]int
	for name, tt := range map[string]struct {
		succeeded int
		failed    failures
		want      want
	}{
		"none":               {0, nil, want{doctor.OK, "outcomes", "no job has ended in the last hour", ""}},
		"all well":           {7, nil, want{doctor.OK, "outcomes", "0 of 7 images of the last hour failed", ""}},
		"a few of callers'":  {7, failures{job.CodeBlocked: 2, job.CodeInvalidRequest: 1}, want{doctor.OK, "outcomes", "3 of 10 images of the last hour failed: blocked 2, invalid_request 1", ""}},
		"many of callers'":   {2, failures{job.CodeBlocked: 8}, want{doctor.Warning, "outcomes", "8 of 10", "blocked: "}},
		"nothing but":        {0, failures{job.CodeInvalidRequest: 5}, want{doctor.Failed, "outcomes", "5 of 5", "invalid_request: "}},
		"no image":           {0, failures{job.CodeNoImage: 6}, want{doctor.Failed, "outcomes", "no_image 6", "one that draws"}},
		"one of ours":        {9, failures{job.CodeProviderTimeout: 1}, want{doctor.Warning, "outcomes", "1 of 10", "provider_timeout: Gemini fails or is slow"}},
		"half of ours":       {1, failures{job.CodeStorageError: 1}, want{doctor.Failed, "outcomes", "storage_error 1", "see the r2 line"}},
		"the provider":       {1, failures{job.CodeProviderError: 4}, want{doctor.Failed, "outcomes", "4 of 5", "status"}},
		"dying workers":      {0, failures{job.CodeAttemptsExhausted: 1}, want{doctor.Failed, "outcomes", "1 of 1 image ", "memory"}},
		"deadlines":          {0, failures{job.CodeDeadlineExceeded: 3}, want{doctor.Failed, "outcomes", "deadline_exceeded 3", "expires_in"}},
		"our own":            {0, failures{job.CodeInternal: 1}, want{doctor.Failed, "outcomes", "internal 1", "fault of the service"}},
		"quota to the end":   {0, failures{job.CodeQuotaExhausted: 1}, want{doctor.Failed, "outcomes", "quota_exhausted 1", "lanes' lines"}},
		"a broken lane":      {0, failures{job.CodeLaneUnavailable: 1}, want{doctor.Failed, "outcomes", "lane_unavailable 1", "lanes' lines"}},
		"two, one of either": {4, failures{job.CodeBlocked: 5, job.CodeStorageError: 1}, want{doctor.Warning, "outcomes", "blocked 5, storage_error 1", "\nstorage_error: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := told{outcomes: record.Outcomes{Succeeded: tt.succeeded, Failed: tt.failed}}
			expect(t, examineWork(t, r, nil)[1:], tt.want)
		})
	}
}
