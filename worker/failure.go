package worker

import (
	"fmt"

	"github.com/ai-worker/ai-worker/job"
)

func storageFailure(err error) *job.Failure {
	return &job.Failure{
		Public: job.Error{Code: job.CodeStorageError, Message: "The picture could not be stored."},
		Remedy: job.RemedyRetry, Billable: true,
		Cause: err,
	}
}

// storageAway returns the failure of an attempt that could not look into the
// bucket. Nothing was asked of the model, so the attempt does not count,
// however long that goes on.
func storageAway(err error) *job.Failure {
	return &job.Failure{
		Public: job.Error{Code: job.CodeStorageError, Message: "The storage for pictures cannot be reached."},
		Remedy: job.RemedyWait,
		Limit:  job.LimitStorage,
		Cause:  err,
	}
}

func deadlineFailure() *job.Failure {
	return &job.Failure{
		Public: job.DeadlineExceeded(),
		Remedy: job.RemedyFail,
	}
}

// faultOf returns why an image fails that is at fault for closing lanes.
func faultOf(f *job.Failure) job.Error {
	return job.Error{
		Code: job.CodeInvalidRequest,
		Message: "The provider refused this request again and again, and accepted others meanwhile. " +
			"Change the prompt, the image size or the input images. Its last refusal: " + f.Public.Message,
	}
}

func exhaustedFailure(maxAttempts int) *job.Failure {
	return &job.Failure{
		Public: job.Error{
			Code:    job.CodeAttemptsExhausted,
			Message: fmt.Sprintf("All %d attempts ended without an answer.", maxAttempts),
		},
		Remedy: job.RemedyFail,
	}
}
