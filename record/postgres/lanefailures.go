package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/record"
)

// LaneFailures implements record.Board, in one round trip.
func (r *Record) LaneFailures(ctx context.Context, lane string, since time.Time, limit int) (record.LaneFailures, error) {
	since = record.KeptTime(since)
	if strings.ToValidUTF8(lane, "") != lane || strings.Contains(lane, "\x00") {
		lane = "" // there is none
	}
	var all record.LaneFailures
	var back reach
	err := r.send(ctx,
		call{statement: "clock", read: oneRow(&all.At)},
		call{statement: "lane_failures", args: pgx.NamedArgs{
			"lane": lane, "since": since, "look": record.MaxFailures, "limit": limit, "samples": record.MaxFailureSamples,
		}, read: readLaneFailures(&all, &back)},
	)
	if err != nil {
		return record.LaneFailures{}, fmt.Errorf("postgres: read failures of a lane: %w", err)
	}
	all.At, all.Since = all.At.UTC(), back.since(since, record.MaxFailures)
	all.More = len(all.Groups) > limit
	all.Groups = all.Groups[:min(limit, len(all.Groups))]
	return all, nil
}

func readLaneFailures(all *record.LaneFailures, back *reach) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var first, earliest *time.Time
		var ends []time.Time
		var details, jobs []string
		var indexes, numbers []int
		var g record.LaneFailure
		_, err := pgx.ForEachRow(rows, []any{&g.Outcome, &g.Attempts, &first, &ends, &details, &jobs, &indexes, &numbers, &back.looked, &earliest}, func() error {
			if earliest != nil {
				back.earliest = *earliest
			}
			if g.Attempts == 0 {
				return nil
			}
			next := record.LaneFailure{Outcome: g.Outcome, Attempts: g.Attempts, First: first.UTC()}
			for i := range ends {
				next.Latest = append(next.Latest, record.FailedAttempt{
					EndedAt: ends[i].UTC(), Detail: details[i], JobID: jobs[i], Index: indexes[i], Number: numbers[i],
				})
			}
			all.Groups = append(all.Groups, next)
			return nil
		})
		return err
	}
}
