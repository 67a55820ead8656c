package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// readSQL reads a job with its images, a row for each, in one statement so
// that both are of one version. The large columns come with the first only.
const (
	readColumnsSQL = `
SELECT j.id, j.tenant, j.version, j.status, j.priority,
       CASE WHEN i.idx = 0 THEN j.input END, CASE WHEN i.idx = 0 THEN j.metadata END,
       j.created_at, j.started_at, j.completed_at, j.expires_at,
       i.idx, i.status, i.attempts,
       coalesce(i.object_key, ''), coalesce(i.content_type, ''), coalesce(i.width, 0), coalesce(i.height, 0),
       coalesce(i.bytes, 0), coalesce(i.sha256, ''), coalesce(i.model_version, ''), i.cost_micros,
       i.error_code, coalesce(i.error_message, ''), i.started_at, i.completed_at`

	readFromSQL = readColumnsSQL + `
FROM jobs j JOIN images i ON i.job_id = j.id
`
	readSQL     = readFromSQL + `WHERE j.id = @id ORDER BY i.idx`
	readManySQL = readFromSQL + `WHERE j.id = ANY (@jobs::uuid[]) ORDER BY j.id, i.idx`

	// readClaimedSQL is readSQL for the job of the image that a claim took.
	readClaimedSQL = readFromSQL + `
WHERE j.id = (SELECT job_id FROM images WHERE ` + holdsTaskSQL + ` AND claim = @claim) ORDER BY i.idx`
)

// Get implements record.Record.
func (s *Store) Get(ctx context.Context, id string) (job.Job, error) {
	args := pgx.NamedArgs{"id": uuidArg(id)}
	var j job.Job
	var ahead *int
	var batch pgx.Batch
	batch.Queue(readSQL, args).Query(readInto(&j))
	batch.Queue(aheadSQL, args).Query(aheadInto(&ahead))
	err := s.pool.SendBatch(ctx, &batch).Close()
	switch {
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: read job %s: %w", id, err)
	case j.ID == "":
		return job.Job{}, record.ErrNotFound
	}
	if j.Status == job.StatusQueued { // else it started between the two
		j.Ahead = ahead
	}
	return j, nil
}

// read is Get without Ahead.
func (s *Store) read(ctx context.Context, id string) (job.Job, error) {
	rows, err := s.pool.Query(ctx, readSQL, pgx.NamedArgs{"id": uuidArg(id)})
	if err != nil {
		return job.Job{}, fmt.Errorf("postgres: read job %s: %w", id, err)
	}
	var j job.Job
	if err := readInto(&j)(rows); err != nil {
		return job.Job{}, fmt.Errorf("postgres: read job %s: %w", id, err)
	}
	if j.ID == "" {
		return job.Job{}, record.ErrNotFound
	}
	return j, nil
}

// transition runs a statement that moves the job @id, under a lock if it needs
// one, and reads the job back in the same transaction. changed tells whether
// the statement's guard held; the job may exist or not if it did not.
func (s *Store) transition(
	ctx context.Context, lock, sql string, args pgx.NamedArgs,
) (j job.Job, changed bool, err error) {
	var batch pgx.Batch
	if lock != noLockSQL {
		batch.Queue(lock, args)
	}
	batch.Queue(sql, args).Exec(func(tag pgconn.CommandTag) error {
		changed = tag.RowsAffected() > 0
		return nil
	})
	batch.Queue(readSQL, args).Query(readInto(&j))
	err = s.pool.SendBatch(ctx, &batch).Close()
	return j, changed, err
}

// readInto reads the rows of readSQL into j, which stays empty if there are
// none.
func readInto(j *job.Job) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		jobs, err := collectJobs(rows)
		if len(jobs) > 0 {
			*j = jobs[0]
		}
		return err
	}
}

// collectJobs reads rows of jobs with their images, in the order of both, and
// closes them.
func collectJobs(rows pgx.Rows) ([]job.Job, error) {
	defer rows.Close()
	var jobs []job.Job
	for rows.Next() {
		j, img, err := scanRow(rows)
		if err != nil {
			return nil, err
		}
		if img.Index == 0 {
			jobs = append(jobs, j)
		}
		last := &jobs[len(jobs)-1]
		last.Images = append(last.Images, img)
	}
	return jobs, rows.Err()
}

// scanRow reads an image with its job. The job is whole in the row of its first
// image.
func scanRow(rows pgx.Rows) (j job.Job, img job.Image, err error) {
	var (
		priority             int
		input, metadata      []byte
		errorCode            *string
		errorMessage         string
		jobStarted, jobEnded *time.Time
		imgStarted, imgEnded *time.Time
	)
	err = rows.Scan(&j.ID, &j.Tenant, &j.Version, &j.Status, &priority, &input, &metadata,
		&j.CreatedAt, &jobStarted, &jobEnded, &j.ExpiresAt,
		&img.Index, &img.Status, &img.Attempts,
		&img.Object.Key, &img.Object.ContentType, &img.Object.Width, &img.Object.Height,
		&img.Object.Bytes, &img.Object.SHA256, &img.Object.ModelVersion, &img.CostMicros,
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
	return j, img, nil
}

// uuidArg is id as an argument; one that is no UUID becomes NULL, which equals
// nothing, so that it is not found.
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
