package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

// backlogSQL counts what waits, which is no more than one machine asked for.
const backlogSQL = `
SELECT
    (SELECT count(*) FROM images WHERE status = 'queued'),
    (SELECT count(*) FROM images WHERE status = 'processing'),
    (SELECT count(*) FROM (
        SELECT 1 FROM images WHERE status = 'queued' AND NOT task_sent AND task_at <= @unsent LIMIT @most)),
    (SELECT min(recorded_at) FROM images WHERE status = 'queued'),
    max(
        coalesce((SELECT max(started_at) FROM images WHERE status = 'processing'), 0),
        coalesce((SELECT max(completed_at) FROM jobs WHERE completed_at IS NOT NULL), 0),
        coalesce((SELECT max(max(coalesce(i.started_at, 0), coalesce(i.completed_at, 0)))
                  FROM jobs j JOIN images i ON i.job_id = j.id WHERE j.completed_at IS NULL), 0)
    )`

// Backlog implements status.Reporter.
func (s *Store) Backlog(ctx context.Context, unsent time.Duration) (status.Backlog, error) {
	now := s.now()
	var b status.Backlog
	var oldest sql.NullInt64
	var active int64
	err := s.db.QueryRowContext(ctx, backlogSQL,
		sql.Named("unsent", now.Add(-unsent).UnixMicro()), sql.Named("most", status.MaxUnsent)).
		Scan(&b.Waiting, &b.Processing, &b.Unsent, &oldest, &active)
	if err != nil {
		return status.Backlog{}, fmt.Errorf("sqlite: read the backlog: %w", err)
	}
	if oldest.Valid {
		b.Waits = max(0, now.Sub(time.UnixMicro(oldest.Int64)))
		b.Idle = max(0, min(b.Waits, now.Sub(time.UnixMicro(active))))
	}
	return b, nil
}

const outcomesSQL = `
SELECT i.model, i.status, coalesce(i.error_code, ''), page.completed_at > @lately,
       i.completed_at - coalesce(i.started_at, i.completed_at)
FROM (
    SELECT id, completed_at FROM jobs WHERE completed_at > @from ORDER BY completed_at DESC, id DESC LIMIT @jobs
) AS page JOIN images i ON i.job_id = page.id
WHERE i.status IN ('succeeded', 'failed')
ORDER BY page.completed_at DESC, page.id DESC, i.idx`

// Outcomes implements status.Reporter.
func (s *Store) Outcomes(ctx context.Context, since time.Duration) (status.Outcomes, error) {
	now := s.now()
	rows, err := s.db.QueryContext(ctx, outcomesSQL, sql.Named("lately", now.Add(-since).UnixMicro()),
		sql.Named("from", now.Add(-max(since, status.RunsSince)).UnixMicro()), sql.Named("jobs", status.MaxOutcomes))
	if err != nil {
		return status.Outcomes{}, fmt.Errorf("sqlite: read the outcomes: %w", err)
	}
	defer rows.Close()
	var out status.Outcomes
	took := make(map[string][]time.Duration) // by model
	for rows.Next() {
		var (
			model  string
			to     job.Status
			code   job.Code
			n      int // 1 if it was lately
			micros int64
		)
		if err := rows.Scan(&model, &to, &code, &n, &micros); err != nil {
			return status.Outcomes{}, fmt.Errorf("sqlite: read the outcomes: %w", err)
		}
		if to == job.StatusSucceeded && len(took[model]) < status.MaxRuns {
			took[model] = append(took[model], time.Duration(micros)*time.Microsecond)
		}
		out.Add(model, to, code, n, nil)
	}
	for model, t := range took {
		out.Add(model, job.StatusSucceeded, "", 0, t)
	}
	if err := rows.Err(); err != nil {
		return status.Outcomes{}, fmt.Errorf("sqlite: read the outcomes: %w", err)
	}
	return out, nil
}
