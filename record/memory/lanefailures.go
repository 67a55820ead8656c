package memory

import (
	"context"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// LaneFailures implements record.Board.
func (r *Record) LaneFailures(ctx context.Context, lane string, since time.Time, limit int) (all record.LaneFailures, err error) {
	since = record.KeptTime(since)
	err = r.view(ctx, func(now time.Time) error {
		failed, from := r.lately(since, record.MaxFailures, func(a job.Attempt) bool { return record.Failed(a.Outcome) })
		all = record.LaneFailures{At: now, Since: from}
		number := make(map[record.ErrorName]int) // of a group
		for _, a := range failed {               // the latest first, and so are the groups
			if a.Lane != lane {
				continue
			}
			name := record.ErrorName{Outcome: a.Outcome, Detail: digitless(a.Detail), Lane: a.Lane}
			n, known := number[name]
			if !known {
				n = len(all.Groups)
				number[name] = n
				all.Groups = append(all.Groups, record.LaneFailure{Outcome: a.Outcome})
			}
			g := &all.Groups[n]
			g.Attempts, g.First = g.Attempts+1, a.EndedAt
			if len(g.Latest) < record.MaxFailureSamples {
				g.Latest = append(g.Latest, record.FailedAttempt{EndedAt: a.EndedAt, Detail: a.Detail, JobID: a.JobID, Index: a.Index, Number: a.Number})
			}
		}
		all.More = len(all.Groups) > limit
		all.Groups = all.Groups[:min(limit, len(all.Groups))]
		return nil
	})
	return all, err
}

// digitless returns a text with a zero for each digit.
func digitless(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '1' && r <= '9' {
			return '0'
		}
		return r
	}, text)
}
