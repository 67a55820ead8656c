package postgres

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/record"
)

// MeasureBulk implements record.BulkKeeper.
func (r *Record) MeasureBulk(ctx context.Context, q record.SearchQuery) (m record.BulkMeasure, err error) {
	q.Cursor = ""
	args, ok := searchArgs(q, record.MaxCounted, false)
	if !ok {
		return m, nil
	}
	err = r.send(ctx, call{statement: "measure_bulk", args: args, read: func(rows pgx.Rows) error {
		var since *time.Time
		var model, size *string
		var g record.BulkGroup
		_, err := pgx.ForEachRow(rows, []any{
			&m.Jobs, &m.Looked, &since, &m.More, &m.Retried, &model, &size, &g.Queued, &g.Processing, &g.Lost,
		}, func() error {
			if m.Since = timeOrZero(since); model == nil {
				return nil
			}
			g.Model, g.Size = *model, *size
			m.Groups = append(m.Groups, g)
			return nil
		})
		return err
	}})
	if err != nil {
		return record.BulkMeasure{}, fmt.Errorf("postgres: measure a bulk: %w", err)
	}
	slices.SortFunc(m.Groups, func(a, b record.BulkGroup) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Size, b.Size))
	})
	return m, nil
}

// StartBulk implements record.BulkKeeper.
func (r *Record) StartBulk(ctx context.Context, d record.BulkDraft, a record.Act) (b record.Bulk, err error) {
	query, err := json.Marshal(d.Query)
	if err != nil {
		return b, fmt.Errorf("postgres: encode the query of bulk %s: %w", d.ID, err)
	}
	about, err := json.Marshal(d.Detail())
	if err != nil {
		return b, fmt.Errorf("postgres: encode what bulk %s is: %w", d.ID, err)
	}
	args := actArgs(a)
	args["id"], args["bulk_action"], args["search"], args["query"], args["about"] = uuidArg(d.ID), string(d.Action), d.Text, string(query), string(about)
	args["jobs"], args["more"], args["pictures"], args["micros"] = d.Expected.Jobs, d.Expected.More, d.Expected.Pictures, d.Expected.Micros
	err = r.send(ctx, call{statement: "start_bulk", args: args}, call{statement: "bulk", args: args, read: readBulk(&b)})
	if err != nil {
		return record.Bulk{}, fmt.Errorf("postgres: start bulk %s: %w", d.ID, err)
	}
	return b, nil
}

// AbortBulk implements record.BulkKeeper.
func (r *Record) AbortBulk(ctx context.Context, id string, a record.Act) (b record.Bulk, err error) {
	args := actArgs(a)
	args["id"] = uuidArg(id)
	done := 0
	err = r.send(ctx, call{statement: "abort_bulk", args: args, read: counting(&done)}, call{statement: "bulk", args: args, read: readBulk(&b)})
	switch {
	case err != nil:
		return record.Bulk{}, fmt.Errorf("postgres: abort bulk %s: %w", id, err)
	case b.ID == "":
		return record.Bulk{}, record.ErrNotFound
	case done == 0:
		return record.Bulk{}, record.ErrBulkEnded
	}
	return b, nil
}

// Bulk implements record.BulkKeeper.
func (r *Record) Bulk(ctx context.Context, id string) (b record.Bulk, err error) {
	err = r.send(ctx, call{statement: "bulk", args: pgx.NamedArgs{"id": uuidArg(id)}, read: readBulk(&b)})
	switch {
	case err != nil:
		return record.Bulk{}, fmt.Errorf("postgres: read bulk %s: %w", id, err)
	case b.ID == "":
		return record.Bulk{}, record.ErrNotFound
	}
	return b, nil
}

// lastID is above the id of every bulk.
const lastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

// Bulks implements record.BulkKeeper.
func (r *Record) Bulks(ctx context.Context, before string, limit int) ([]record.Bulk, error) {
	return r.readBulks(ctx, "bulks", pgx.NamedArgs{"before": uuidArg(cmp.Or(before, lastID)), "limit": limit})
}

// RetireBulks implements record.BulkKeeper.
func (r *Record) RetireBulks(ctx context.Context, limit int) (n int, err error) {
	args := pgx.NamedArgs{"kept": record.AuditKept, "limit": limit}
	if err := r.send(ctx, call{statement: "retire_bulks", args: args, read: counting(&n)}); err != nil {
		return 0, fmt.Errorf("postgres: remove old bulks: %w", err)
	}
	return n, nil
}

