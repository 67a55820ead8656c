package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/record"
)

// Errors implements record.Board, in one round trip.
func (r *Record) Errors(ctx context.Context, since time.Time, limit int) (record.ErrorGroups, error) {
	since = record.KeptTime(since)
	var all record.ErrorGroups
	var back reach
	err := r.send(ctx,
		call{statement: "clock", read: oneRow(&all.At)},
		call{statement: "errors", args: pgx.NamedArgs{
			"since": since, "look": record.MaxFailures, "limit": limit,
			"detail": record.MaxErrorDetail, "tenants": record.MaxErrorTenants, "hours": record.ErrorHours,
		}, read: readErrors(&all, &back)},
	)
	if err != nil {
		return record.ErrorGroups{}, fmt.Errorf("postgres: read groups of errors: %w", err)
	}
	all.At, all.Looked, all.Since = all.At.UTC(), back.looked, back.since(since, record.MaxFailures)
	all.More = len(all.Groups) > limit
	all.Groups = all.Groups[:min(limit, len(all.Groups))]
	return all, nil
}

func readErrors(all *record.ErrorGroups, back *reach) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			var g record.ErrorGroup
			var sample string
			var hours, counts []int
			err := rows.Scan(&g.Outcome, &g.Detail, &g.Lane, &g.Attempts, &g.First, &g.Last, &sample,
				&g.Tenants, &g.TenantCount, &hours, &counts, &back.looked, &back.earliest)
			if err != nil {
				return err
			}
			g.First, g.Last = g.First.UTC(), g.Last.UTC()
			for i, hour := range hours {
				g.Hours[record.ErrorHours-1-hour] = counts[i]
			}
			if g.JobID, g.Index, g.Number, err = readSample(sample); err != nil {
				return err
			}
			all.Groups = append(all.Groups, g)
		}
		return rows.Err()
	}
}

// readSample reads an attempt's place among others, job, index and number.
func readSample(sample string) (jobID string, index, number int, err error) {
	parts := strings.Split(sample, "/")
	if index, err = strconv.Atoi(parts[2]); err == nil {
		number, err = strconv.Atoi(parts[3])
	}
	return parts[1], index, number, err
}
