// Package memory is the record in plain Go: maps under a mutex, a clock that
// can be set, and a journal that brings everything back after a crash.
//
// It is the specification of the record, to be read as such: record/postgres is
// held against it, step by step, through random histories. So it is written to
// be plain. It looks through all that is open where a database has an index,
// and counts where a database keeps counters. Development and unit tests run on
// it, which have thousands of jobs and not millions.
package memory

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/local/journal"
	"github.com/ai-worker/ai-worker/record"
)

// file has the journal, in the directory that Open is given.
const file = "jobs.jsonl"

// Record is a record.Record in memory.
type Record struct {
	now func() time.Time

	mu      sync.Mutex
	jobs    map[string]*entry     // all of them, by id
	open    map[string]*entry     // those that have not ended
	keys    map[keyName]string    // job ids, by idempotency key
	turns   map[class]float64     // virtual times
	tenants map[tenantName]tenant // each tenant's part in the turns
	lanes   map[string]lane       // each that was ever paused or given a task
	journal *journal.Journal[change]
}

var _ record.Record = (*Record)(nil)

// An Option changes what New and Open return.
type Option func(*Record)

// WithClock makes the record take the time from now.
func WithClock(now func() time.Time) Option {
	return func(r *Record) { r.now = now }
}

// New returns an empty record that lives as long as its process.
func New(options ...Option) *Record {
	r := &Record{
		now: time.Now, jobs: make(map[string]*entry), open: make(map[string]*entry), keys: make(map[keyName]string),
		turns: make(map[class]float64), tenants: make(map[tenantName]tenant), lanes: make(map[string]lane),
		journal: &journal.Journal[change]{},
	}
	for _, o := range options {
		o(r)
	}
	return r
}

// Open returns the record that is kept in dir, and goes on keeping it there. It
// makes the directory if it is missing. It fails with journal.ErrInUse while
// another process has the record open.
func Open(dir string, options ...Option) (*Record, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	r := New(options...)
	kept, err := journal.Open(filepath.Join(dir, file), r.apply)
	if err != nil {
		return nil, fmt.Errorf("memory: the journal of jobs: %w", err)
	}
	r.journal = kept
	return r, nil
}

// Close closes the journal.
func (r *Record) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.journal.Close()
}

// view runs f while nothing changes.
func (r *Record) view(ctx context.Context, f func(now time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return f(r.clock())
}

// update runs f, which makes changes and notes each in c, and writes them to
// the journal as one line. f either fails or changes something, never both.
func (r *Record) update(ctx context.Context, f func(now time.Time, c *change) error) error {
	return r.view(ctx, func(now time.Time) error {
		var c change
		if err := f(now, &c); err != nil {
			return err
		}
		return r.keep(c)
	})
}

// keep writes a change to the journal, and makes that anew once it is mostly
// history.
func (r *Record) keep(c change) error {
	if c.empty() {
		return nil
	}
	if err := r.journal.Write(c); err != nil {
		return fmt.Errorf("memory: the change is not kept: %w", err)
	}
	if r.journal.Overgrown(len(r.jobs)) {
		if err := r.journal.Compact(r.state()); err != nil {
			return fmt.Errorf("memory: compact the journal: %w", err)
		}
	}
	return nil
}

// clock returns the time as the record keeps it, to the microsecond as Postgres
// does.
func (r *Record) clock() time.Time { return r.now().Round(0).UTC().Truncate(time.Microsecond) }

// errExists: an id is new to the record, or the caller is at fault.
var errExists = errors.New("memory: there is a job with this id")
