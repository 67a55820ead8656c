package record_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/record"
)

func TestSearchGoesByIDs(t *testing.T) {
	t.Parallel()
	const last = "ffffffff-ffff-ffff-ffff-ffffffffffff"
	at := time.UnixMilli(0x019312345678)
	for name, tt := range map[string]struct {
		q    record.SearchQuery
		want record.IDRange
		no   bool
	}{
		"nothing": {q: record.SearchQuery{}, want: record.IDRange{From: "00000000-0000-0000-0000-000000000000", To: last, Before: last}},
		"a part": {q: record.SearchQuery{ID: "01931234-AB"}, want: record.IDRange{
			From: "01931234-ab00-0000-0000-000000000000", To: "01931234-abff-ffff-ffff-ffffffffffff", Before: last,
		}},
		"times": {q: record.SearchQuery{After: at, Before: at.Add(time.Millisecond)}, want: record.IDRange{
			From: "01931234-5678-0000-0000-000000000000", To: last, Before: "01931234-5679-0000-0000-000000000000",
		}},
		"a cursor within": {q: record.SearchQuery{Before: at, Cursor: "01931234-5677-7000-8000-000000000001"}, want: record.IDRange{
			From: "00000000-0000-0000-0000-000000000000", To: last, Before: "01931234-5677-7000-8000-000000000001",
		}},
		"times that no id has": {q: record.SearchQuery{After: time.Unix(-1, 0), Before: time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)}, want: record.IDRange{
			From: "00000000-0000-0000-0000-000000000000", To: last, Before: "ffffffff-ffff-0000-0000-000000000000",
		}},
		"too short":       {q: record.SearchQuery{ID: "0193123"}, no: true},
		"too long":        {q: record.SearchQuery{ID: strings.Repeat("0", 33)}, no: true},
		"no id":           {q: record.SearchQuery{ID: "lighthouse"}, no: true},
		"no cursor":       {q: record.SearchQuery{Cursor: "x"}, no: true},
		"what none keeps": {q: record.SearchQuery{Tenant: "a\x00"}, no: true},
	} {
		got, ok := tt.q.IDs()
		if ok == tt.no || ok && got != tt.want {
			t.Errorf("%s: %+v, %t; want %+v", name, got, ok, tt.want)
		}
	}
}

func TestDetailsOfFailuresThatAreAlike(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{
		"": "",
		"Resource exhausted. Please retry in 33.52s.":                          "Resource exhausted. Please retry in #.#s.",
		"model gemini-3.1-flash-image is overloaded":                           "model gemini-#.#-flash-image is overloaded",
		`Quota 'Requests per minute' of "p-1" for consumer 'project_number:5'`: "Quota … of … for consumer …",
		"you can't and won't":                                                  "you can't and won't",
		"id 0193ab12-5678-7000-8000-00000000000f, req_8f3kd9":                  "id #, #",
		"in `gs://bucket/a1`, \"\"":                                            "in …, …",
		strings.Repeat("ä", 121):                                               strings.Repeat("ä", 120),
	} {
		if diff := cmp.Diff(want, record.NormalDetail(detail)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", detail, diff)
		}
	}
}
