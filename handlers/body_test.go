package handlers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A name in another case must not be taken for the field, as encoding/json
// takes it: the schema has not seen its value.
func TestNamesAreMatchedExactly(t *testing.T) {
	b := setup(t)
	for name, tt := range map[string]struct {
		body string
		want []fault
	}{
		"count in capitals": {`{"prompt":"x","count":1,"COUNT":40}`, []fault{
			{"body.COUNT", `unexpected property: names are matched in their exact case, so write "count"`},
		}},
		"count in capitals alone": {`{"prompt":"x","COUNT":4}`, []fault{
			{"body.COUNT", `unexpected property: names are matched in their exact case, so write "count"`},
		}},
		"other fields": {`{"PROMPT":"x","prompt":"x","EXPIRES_IN":1,"Priority":"low"}`, []fault{
			{"body.EXPIRES_IN", `unexpected property: names are matched in their exact case, so write "expires_in"`},
			{"body.PROMPT", `unexpected property: names are matched in their exact case, so write "prompt"`},
			{"body.Priority", `unexpected property: names are matched in their exact case, so write "priority"`},
		}},
		"a letter that folds to another": {`{"prompt":"x","\u017feed":1}`, []fault{
			{"body.\u017feed", `unexpected property: names are matched in their exact case, so write "seed"`},
		}},
		"unknown": {`{"prompt":"x","n":2}`, []fault{{"body.n", "unexpected property"}}},
		"twice":   {`{"prompt":"x","count":1,"count":2}`, []fault{{"body.count", "is given twice; give it once"}}},
		"twice, once escaped": {`{"prompt":"x","count":1,"\u0063ount":2}`, []fault{
			{"body.count", "is given twice; give it once"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.generate(tt.body).problem(t, http.StatusUnprocessableEntity).Errors
			slices.SortFunc(got, func(a, b fault) int { return strings.Compare(a.Location, b.Location) })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
	if a := b.generate(`{"\u0070rompt":"x"}`); a.code != http.StatusAccepted {
		t.Errorf("an escaped name is the same name: %d %s", a.code, a.body)
	}
}
