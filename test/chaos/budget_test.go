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

// thrifty is a tenant with a third of the jobs, and until the trouble is over with a
// budget for half of their pictures. So some are held in each run. The others go on,
// since there must be enough under way that can break.
const thrifty = "thrifty"

// roomOf returns for how many pictures thrifty has a budget.
func roomOf(jobs []plannedJob) int {
	pictures := 0
	for _, j := range jobs {
		if j.tenant == thrifty {
			pictures += j.count
		}
	}
	return max(1, pictures/2)
}

// budgets returns the present settings of budgets.
func (d *deployment) budgets() []string {
	service, tenant := d.troubled, budgetOf(float64(d.room)*listPrice/1e6)
	if d.whole.Load() {
		service, tenant = budgetOf(ampleBudget), budgetOf(ampleBudget)
	}
	return []string{"BUDGET=" + service, fmt.Sprintf(`TENANTS={%q: {"budget": %s}}`, thrifty, tenant)}
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
// that a version of before budgets recorded is in none. It fails if something was
// reserved that had no room, or if nothing was held.
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
	d.checkThrifty()
	const exceededSQL = `
SELECT coalesce(string_agg(format('%s reserved %s of %s, with %s spent', worker, reserved_micros, allowed_micros, spent_micros), '; '), '')
FROM exceeded`
	if err := d.record.read(d.t.Context(), exceededSQL, &wrong); err != nil || wrong != "" {
		d.t.Errorf("something was reserved that had no room in its budget: %s (%v)", wrong, err)
	}
	if d.crew.old == "" && sum.unreserved > 0 {
		d.t.Errorf("%d images are in no budget", sum.unreserved)
	}
}

// checkThrifty fails unless an image of thrifty was held. All its jobs were recorded
// while its budget was short, and a picture keeps what was reserved for it. So more
// pictures than there was room for show that one was held, however slow the machine is.
func (d *deployment) checkThrifty() {
	d.t.Helper()
	const drawnSQL = `
SELECT count(*) FROM images i JOIN jobs j ON j.id = i.job_id
WHERE j.tenant = '` + thrifty + `' AND i.status = 'succeeded' AND i.budgets IS NOT NULL`
	const heldSQL = `SELECT count(*) FROM released r JOIN jobs j ON j.id = r.job_id WHERE j.tenant = '` + thrifty + `'`
	drawn, held := 0, 0
	for sql, into := range map[string]*int{drawnSQL: &drawn, heldSQL: &held} {
		if err := d.record.read(d.t.Context(), sql, into); err != nil {
			d.t.Error(err)
		}
	}
	if drawn > d.room && held == 0 {
		d.t.Errorf("%s has %d pictures and a budget for %d, and none was held", thrifty, drawn, d.room)
	}
}
