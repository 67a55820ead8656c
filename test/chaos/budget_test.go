package chaos_test

import (
	"context"
	"fmt"
)

// listPrice is what a picture costs at least by list price, in millionths of a US
// dollar.
const listPrice = 33_600

// ampleBudget has room for everything.
const ampleBudget = 1_000 // US dollars

// budgetFor returns the BUDGET of the time of trouble. In a long run it has room for
// about three quarters of what is asked for, so that images are held, and go on once
// the trouble is over. Poisoned ones take longer then.
func budgetFor(jobs []plannedJob, long bool) string {
	if !long {
		return budgetOf(ampleBudget)
	}
	pictures := 0
	for _, j := range jobs {
		pictures += j.count
	}
	return budgetOf(float64(pictures) * 3 / 4 * listPrice / 1e6)
}

func budgetOf(usd float64) string { return fmt.Sprintf(`{"usd": %.4f, "per": "month"}`, usd) }

// budget returns the present BUDGET.
func (d *deployment) budget() string {
	if d.whole.Load() {
		return budgetOf(ampleBudget)
	}
	return d.troubled
}

// awaitSettled waits until no image that has ended has a reservation left.
func (d *deployment) awaitSettled(ctx context.Context) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, endPatience)
	defer cancel()
	const leftSQL = `SELECT count(*) FROM images WHERE reserved_micros > 0 AND NOT settled`
	left := 0
	if !until(ctx, func() bool { return d.record.read(ctx, leftSQL, &left) == nil && left == 0 }) {
		d.t.Errorf("%d images have ended, and their reservations stay", left)
	}
}

// checkBudget compares what budgets say with the images that were reserved. An image
// that a version of before budgets recorded is in none.
func (d *deployment) checkBudget(sum *summary) {
	d.t.Helper()
	const wrongSQL = `
SELECT coalesce(string_agg(format('%s: %s reserved, %s spent, images cost %s', scope, reserved_micros, spent_micros, images), '; '), '')
FROM (
    SELECT scope, reserved_micros, spent_micros, (
        SELECT coalesce(sum(CASE WHEN i.status = 'succeeded' THEN coalesce(i.bound_micros, i.cost_micros) ELSE 0 END + i.billed_micros), 0)
        FROM images i WHERE b.id = ANY(i.budgets)
    ) AS images FROM budgets b
) AS counted WHERE reserved_micros <> 0 OR spent_micros <> images`
	wrong := ""
	if err := d.record.read(d.t.Context(), wrongSQL, &wrong); err != nil || wrong != "" {
		d.t.Errorf("budgets are not what their images cost: %s (%v)", wrong, err)
	}
	for sql, into := range map[string]*int{
		`SELECT count(DISTINCT (job_id, idx)) FROM released`: &sum.held,
		`SELECT count(*) FROM images WHERE budgets IS NULL`:  &sum.unreserved,
	} {
		if err := d.record.read(d.t.Context(), sql, into); err != nil {
			d.t.Error(err)
		}
	}
	if d.troubled != budgetOf(ampleBudget) && sum.held == 0 {
		d.t.Error("the budget held no image")
	}
	if d.crew.old == "" && sum.unreserved > 0 {
		d.t.Errorf("%d images are in no budget", sum.unreserved)
	}
}
