package enqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// upload stores the input pictures before the row that names them is written. It
// returns the positions of those that it stored or, after an error, may have
// stored. It stores none of a request that is repeated, since the first one did, or
// that Create would refuse.
func (p *Producer) upload(ctx context.Context, draft *record.Draft, uploads []Upload) (stored []int, err error) {
	if len(uploads) == 0 {
		return nil, nil
	}
	switch _, err := p.record.Recorded(ctx, *draft); {
	case err == nil:
		return nil, nil
	case !errors.Is(err, record.ErrNotFound):
		return nil, err
	}
	for _, u := range uploads {
		stored = append(stored, u.Position)
		img, err := p.store(ctx, draft, u)
		if err != nil {
			return stored, &InputError{Position: u.Position, err: err}
		}
		draft.Input.InputImages[u.Position] = img
	}
	return stored, nil
}

// An InputError says which input picture could not be stored.
type InputError struct {
	Position int // among Input.InputImages
	err      error
}

// Error returns the position and the reason.
func (e *InputError) Error() string {
	return fmt.Sprintf("enqueue: store input image %d: %v", e.Position, e.err)
}

// Unwrap returns the reason.
func (e *InputError) Unwrap() error { return e.err }

// store stores one input picture.
func (p *Producer) store(ctx context.Context, draft *record.Draft, u Upload) (job.InputImage, error) {
	switch {
	case u.ID != "":
		return p.inputs.TakeUpload(ctx, draft.Tenant, u.ID, draft.ID, u.Position)
	case u.Key != "":
		return p.inputs.CopyInput(ctx, u.Key, u.ContentType, draft.ID, u.Position)
	}
	key, err := p.inputs.PutInput(ctx, draft.ID, u.Position, u.Data, u.ContentType)
	return job.InputImage{Key: key, ContentType: u.ContentType}, err
}

// removeTimeout bounds how much longer a submission takes because its pictures
// are of no use. It is part of what a process has left to answer the caller.
const removeTimeout = time.Second

// removeInputs deletes input pictures of a job that is not recorded. What cannot
// be deleted now, the daily sweep finds.
func (p *Producer) removeInputs(ctx context.Context, jobID string, stored []int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	for _, n := range stored {
		if err := p.inputs.RemoveInput(ctx, jobID, n); err != nil {
			p.log.WarnContext(ctx, "an input picture of no job stays in the bucket until a daily sweep past retention",
				"job_id", jobID, "error", err)
		}
	}
}

// unrecorded reports whether an error says that no job was recorded. Other errors
// leave that open: a row may be there, and name its pictures.
func unrecorded(err error) bool {
	return errors.Is(err, errNotBegun) || errors.Is(err, errInTheWay) ||
		errors.Is(err, record.ErrIdempotencyMismatch) || errors.Is(err, record.ErrTooManyWaiting)
}
