package terminal

import (
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
)

// wide is from how many columns on a job is one line of a table.
const wide = 90

// row is a line of the table: its columns.
const row = "%-36s  %-10s  %8s  %6s  %8s  %s"

// Header returns the head of the table of jobs, or nothing if there is no room for a
// table.
func Header(columns int) string {
	if columns < wide {
		return ""
	}
	return fmt.Sprintf(row, "ID", "STATUS", "PICTURES", "AGE", "COST", "PROMPT")
}

// Row returns a job for a list, cut to the width: one line of the table, or its id
// and a line below where the screen is too narrow for that.
func Row(j client.Job, now time.Time, columns int) string {
	id, status, prompt := Clean(j.ID), Clean(j.Status), Clean(j.Input.Prompt)
	pictures := fmt.Sprintf("%d/%d", j.Progress.Succeeded, j.Progress.Total)
	age, cost := Duration(now.Sub(j.CreatedAt)), Money(j.CostUSD)
	if columns < wide {
		return Cut(id, columns) + "\n" + Cut(fmt.Sprintf("  %s  %s  %s  %s  %s", status, pictures, age, cost, prompt), columns)
	}
	return Cut(fmt.Sprintf(row, id, status, pictures, age, cost, prompt), columns)
}
