package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
)

// A call is one statement to run.
type call struct {
	statement string // its file's name
	args      pgx.NamedArgs
	read      func(pgx.Rows) error // reads and closes the rows that it returns; nil if they are not needed
}

// send runs statements in one round trip and one transaction. Each sees what
// the one before it did.
func (r *Record) send(ctx context.Context, calls ...call) error {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	var batch pgx.Batch
	for _, c := range calls {
		s := r.statements[c.statement]
		text, err := s.prepare(ctx, conn.Conn())
		if err != nil {
			return err
		}
		queued := batch.Queue(text, s.values(c.args)...)
		if c.read != nil {
			queued.Query(c.read)
		}
	}
	return conn.SendBatch(ctx, &batch).Close()
}

// oneRow returns a function that reads the row that a statement returns, if
// there is one.
func oneRow(fields ...any) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		defer rows.Close()
		if rows.Next() {
			if err := rows.Scan(fields...); err != nil {
				return err
			}
		}
		rows.Close()
		return rows.Err()
	}
}

// counting returns a function that adds the number of rows that a statement
// returns to n.
func counting(n *int) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			*n++
		}
		return rows.Err()
	}
}

// runTransition runs a statement that moves the job @id, under the locks that it
// needs, and reads the job back in the same transaction. changed tells whether
// the statement's guard held. If it did not, the job may or may not exist.
func (r *Record) runTransition(
	ctx context.Context, statement string, args pgx.NamedArgs, locks ...string,
) (j job.Job, changed bool, err error) {
	var calls []call
	for _, lock := range locks {
		calls = append(calls, call{statement: lock, args: args})
	}
	return r.runAfter(ctx, calls, statement, args)
}

// runAfter does what runTransition does, after other calls.
func (r *Record) runAfter(
	ctx context.Context, calls []call, statement string, args pgx.NamedArgs,
) (j job.Job, changed bool, err error) {
	moved := 0
	calls = append(calls,
		call{statement: statement, args: args, read: counting(&moved)},
		call{statement: "read_job", args: args, read: readInto(&j)},
	)
	err = r.send(ctx, calls...)
	return j, moved > 0, err
}
