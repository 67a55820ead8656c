package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"math"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

// A turn is what an image's place in the order is made of, and the image.
type turn struct {
	model      string
	low        bool
	tag        float64 // its start tag
	recordedAt int64
	jobID      string
	idx        int
}

// before reports whether t goes before u. Among the images of one model it is
// the order of the index images_turn.
func (t turn) before(u turn) bool {
	if t.low != u.low {
		return u.low
	}
	return cmp.Or(cmp.Compare(t.tag, u.tag), cmp.Compare(t.recordedAt, u.recordedAt),
		cmp.Compare(t.jobID, u.jobID), cmp.Compare(t.idx, u.idx)) < 0
}

// lineUp returns the start tag of a new job's first image, and moves its
// tenant's finish tag behind the last.
func lineUp(ctx context.Context, tx *sql.Tx, sub status.Submission) (start float64, err error) {
	args := []any{
		sql.Named("model", sub.Input.Model), sql.Named("low", sub.Priority == job.PriorityLow),
		sql.Named("tenant", sub.Tenant),
	}
	err = tx.QueryRowContext(ctx, `
SELECT max(
    coalesce((SELECT virtual FROM turns WHERE model = @model AND low = @low), 0),
    coalesce((SELECT finish FROM tenant_turns WHERE model = @model AND low = @low AND tenant = @tenant), 0))`,
		args...).Scan(&start)
	if err != nil {
		return 0, err
	}
	finish := start + float64(sub.Input.Count)/sub.Weight
	_, err = tx.ExecContext(ctx, `
INSERT INTO tenant_turns (model, low, tenant, finish, weight) VALUES (@model, @low, @tenant, @finish, @weight)
ON CONFLICT (model, low, tenant) DO UPDATE SET finish = excluded.finish, weight = excluded.weight`,
		append(args, sql.Named("finish", finish), sql.Named("weight", sub.Weight))...)
	return start, err
}

// moveOn makes the virtual time that of a claimed image. It never goes back: an
// image that was put back has an old tag.
func moveOn(ctx context.Context, tx *sql.Tx, t turn) error {
	_, err := tx.ExecContext(ctx, `
INSERT INTO turns (model, low, virtual) VALUES (@model, @low, @tag)
ON CONFLICT (model, low) DO UPDATE SET virtual = max(virtual, excluded.virtual)`,
		sql.Named("model", t.model), sql.Named("low", t.low), sql.Named("tag", t.tag))
	return err
}

// ahead estimates how many images will start before the job's first: what its
// own tenant and, for low priority, normal images have waiting before it, and
// the turns that other tenants get until its tag comes, which are their weight
// for each unit of virtual time.
func ahead(ctx context.Context, tx *sql.Tx, id string) (int, error) {
	first, tenant, err := firstTurn(ctx, tx, id)
	if err != nil {
		return 0, err
	}
	args := []any{
		sql.Named("model", first.model), sql.Named("low", first.low), sql.Named("tenant", tenant),
		sql.Named("tag", first.tag), sql.Named("recorded_at", first.recordedAt),
		sql.Named("id", first.jobID), sql.Named("idx", first.idx),
	}
	var n int
	err = tx.QueryRowContext(ctx, `
SELECT (SELECT count(*) FROM images
        WHERE model = @model AND low = @low AND tenant = @tenant AND status = 'queued' AND start_tag <= @tag
          AND (start_tag, recorded_at, job_id, idx) < (@tag, @recorded_at, @id, @idx))
     + (SELECT count(*) FROM images WHERE model = @model AND low < @low AND status = 'queued')`, args...).Scan(&n)
	if err != nil {
		return 0, err
	}
	others, err := othersAhead(ctx, tx, first.tag, args)
	return n + others, err
}

// firstTurn is the turn of the job's first image that is queued, and whose it
// is.
func firstTurn(ctx context.Context, tx *sql.Tx, id string) (t turn, tenant string, err error) {
	const query = `
SELECT job_id, idx, model, low, start_tag, recorded_at, tenant FROM images
WHERE job_id = @id AND status = 'queued'
ORDER BY idx LIMIT 1`
	err = tx.QueryRowContext(ctx, query, sql.Named("id", id)).
		Scan(&t.jobID, &t.idx, &t.model, &t.low, &t.tag, &t.recordedAt, &tenant)
	return t, tenant, err
}

// othersAhead is how many turns the tenants but @tenant get until a tag comes.
func othersAhead(ctx context.Context, tx *sql.Tx, tag float64, args []any) (sum int, err error) {
	rows, err := tx.QueryContext(ctx, `
SELECT count(*), t.weight, coalesce((SELECT virtual FROM turns WHERE model = @model AND low = @low), 0)
FROM images i JOIN tenant_turns t USING (model, low, tenant)
WHERE i.model = @model AND i.low = @low AND i.tenant <> @tenant AND i.status = 'queued'
GROUP BY i.tenant`, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var waiting, weight, virtual float64
		if err := rows.Scan(&waiting, &weight, &virtual); err != nil {
			return 0, err
		}
		sum += int(max(0, min(waiting, math.Ceil((tag-virtual)*weight))))
	}
	return sum, rows.Err()
}
