package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The API answers in JSON only, so no Accept header may change or break that.
func TestAnyAcceptGetsJSON(t *testing.T) {
	b := setup(t)
	path := "/api/jobs/" + b.generate(`{"prompt":"a"}`).job(t).ID
	for _, accept := range []string{"text/html; , */*", "text/html;", ";", "json", ";q=,", " ; ; ,,", "application/json;q=x", "\xff;\xfe,"} {
		b.generate(`{}`, "Accept", accept).problem(t, http.StatusUnprocessableEntity)
		b.do(http.MethodGet, "/api/jobs/nonsense", "", "Accept", accept).problem(t, http.StatusNotFound)
		if a := b.do(http.MethodGet, path, "", "Accept", accept); a.code != http.StatusOK {
			t.Errorf("Accept %q: %d %s", accept, a.code, a.body)
		}
	}
}

// The record keeps the key as text, and could never keep such a one.
func TestIdempotencyKeysAreText(t *testing.T) {
	b := setup(t)
	for _, key := range []string{"a\xffb", "a\tb", "\xc2\x85", "\xed\xa0\x80"} {
		got := b.generate(`{"prompt":"a"}`, "Idempotency-Key", key).problem(t, http.StatusUnprocessableEntity).Errors
		want := []fault{{"header.Idempotency-Key", "must be UTF-8 without control characters"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("key %q (-want +got):\n%s", key, diff)
		}
	}
	if a := b.generate(`{"prompt":"a"}`, "Idempotency-Key", "schlüssel 鍵"); a.code != http.StatusAccepted {
		t.Errorf("a key in UTF-8: %d %s", a.code, a.body)
	}
}

func TestWaitsAreCapped(t *testing.T) {
	b := setup(t)
	path := "/api/jobs/" + b.generate(`{"prompt":"a"}`).job(t).ID
	b.do(http.MethodPost, path+"/cancel", "") // one that has ended is not waited for
	for prefer, want := range map[string]string{
		"wait=59": "wait=59", "wait=61": "wait=60", "wait=10000000000": "wait=60", "wait=99999999999999999999": "wait=60",
		"wait": "wait=60", "wait=-1": "", "wait=-99999999999999999999": "", "wait=x": "", "wait=1e3": "",
	} {
		if got := b.do(http.MethodGet, path, "", "Prefer", prefer).header.Get("Preference-Applied"); got != want {
			t.Errorf("Prefer %q: applied %q, want %q", prefer, got, want)
		}
	}
}

func TestIDsAreFoundInAnyCase(t *testing.T) {
	b := setup(t)
	id := b.generate(`{"prompt":"a"}`).job(t).ID
	path := "/api/jobs/" + strings.ToUpper(id)
	for _, prefer := range []string{"", "wait=1"} {
		if a := b.do(http.MethodGet, path, "", "Prefer", prefer); a.code != http.StatusOK || a.job(t).ID != id {
			t.Errorf("GET with Prefer %q: %d %s", prefer, a.code, a.body)
		}
	}
	if a := b.do(http.MethodPost, path+"/cancel", ""); a.code != http.StatusOK || a.job(t).Status != "canceled" {
		t.Errorf("cancel: %d %s", a.code, a.body)
	}
	for _, other := range []string{"urn:uuid:" + id, "{" + id + "}", strings.ReplaceAll(id, "-", "")} {
		b.do(http.MethodGet, "/api/jobs/"+other, "").problem(t, http.StatusNotFound)
	}
}
