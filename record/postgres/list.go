package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/record"
)

// List implements record.Record.
func (r *Record) List(ctx context.Context, q record.Query) (record.Page, error) {
	var looked []record.Looked
	statement, args := listCall(q)
	err := r.send(ctx, call{statement: statement, args: args, read: func(rows pgx.Rows) (err error) {
		looked, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l record.Looked, err error) {
			err = row.Scan(&l.Cursor.ID, &l.Cursor.CreatedAt, &l.Wanted)
			l.Cursor.CreatedAt = l.Cursor.CreatedAt.UTC()
			return l, err
		})
		return err
	}})
	if err != nil {
		return record.Page{}, fmt.Errorf("postgres: list jobs: %w", err)
	}
	found, next := q.Page(looked)
	page := record.Page{Next: next}
	if err := r.readListed(ctx, found, &page); err != nil {
		return record.Page{}, fmt.Errorf("postgres: read %d listed jobs: %w", len(found), err)
	}
	return page, nil
}

// listCall returns the statement that looks at the jobs that an index leads to,
// and its arguments.
func listCall(q record.Query) (statement string, args pgx.NamedArgs) {
	args = pgx.NamedArgs{
		"tenant": q.Tenant, "statuses": statuses(q), "text": q.Folded(), "look": q.Look(),
		"from": timeArg(q.From), "to": timeArg(q.To), "after_time": timeArg(q.After.CreatedAt), "after_id": uuidArg(q.After.ID),
	}
	if len(q.Metadata) == 0 {
		return "list", args
	}
	args["key"], args["value"] = q.Metadata[0].Key, q.Metadata[0].Value
	args["keys"], args["values"] = columns(q.Metadata[1:])
	return "list_by_metadata", args
}

// statuses returns the statuses that a query asks for: all, if it names none.
func statuses(q record.Query) []string {
	if len(q.Statuses) == 0 {
		return []string{"queued", "processing", "succeeded", "partial", "failed", "canceled"}
	}
	names := make([]string, len(q.Statuses))
	for i, s := range q.Statuses {
		names[i] = string(s)
	}
	return names
}

// columns returns pairs as two lists of one length.
func columns(pairs []record.Pair) (keys, values []string) {
	keys, values = make([]string, len(pairs)), make([]string, len(pairs))
	for i, p := range pairs {
		keys[i], values[i] = p.Key, p.Value
	}
	return keys, values
}

// timeArg returns t as an argument. The zero time becomes NULL.
func timeArg(t time.Time) pgtype.Timestamptz {
	return pgtype.Timestamptz{Time: t, Valid: !t.IsZero()}
}

// readListed reads the jobs that a page has room for, in the order in which they
// are named. It leaves out those that are gone.
func (r *Record) readListed(ctx context.Context, named []record.Cursor, page *record.Page) error {
	if len(named) == 0 {
		return nil
	}
	ids := make([]string, len(named))
	for i, c := range named {
		ids[i] = c.ID
	}
	return r.send(ctx, call{
		statement: "read_listed", args: pgx.NamedArgs{"jobs": ids}, read: func(rows pgx.Rows) (err error) {
			var room record.Room
			page.Jobs, err = collectWhile(rows, room.Take)
			if room.Full() {
				page.Next = record.CursorOf(page.Jobs[len(page.Jobs)-1])
			}
			return err
		},
	})
}
