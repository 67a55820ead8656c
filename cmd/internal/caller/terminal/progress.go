package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
)

// Progress returns how a job is doing, in some columns: the most important first, and
// nothing that does not fit. since is when the caller began to wait.
func Progress(j client.Job, now, since time.Time, columns int) string {
	p := j.Progress
	parts := []string{fmt.Sprintf("%d of %s", p.Succeeded, Count(p.Total))}
	if p.Processing > 0 {
		parts = append(parts, fmt.Sprintf("%d drawing", p.Processing))
	}
	if j.QueuePosition != nil && p.Queued > 0 {
		parts = append(parts, place(*j.QueuePosition))
	}
	if at := j.EstimatedStartAt; at != nil && p.Queued > 0 {
		parts = append(parts, "starts "+in(at.Sub(now)))
	}
	if why := waitsFor(j); why != "" {
		parts = append(parts, "waits for "+why)
	}
	parts = append(parts, Duration(now.Sub(since)))
	line := parts[0]
	for _, part := range parts[1:] {
		if longer := line + ", " + part; ansi.StringWidth(longer) < columns {
			line = longer
		}
	}
	return line
}

// place returns a place in the queue.
func place(ahead int) string {
	if ahead == 0 {
		return "next in line"
	}
	return fmt.Sprintf("%d ahead", ahead)
}

// in returns when something will be.
func in(d time.Duration) string {
	if d < time.Second {
		return "now"
	}
	return "in " + Duration(d)
}

// waitsFor returns what the first picture that waits for more than its turn waits
// for.
func waitsFor(j client.Job) string {
	for _, i := range j.Images {
		if i.Status != "queued" || i.WaitingFor == nil {
			continue
		}
		switch *i.WaitingFor {
		case "turn":
		case "backoff":
			return "another try"
		case "lane":
			return "a working lane"
		case "model":
			return "a lane of its model"
		default:
			return Clean(*i.WaitingFor)
		}
	}
	return ""
}

// Landed returns the line of a picture that there is. where is its file or its
// address, if that is to be told.
func (s *Screen) Landed(i client.Image, where string) string {
	line := s.Paint(Good, "done") + fmt.Sprintf("    %d  %dx%d, %s", i.Index, i.Width, i.Height, Bytes(i.Bytes))
	return strings.TrimSpace(line + "  " + Clean(where))
}

// Lost returns the line of a picture that there is not.
func (s *Screen) Lost(i client.Image) string {
	line := s.Paint(Bad, fmt.Sprintf("%-8s", Clean(i.Status))) + fmt.Sprintf("%d", i.Index)
	if i.Error != nil {
		line += "  " + Clean(i.Error.Code) + ": " + Clean(i.Error.Message)
	}
	return line
}

// Summary returns what came of a job.
func (s *Screen) Summary(j client.Job) string {
	color := Good
	if j.Status != "succeeded" {
		color = Bad
	}
	parts := []string{s.Paint(color, Clean(j.Status)), fmt.Sprintf("%d of %s", j.Progress.Succeeded, Count(j.Progress.Total)), Money(j.CostUSD)}
	if j.CompletedAt != nil {
		parts = append(parts, Duration(j.CompletedAt.Sub(j.CreatedAt)))
	}
	return strings.Join(parts, ", ")
}
