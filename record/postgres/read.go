package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Get implements record.Record.
func (r *Record) Get(ctx context.Context, id string) (job.Job, error) {
	args := pgx.NamedArgs{"id": uuidArg(id)}
	var j job.Job
	var ahead *int
	var paused []job.PausedLane
	err := r.send(ctx,
		call{statement: "read_job", args: args, read: readInto(&j)},
		call{statement: "ahead", args: args, read: oneRow(&ahead)},
		call{statement: "paused_lanes", read: readPaused(&paused)},
	)
	switch {
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: read job %s: %w", id, err)
	case j.ID == "":
		return job.Job{}, record.ErrNotFound
	}
	if j.Progress().Queued > 0 { // otherwise it started or ended between the two
		j.Ahead, j.Paused = ahead, paused
	}
	return j, nil
}

func readPaused(paused *[]job.PausedLane) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*paused, err = collectPaused(rows)
		return err
	}
}

// collectPaused reads the rows of paused_lanes. It returns nil if there are none.
func collectPaused(rows pgx.Rows) ([]job.PausedLane, error) {
	return pgx.AppendRows([]job.PausedLane(nil), rows, func(row pgx.CollectableRow) (job.PausedLane, error) {
		var l job.PausedLane
		var until *time.Time
		err := row.Scan(&l.Name, &until, &l.Code, &l.ByHand)
		l.Until = timeOrZero(until)
		return l, err
	})
}

// read returns the job as Get does, but without Ahead and Paused.
func (r *Record) read(ctx context.Context, id string) (job.Job, error) {
	var j job.Job
	err := r.send(ctx, call{statement: "read_job", args: pgx.NamedArgs{"id": uuidArg(id)}, read: readInto(&j)})
	switch {
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: read job %s: %w", id, err)
	case j.ID == "":
		return job.Job{}, record.ErrNotFound
	}
	return j, nil
}

// readInto returns a function that reads the rows of read_job into j. j stays
// empty if there are none.
func readInto(j *job.Job) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		jobs, err := collectJobs(rows)
		if len(jobs) > 0 {
			*j = jobs[0]
		}
		return err
	}
}

// collectJobs reads rows of jobs with their images, ordered by job and image,
// and closes them.
func collectJobs(rows pgx.Rows) ([]job.Job, error) {
	return collectWhile(rows, func(job.Job) bool { return true })
}

// collectWhile reads rows as collectJobs does, up to the first job that does not
// fit. It keeps nothing of the rest in memory.
func collectWhile(rows pgx.Rows, fits func(job.Job) bool) ([]job.Job, error) {
	defer rows.Close()
	var jobs []job.Job
	for rows.Next() {
		j, img, err := scanRow(rows)
		if err != nil {
			return nil, err
		}
		if img.Index == 0 {
			if !fits(j) {
				break
			}
			jobs = append(jobs, j)
		}
		last := &jobs[len(jobs)-1]
		last.Images = append(last.Images, img)
	}
	rows.Close()
	return jobs, rows.Err()
}

// scanRow reads an image with its job. Only the row of a job's first image has
// the whole job.
func scanRow(rows pgx.Rows) (j job.Job, img job.Image, err error) {
	var (
		priority             int
		input, metadata      []byte
		errorCode            *string
		errorMessage         string
		jobStarted, jobEnded *time.Time
		imgStarted, imgEnded *time.Time
		notBefore            *time.Time
	)
	err = rows.Scan(&j.ID, &j.Tenant, &j.Version, &j.Status, &priority, &input, &metadata,
		&j.CreatedAt, &jobStarted, &jobEnded, &j.ExpiresAt,
		&img.Index, &img.Status, &img.Attempts, &img.Parked, &notBefore,
		&img.Object.Key, &img.Object.ContentType, &img.Object.Width, &img.Object.Height,
		&img.Object.Bytes, &img.Object.SHA256, &img.Object.ModelVersion, &img.CostMicros, &img.BoundMicros, &img.BilledMicros,
		&img.HeldBy, &img.ReservedMicros,
		&errorCode, &errorMessage, &imgStarted, &imgEnded)
	if err != nil {
		return j, img, err
	}
	if input != nil {
		if err := json.Unmarshal(input, &j.Input); err != nil {
			return j, img, fmt.Errorf("decode the input: %w", err)
		}
		j.Metadata = metadata
	}
	if errorCode != nil {
		img.Error = &job.Error{Code: job.Code(*errorCode), Message: errorMessage}
	}
	j.Priority = ranked(priority)
	j.CreatedAt, j.ExpiresAt = j.CreatedAt.UTC(), j.ExpiresAt.UTC()
	j.StartedAt, j.CompletedAt = timeOrZero(jobStarted), timeOrZero(jobEnded)
	img.StartedAt, img.CompletedAt = timeOrZero(imgStarted), timeOrZero(imgEnded)
	img.NotBefore = timeOrZero(notBefore)
	return j, img, nil
}

// uuidArg returns id as an argument. An id that is no UUID becomes NULL, which
// equals nothing, so no row is found for it.
func uuidArg(id string) pgtype.UUID {
	var u pgtype.UUID
	_ = u.Scan(id)
	return u
}

func timeOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