// OpenBulks implements record.BulkKeeper.
func (r *Record) OpenBulks(ctx context.Context, limit int) ([]record.Bulk, error) {
	return r.readBulks(ctx, "open_bulks", pgx.NamedArgs{"limit": limit})
}

func (r *Record) readBulks(ctx context.Context, statement string, args pgx.NamedArgs) (all []record.Bulk, err error) {
	err = r.send(ctx, call{statement: statement, args: args, read: func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, scanBulk)
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("postgres: read bulks: %w", err)
	}
	return all, nil
}

// BulkTargets implements record.BulkKeeper.
func (r *Record) BulkTargets(ctx context.Context, b record.Bulk, limit int) (record.BulkTargets, error) {
	s, err := r.search(ctx, b.Targets(limit), false)
	t := record.BulkTargets{Next: s.next}
	if err == nil && len(s.found) > 0 {
		t.Jobs, err = r.readTargets(ctx, b.ID, s.found)
	}
	if err != nil {
		return record.BulkTargets{}, fmt.Errorf("postgres: look for the jobs of bulk %s: %w", b.ID, err)
	}
	return t, nil
}

// readTargets reads jobs in the order in which they are named, with their retries.
func (r *Record) readTargets(ctx context.Context, bulk string, ids []string) (all []record.BulkTarget, err error) {
	args := pgx.NamedArgs{"jobs": ids, "bulk": bulk}
	err = r.send(ctx,
		call{statement: "read_listed", args: args, read: func(rows pgx.Rows) error {
			jobs, err := collectJobs(rows)
			for _, j := range jobs {
				all = append(all, record.BulkTarget{Job: j})
			}
			return err
		}},
		call{statement: "retries", args: args, read: func(rows pgx.Rows) error {
			var of, id string
			var own bool
			_, err := pgx.ForEachRow(rows, []any{&of, &id, &own}, func() error {
				if i := slices.IndexFunc(all, func(t record.BulkTarget) bool { return t.Job.ID == of }); i >= 0 {
					all[i].Retry, all[i].Own = id, own
				}
				return nil
			})
			return err
		}},
	)
	return all, err
}

// AdvanceBulk implements record.BulkKeeper. What it writes follows from the bulk as it
// was read. The guard holds only if that is how it still is.
func (r *Record) AdvanceBulk(ctx context.Context, b record.Bulk, s record.BulkStep) (record.Bulk, error) {
	next := b.After(s)
	samples, err := json.Marshal(next.Samples)
	if err != nil {
		return record.Bulk{}, fmt.Errorf("postgres: encode samples of bulk %s: %w", b.ID, err)
	}
	var kept record.Bulk
	err = r.send(ctx, call{statement: "advance_bulk", read: readBulk(&kept), args: pgx.NamedArgs{
		"id": uuidArg(b.ID), "steps": b.Steps, "cursor": next.Cursor, "tries": next.Tries, "done": next.Done, "skipped": next.Skipped,
		"failed": next.Failed, "samples": string(samples), "end": s.End,
	}})
	switch {
	case err != nil:
		return record.Bulk{}, fmt.Errorf("postgres: go on with bulk %s: %w", b.ID, err)
	case kept.ID == "":
		return record.Bulk{}, record.ErrBulkMoved
	}
	return kept, nil
}

// readBulk returns a function that reads a bulk, if there is one.
func readBulk(b *record.Bulk) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scanBulk)
		if len(all) > 0 {
			*b = all[0]
		}
		return err
	}
}

func scanBulk(row pgx.CollectableRow) (b record.Bulk, err error) {
	var query []byte
	var ended *time.Time
	err = row.Scan(&b.ID, &b.Action, &b.Text, &query, &b.Expected.Jobs, &b.Expected.More, &b.Expected.Pictures, &b.Expected.Micros,
		&b.Act.Who, &b.Act.Role, &b.Act.Reason, &b.At, &b.State, &b.MovedAt, &ended, &b.AbortedBy, &b.AbortReason,
		&b.Cursor, &b.Steps, &b.Tries, &b.Done, &b.Skipped, &b.Failed, &b.Samples)
	if err != nil {
		return b, err
	}
	// A later version may have queries that say more. Without that, they would find more.
	dec := json.NewDecoder(bytes.NewReader(query))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b.Query); err != nil {
		return b, fmt.Errorf("decode the query of bulk %s: %w", b.ID, err)
	}
	b.Act.Action = b.Action.Act()
	b.At, b.MovedAt, b.EndedAt = b.At.UTC(), b.MovedAt.UTC(), timeOrZero(ended)
	return b, nil
}
