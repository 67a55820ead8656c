package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

// A querier is the database, or a transaction on it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readSQL reads a job with its images, a row for each.
const readSQL = `
SELECT j.id, j.tenant, j.version, j.status, j.priority, j.input, j.metadata,
       j.created_at, j.started_at, j.completed_at, j.expires_at,
       i.idx, i.status, i.attempts,
       i.object_key, i.content_type, i.width, i.height, i.bytes, i.sha256, i.model_version, i.cost_micros,
       i.error_code, coalesce(i.error_message, ''), i.started_at, i.completed_at
FROM jobs j JOIN images i ON i.job_id = j.id
WHERE j.id = @id
ORDER BY i.idx`

// Get implements status.Store.
func (s *Store) Get(ctx context.Context, id string) (j job.Job, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		if j, err = read(ctx, tx, id); err != nil || j.Status != job.StatusQueued {
			return err
		}
		n, err := ahead(ctx, tx, id)
		j.Ahead = &n
		return err
	})
	if err != nil {
		return job.Job{}, fmt.Errorf("sqlite: read job %s: %w", id, err)
	}
	return j, nil
}

func read(ctx context.Context, db querier, id string) (job.Job, error) {
	rows, err := db.QueryContext(ctx, readSQL, sql.Named("id", id))
	if err != nil {
		return job.Job{}, err
	}
	defer rows.Close()
	var j job.Job
	for rows.Next() {
		if err := scanRow(rows, &j); err != nil {
			return job.Job{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return job.Job{}, err
	}
	if len(j.Images) == 0 {
		return job.Job{}, status.ErrNotFound
	}
	return j, nil
}

// scanRow adds one row of readSQL to j.
func scanRow(rows *sql.Rows, j *job.Job) error {
	var (
		img                  job.Image
		input                string
		metadata, errorCode  sql.NullString
		errorMessage         string
		created, expires     int64
		jobStarted, jobEnded sql.NullInt64
		imgStarted, imgEnded sql.NullInt64
	)
	err := rows.Scan(&j.ID, &j.Tenant, &j.Version, &j.Status, &j.Priority, &input, &metadata,
		&created, &jobStarted, &jobEnded, &expires,
		&img.Index, &img.Status, &img.Attempts,
		&img.Object.Key, &img.Object.ContentType, &img.Object.Width, &img.Object.Height,
		&img.Object.Bytes, &img.Object.SHA256, &img.Object.ModelVersion, &img.CostMicros,
		&errorCode, &errorMessage, &imgStarted, &imgEnded)
	if err != nil {
		return err
	}
	if len(j.Images) == 0 {
		if err := json.Unmarshal([]byte(input), &j.Input); err != nil {
			return fmt.Errorf("decode the input: %w", err)
		}
		if metadata.Valid {
			j.Metadata = json.RawMessage(metadata.String)
		}
	}
	if errorCode.Valid {
		img.Error = &job.Error{Code: job.Code(errorCode.String), Message: errorMessage}
	}
	j.CreatedAt, j.ExpiresAt = time.UnixMicro(created).UTC(), time.UnixMicro(expires).UTC()
	j.StartedAt, j.CompletedAt = timeOrZero(jobStarted), timeOrZero(jobEnded)
	img.StartedAt, img.CompletedAt = timeOrZero(imgStarted), timeOrZero(imgEnded)
	j.Images = append(j.Images, img)
	return nil
}

func timeOrZero(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return time.UnixMicro(micros.Int64).UTC()
}
