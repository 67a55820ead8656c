package memory

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// PauseByHand implements record.Operators.
func (r *Record) PauseByHand(ctx context.Context, name string, a record.Act) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		l := r.lanes[name]
		if !l.ByHand.At.IsZero() {
			return record.ErrLanePaused
		}
		l.ByHand = record.HandPause{At: now, Who: a.Who, Reason: a.Reason}
		r.setLane(name, l, c)
		r.note(a, name, nil, now, c)
		return nil
	})
}

// ResumeByHand implements record.Operators.
func (r *Record) ResumeByHand(ctx context.Context, name string, a record.Act) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		l := r.lanes[name]
		if l.ByHand.At.IsZero() {
			return record.ErrNotPaused
		}
		was := map[string]string{"paused_by": l.ByHand.Who, "paused_seconds": seconds(now.Sub(l.ByHand.At))}
		l.ByHand = record.HandPause{}
		r.setLane(name, l, c)
		r.note(a, name, was, now, c)
		return nil
	})
}

// seconds returns a duration in whole seconds.
func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// note writes an act to the audit.
func (r *Record) note(a record.Act, target string, detail map[string]string, now time.Time, c *change) {
	r.addAudit(record.AuditEntry{ID: r.audits + 1, At: now, Act: a, Target: target, Detail: detail}, c)
}

// Audit implements record.Operators.
func (r *Record) Audit(ctx context.Context, q record.AuditQuery) (page record.AuditPage, err error) {
	err = r.view(ctx, func(time.Time) error {
		var found []record.AuditEntry
		for _, e := range slices.Backward(r.audit) {
			wanted := (q.Who == "" || e.Act.Who == q.Who) && (q.Target == "" || e.Target == q.Target) && (q.Before == 0 || e.ID < q.Before)
			if wanted && len(found) <= q.Limit {
				found = append(found, e)
			}
		}
		page = record.NewAuditPage(q, found)
		return nil
	})
	return page, err
}

// RetireAudit implements record.Operators.
func (r *Record) RetireAudit(ctx context.Context, limit int) (n int, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		for _, e := range slices.Clone(r.audit) {
			if n < limit && e.At.Before(now.Add(-record.AuditKept)) {
				r.forgetAudit(e.ID, c)
				n++
			}
		}
		return nil
	})
	return n, err
}

// A loginTry is a try to log in, when it was made, and whether it counts as failed.
type loginTry struct {
	record.LoginTry

	At     time.Time
	Failed bool
}

// BeginLogin implements record.Operators.
func (r *Record) BeginLogin(ctx context.Context, t record.LoginTry) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		full := latest(
			r.tooMany(now, func(o loginTry) bool { return o.User == t.User }),
			r.tooMany(now, func(o loginTry) bool { return o.Address == t.Address }),
		)
		if !full.IsZero() {
			return &record.TooManyLoginsError{RetryAfter: full.Add(record.LoginWindow).Sub(now)}
		}
		r.setTry(loginTry{LoginTry: t, At: now, Failed: true}, c)
		return nil
	})
}

// tooMany returns the zero time if fewer tries failed of late than may. Otherwise it
// returns the time of the one that has to be forgotten before another may follow.
func (r *Record) tooMany(now time.Time, same func(loginTry) bool) time.Time {
	var failed []time.Time
	for _, t := range r.tries {
		if t.Failed && same(t) && t.At.After(now.Add(-record.LoginWindow)) {
			failed = append(failed, t.At)
		}
	}
	if len(failed) < record.MaxFailedLogins {
		return time.Time{}
	}
	slices.SortFunc(failed, time.Time.Compare)
	return failed[len(failed)-record.MaxFailedLogins]
}

// EndLogin implements record.Operators.
func (r *Record) EndLogin(ctx context.Context, t record.LoginTry, a record.Act) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		if kept, known := r.tries[t.ID]; known {
			kept.Failed = false
			r.setTry(kept, c)
		}
		r.note(a, "", nil, now, c)
		return nil
	})
}

// EndSession implements record.Operators.
func (r *Record) EndSession(ctx context.Context, id string, lasts time.Duration, a record.Act) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		if !r.sessions[id].After(now) {
			r.setSession(id, now.Add(micros(lasts)), c)
			r.note(a, "", nil, now, c)
		}
		return nil
	})
}

// SessionEnded implements record.Operators.
func (r *Record) SessionEnded(ctx context.Context, id string) (ended bool, err error) {
	err = r.view(ctx, func(now time.Time) error {
		ended = r.sessions[id].After(now)
		return nil
	})
	return ended, err
}
