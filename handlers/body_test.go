package handlers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

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

// encoding/json puts U+FFFD where text is not UTF-8: the model would be asked
// for something else than the caller wrote.
func TestTextIsUTF8(t *testing.T) {
	b := setup(t)
	for name, tt := range map[string]struct{ body, location string }{
		"byte in the prompt":        {"{\"prompt\":\"a\xffb\"}", "body.prompt"},
		"byte in metadata":          {"{\"prompt\":\"a\",\"metadata\":{\"a\":\"\xff\"}}", "body.metadata"},
		"byte in a name":            {"{\"prompt\":\"a\",\"n\xff\":1}", "body"},
		"byte in an input":          {"{\"prompt\":\"a\",\"input_images\":[\"https://example.com/\xff\"]}", "body.input_images"},
		"half a character":          {`{"prompt":"a\ud83db"}`, "body.prompt"},
		"the other half":            {`{"prompt":"a\uDC00b"}`, "body.prompt"},
		"halves in the wrong order": {`{"prompt":"a\udc00\ud83d"}`, "body.prompt"},
		"half at the end":           {`{"prompt":"a\ud83d"}`, "body.prompt"},
		"half in metadata":          {`{"prompt":"a","metadata":{"\ud83d":1}}`, "body.metadata"},
		"half in a name":            {`{"prompt":"a","\ud83d":1}`, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.generate(tt.body).problem(t, http.StatusUnprocessableEntity).Errors
			want := []fault{{tt.location, "must be UTF-8: send text in that encoding, and whole surrogate pairs after \\u"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
	if got := b.generate(`{"prompt":"\ud83d\ude00 \\ud83d é"}`).job(t).Input.Prompt; got != `😀 \ud83d é` {
		t.Errorf("the prompt became %q", got)
	}
}

func TestOtherContentTypesAreRefused(t *testing.T) {
	b := setup(t)
	want := []fault{{"header.Content-Type", "unknown content type; send application/json"}}
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", ";+", "\xff"} {
		got := b.generate(`{"prompt":"a"}`, "Content-Type", contentType).problem(t, http.StatusUnsupportedMediaType).Errors
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", contentType, diff)
		}
	}
	if a := b.generate(`{"prompt":"a"}`, "Content-Type", "application/json; charset=utf-8"); a.code != http.StatusAccepted {
		t.Errorf("JSON with a charset: %d %s", a.code, a.body)
	}
}

// A caller whose body broke off is not told that the service failed.
func TestBodiesThatBreakOff(t *testing.T) {
	b := setup(t)
	for _, contentType := range []string{"application/json", "text/plain"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/generate-images",
			io.MultiReader(strings.NewReader(`{"prompt":`), iotest.ErrReader(io.ErrUnexpectedEOF)))
		r.Header.Set("Authorization", "Bearer "+webKey)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		b.routes.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s: %d %s", contentType, w.Code, w.Body)
		}
	}
}
