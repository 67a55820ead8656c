package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// IgnoreError implements record.Ignorer.
func (r *Record) IgnoreError(ctx context.Context, i record.Ignore, a record.Act) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		i.Until = record.KeptTime(i.Until)
		r.setIgnored(record.IgnoredError{Ignore: i, At: now, Who: a.Who, Reason: a.Reason}, c)
		r.note(a, i.Name.Target(), i.Detail(), now, c)
		return nil
	})
}

// NoticeError implements record.Ignorer.
func (r *Record) NoticeError(ctx context.Context, name record.ErrorName, a record.Act) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		i, known := r.ignored[name]
		if !known || pastDate(i, now) {
			return record.ErrNotIgnored
		}
		r.forgetIgnored(name, c)
		r.note(a, name.Target(), map[string]string{"ignored_by": i.Who}, now, c)
		return nil
	})
}

// IgnoredErrors implements record.Ignorer.
func (r *Record) IgnoredErrors(ctx context.Context) (all []record.IgnoredError, err error) {
	err = r.view(ctx, func(now time.Time) error {
		for _, i := range r.ignored {
			if !pastDate(i, now) {
				all = append(all, i)
			}
		}
		slices.SortFunc(all, func(a, b record.IgnoredError) int {
			return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Name.Outcome, b.Name.Outcome),
				cmp.Compare(a.Name.Detail, b.Name.Detail), cmp.Compare(a.Name.Lane, b.Name.Lane))
		})
		all = all[:min(len(all), record.MaxIgnored)]
		return nil
	})
	return all, err
}

// pastDate reports whether the date until which a group is ignored has come.
func pastDate(i record.IgnoredError, now time.Time) bool {
	return !i.Until.IsZero() && !i.Until.After(now)
}
