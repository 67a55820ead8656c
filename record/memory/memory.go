// Package memory is the record in plain Go: maps under a mutex, a clock that
// can be set, and a journal that brings everything back after a crash.
//
// It is the specification of the record, and is meant to be read as such. Tests
// compare record/postgres with it, step by step, through random histories. So
// it is written to be plain. Where a database uses an index, it looks through
// everything that is open. Where a database keeps counters, it counts.
// Development and unit tests run on it, with thousands of jobs and not
// millions.
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

// file is the name of the journal in the directory that Open is given.
const file = "jobs.jsonl"

// Record is a record.Record in memory.
type Record struct {
	now func() time.Time

	mu      sync.Mutex
	jobs    map[string]*entry        // all of them, by id
	open    map[string]*entry        // those that have not ended
	keys    map[keyName]string       // job ids, by idempotency key
	turns   map[class]float64        // virtual times
	tenants map[tenantName]tenant    // each tenant's part in the turns
	lanes   map[string]lane          // each lane that was ever paused or given a task
	hours   map[hourName]record.Sums // what attempts came to
	budgets map[budgetName]budget    // each period that was ever reserved
	journal *journal.Journal[change]

	budgetHooks map[string]*hook // by id

	audit    []record.AuditEntry // in the order in which things were done
	audits   int64               // the greatest id of an entry that there ever was, as far as the journal has it
	tries    map[string]loginTry // to log in, by id
	sessions map[string]time.Time
	ignored  map[record.ErrorName]record.IgnoredError
	bulks    map[string]record.Bulk // by id
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
		hours: make(map[hourName]record.Sums), budgets: make(map[budgetName]budget), budgetHooks: make(map[string]*hook), journal: &journal.Journal[change]{},
		tries: make(map[string]loginTry), sessions: make(map[string]time.Time),
		ignored: make(map[record.ErrorName]record.IgnoredError), bulks: make(map[string]record.Bulk),
	}
	for _, o := range options {
		o(r)
	}
	return r
}

// Open returns the record that is kept in dir, and keeps it there from then on.
// It makes the directory if it is missing. It fails with journal.ErrInUse while
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

// view runs f while nothing changes. It fails if ctx has ended.
func (r *Record) view(ctx context.Context, f func(now time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return f(r.clock())
}

// update runs f, which makes changes and notes each in c. It writes them to the
// journal as one line. f must either fail or change something, never both.
func (r *Record) update(ctx context.Context, f func(now time.Time, c *change) error) error {
	return r.view(ctx, func(now time.Time) error {
		var c change
		if err := f(now, &c); err != nil {
			return err
		}
		return r.keep(c)
	})
}

// keep writes a change to the journal. Once most of the journal is history,
// keep writes the journal anew.
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

// clock returns the time in the form that the record keeps: UTC, to the
// microsecond as in Postgres.
func (r *Record) clock() time.Time { return record.KeptTime(r.now()) }

// errExists means that the caller tried to record a job under an id that is in
// use.
var errExists = errors.New("memory: there is a job with this id")
