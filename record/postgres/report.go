package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// activeJobs is how many of the oldest unfinished jobs Backlog looks into for
// signs of work. Turns go roughly by age, so that work shows there first.
const activeJobs = 100

// backlogSQL asks the counters and the heads of indexes, and so reads the same
// few pages whatever waits. jobs_open is in the order of creation, which no
// index of images is: due_at moves.
const backlogSQL = `
SELECT
    (SELECT coalesce(sum(waiting), 0)::bigint FROM lanes),
    (SELECT count(*) FROM images WHERE status = 'processing'),
    (SELECT count(*) FROM (
        SELECT FROM images
        WHERE status = 'queued' AND NOT enqueued AND handed_out_at <= now() - @unsent::interval LIMIT @most
    ) AS unsent),
    now() - (SELECT created_at FROM jobs WHERE completed_at IS NULL AND queued > 0 ORDER BY created_at LIMIT 1),
    now() - greatest(
        (SELECT max(started_at) FROM images WHERE status = 'processing'),
        (SELECT max(completed_at) FROM jobs WHERE completed_at IS NOT NULL),
        (SELECT max(greatest(i.started_at, i.completed_at)) FROM (
            SELECT id FROM jobs WHERE completed_at IS NULL ORDER BY created_at LIMIT @jobs
        ) AS page` + pageImagesSQL + `)
    )`

// pageImagesSQL joins the images of a page of jobs, each job's by their key. A
// plain join could read the whole table, where statistics are out of date.
const pageImagesSQL = ` CROSS JOIN LATERAL (
    SELECT idx, model, status, error_code, started_at, completed_at FROM images WHERE job_id = page.id OFFSET 0
) AS i`

// Backlog implements record.Record.
func (s *Store) Backlog(ctx context.Context, unsent time.Duration) (record.Backlog, error) {
	var b record.Backlog
	var waits, idle *time.Duration
	args := pgx.NamedArgs{"unsent": unsent, "most": record.MaxUnsent, "jobs": activeJobs}
	err := s.pool.QueryRow(ctx, backlogSQL, args).Scan(&b.Waiting, &b.Processing, &b.Unsent, &waits, &idle)
	if err != nil {
		return record.Backlog{}, fmt.Errorf("postgres: read the backlog: %w", err)
	}
	if waits != nil {
		b.Waits = *waits
		b.Idle = b.Waits
		if idle != nil {
			b.Idle = max(0, min(*idle, b.Waits))
		}
	}
	return b, nil
}

// outcomesSQL goes back from the latest job that ended, so that it reads a page
// of jobs and no more of the history. It returns a row for each model and what
// became of its images.
const outcomesSQL = `
WITH page AS (
    SELECT id, completed_at FROM jobs
    WHERE completed_at > now() - greatest(@since::interval, @runs_since::interval)
    ORDER BY completed_at DESC, id DESC LIMIT @jobs
), ended AS (
    SELECT i.model, i.status, coalesce(i.error_code, '') AS code, page.completed_at > now() - @since::interval AS lately,
           (extract(epoch FROM i.completed_at - i.started_at) * 1e6)::bigint AS micros,
           row_number() OVER (PARTITION BY i.model, i.status ORDER BY page.completed_at DESC, page.id DESC, i.idx) AS n
    FROM page` + pageImagesSQL + `
    WHERE i.status IN ('succeeded', 'failed')
)
SELECT model, status, code, count(*) FILTER (WHERE lately),
       coalesce(array_agg(micros) FILTER (WHERE status = 'succeeded' AND n <= @pictures), '{}')
FROM ended GROUP BY model, status, code`

// Outcomes implements record.Record.
func (s *Store) Outcomes(ctx context.Context, since time.Duration) (record.Outcomes, error) {
	rows, err := s.pool.Query(ctx, outcomesSQL, pgx.NamedArgs{
		"since": since, "runs_since": record.RunsSince, "jobs": record.MaxOutcomes, "pictures": record.MaxRuns,
	})
	if err != nil {
		return record.Outcomes{}, fmt.Errorf("postgres: read the outcomes: %w", err)
	}
	var (
		out    record.Outcomes
		model  string
		to     job.Status
		code   job.Code
		n      int
		micros []int64
	)
	_, err = pgx.ForEachRow(rows, []any{&model, &to, &code, &n, &micros}, func() error {
		took := make([]time.Duration, len(micros))
		for i, m := range micros {
			took[i] = time.Duration(m) * time.Microsecond
		}
		out.Add(model, to, code, n, took)
		return nil
	})
	if err != nil {
		return record.Outcomes{}, fmt.Errorf("postgres: read the outcomes: %w", err)
	}
	return out, nil
}
