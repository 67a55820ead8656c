package dashboard

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// csvHead names the columns of the file of what a month cost.
var csvHead = []string{
	"day", "zone", "tenant", "model", "outcome", "pictures", "attempts",
	"prompt_tokens", "text_tokens", "thought_tokens", "image_tokens", "cost_usd", "wasted_usd", "estimated_usd",
}

// spendCSV answers with what a month cost, by day, tenant, model and how attempts
// ended, as a file.
func (d *Dashboard) spendCSV(v *visit) error {
	m := readMonth(v.r.URL.Query(), time.Now())
	if m.wrong != "" {
		return &problem{status: http.StatusBadRequest, title: "Not understood", text: m.wrong}
	}
	q := m.query()
	q.Tenant, q.Model, q.Outcome, q.Limit = true, true, true, mostSums+1
	found, err := d.options.Record.Spend(v.r.Context(), q)
	switch {
	case err != nil:
		return errAway(err)
	case len(found) > mostSums:
		return &problem{
			status: http.StatusUnprocessableEntity, title: "Too much for a file",
			text: "The month has more than " + number(mostSums) + " sums. Read the table hourly of the record instead.",
		}
	}
	text, err := writeCSV(found, m.zone)
	if err != nil {
		return fmt.Errorf("the file of %s: %w", m.from.Format(monthFormat), err)
	}
	name := "spend-" + m.from.Format(monthFormat) + "-" + strings.ReplaceAll(m.zone.String(), "/", "-") + ".csv"
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = v.w.Write(text) // there is nobody left to tell
	return nil
}

// writeCSV returns sums as RFC 4180 has it.
func writeCSV(all []record.Spend, zone *time.Location) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.UseCRLF = true
	if err := w.Write(csvHead); err != nil {
		return nil, err
	}
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	for _, s := range all {
		t := s.Tokens
		err := w.Write([]string{
			s.At.In(zone).Format(time.DateOnly), zone.String(), cell(s.Tenant), cell(s.Model), cell(string(s.Outcome)),
			whole(s.Pictures), whole(s.Attempts), whole(t.Prompt), whole(t.Text), whole(t.Thought), whole(t.Image),
			exactly(s.CostMicros), exactly(s.WastedMicros), exactly(s.EstimatedMicros),
		})
		if err != nil {
			return nil, err
		}
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

// cell returns a text so that no spreadsheet takes it for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsAny(text[:1], "=+-@\t\r\n") || strings.HasPrefix(text, "＝") || strings.HasPrefix(text, "＋") ||
		strings.HasPrefix(text, "－") || strings.HasPrefix(text, "＠") {
		return "'" + text
	}
	return text
}
