package handlers

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
)

// A Remover removes a job that has ended with all that is stored for it.
type Remover interface {
	Remove(ctx context.Context, j job.Job) error
}

// RegisterDelete adds the operation that removes a job to api.
func (h *Jobs) RegisterDelete(api huma.API, method, path string) {
	huma.Register(api, huma.Operation{
		OperationID: "delete-job", Method: method, Path: path,
		Summary:       "Remove a job and its pictures",
		Description:   "Only a job that has ended can be removed. What was removed cannot be brought back.",
		DefaultStatus: http.StatusNoContent,
		Metadata: answersWith(map[int]answer{
			http.StatusNoContent: {says: "The job and its pictures are removed."},
			http.StatusConflict:  {},
		}),
	}, telling(h, h.remove))
}

type deleteInput struct {
	ID string `path:"id" doc:"The job's id."`
}

// remove serves DELETE /api/jobs/{id}.
func (h *Jobs) remove(ctx context.Context, in *deleteInput) (*struct{}, error) {
	own, err := h.getOwn(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	j, err := h.Record.Get(ctx, own.ID)
	switch {
	case errors.Is(err, record.ErrNotFound):
		j = job.Job{ID: own.ID, Status: own.Status} // a removal was cut short, and left the snapshot
	case err != nil:
		return nil, err
	}
	if !j.Status.Terminal() {
		return nil, huma.Error409Conflict("The job is " + string(j.Status) + ". Cancel it first: POST " + snapshot.Path(j.ID) + "/cancel.")
	}
	if err := h.Remover.Remove(ctx, j); err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}
