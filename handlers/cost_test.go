package handlers_test

import (
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fill returns a body of nearly the greatest size: before, then as often as it
// takes the middle, then after.
func fill(before, middle, after string) string {
	n := (12<<20 - 1 - len(before) - len(after)) / len(middle)
	return before + strings.Repeat(middle, n) + after
}

// Most of a body's cost is that of decoding it, which is many times its size if
// it has many small values. The bound is twice what the most expensive of these
// take, the caller's own part included: without bounds, small values take
// 590 MiB and more.
func TestRefusalsAreCheap(t *testing.T) {
	b := setup(t)
	const mostAllocated, mostAnswered = 350 << 20, 8 << 10
	for name, body := range map[string]string{
		"numbers as inputs":        fill(`{"prompt":"a","input_images":[`, "1,", `1]}`),
		"short texts as inputs":    fill(`{"prompt":"a","input_images":[`, `"",`, `""]}`),
		"lists as inputs":          fill(`{"prompt":"a","input_images":[[`, "[],", `1]]}`),
		"wide metadata":            fill(`{"prompt":"a","metadata":{"a":[`, "{},", `1]}}`),
		"members of metadata":      fill(`{"prompt":"a","metadata":{`, `"":0,`, `"":1}}`),
		"deep metadata":            `{"prompt":"a","metadata":` + strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000) + "}",
		"deeper metadata":          fill(`{"prompt":"a","metadata":`, `[`, ``),
		"unknown names":            fill(`{"prompt":"a",`, `"n":1,`, `"n":1}`),
		"one name many times":      fill(`{"prompt":"a",`, `"count":1,`, `"count":1}`),
		"a long name":              fill(`{"prompt":"a","`, `n`, `":1}`),
		"a long name with escapes": fill(`{"prompt":"a","`, `\u0041`, `":1}`),
		"a list":                   fill(`[`, `1,`, `1]`),
		"a list as prompt":         fill(`{"prompt":[`, `1,`, `1]}`),
		"a large number":           fill(`{"prompt":"a","count":1`, `0`, `}`),
		"a long prompt":            fill(`{"prompt":"`, `x`, `","count":17,"priority":1,"expires_in":1}`),
		"no JSON":                  fill(``, `x`, ``),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := b.generate(body)
			runtime.ReadMemStats(&after)
			if a.code != http.StatusUnprocessableEntity && a.code != http.StatusBadRequest {
				t.Errorf("answered %d", a.code)
			}
			p := a.problem(t, a.code)
			if len(p.Errors) == 0 || len(p.Errors) > 20 || p.Errors[0].Location == "" {
				t.Errorf("%d errors are listed, such as %.300s", len(p.Errors), a.body)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > mostAllocated {
				t.Errorf("it took %d MiB", got>>20)
			}
			if len(a.body) > mostAnswered {
				t.Errorf("the answer has %d bytes", len(a.body))
			}
		})
	}
}

// The bounds leave room for all metadata that is not made to be a burden.
func TestMetadataMayBeDeepAndWide(t *testing.T) {
	b := setup(t)
	nested := func(levels int) string {
		return `{"a":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + "}"
	}
	for _, metadata := range []string{nested(32), `{"a":[` + strings.Repeat("1,", 2000) + `1]}`, `{"n":12345678901234567890e-5}`} {
		a := b.generate(`{"prompt":"a","metadata":` + metadata + `}`)
		if a.code != http.StatusAccepted || string(a.job(t).Metadata) != metadata {
			t.Errorf("%.100s: %d %.300s", metadata, a.code, a.body)
		}
	}
	got := b.generate(`{"prompt":"a","metadata":`+nested(33)+`}`).problem(t, http.StatusUnprocessableEntity).Errors
	want := []fault{{"body.metadata", "is nested too deep; send at most 32 levels"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
