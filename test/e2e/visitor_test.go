package e2e_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	board = "/admin/queues"
	// sameKind bounds how many pages of one kind a visitor opens, and mostOpened how
	// many pages.
	sameKind, mostOpened = 3, 400
)

// A visitor opens pages of the dashboard, as a browser does.
type visitor struct {
	t      *testing.T
	base   string
	client *http.Client
}

func visit(t *testing.T, base string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visitor{t: t, base: base, client: &http.Client{Jar: jar, CheckRedirect: stay}}
}

// An opened page is what a path was answered with.
type opened struct {
	path   string
	status int
	header http.Header
	text   string
}

// send sends a form, or asks for a page if there is none.
func (v *visitor) send(path string, form url.Values) opened {
	v.t.Helper()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", v.base)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return opened{path, resp.StatusCode, resp.Header, string(text)}
}

var (
	href   = regexp.MustCompile(`href="(` + board + `[^"]*)"`)
	number = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]+`)
)

// kindOf returns what pages of one kind have in common: the path without ids and
// numbers, and the names of what it asks for.
func kindOf(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	names := make([]string, 0, len(u.Query()))
	for name := range u.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	return number.ReplaceAllString(u.Path, "#") + "?" + strings.Join(names, "&")
}

// openAll opens the first page, and all that the pages lead to, of each kind some. It
// fails without those of the kinds that it is told of.
func (v *visitor) openAll(kinds ...string) (all []opened) {
	v.t.Helper()
	seen, of := map[string]bool{board: true}, map[string]int{}
	for next := []string{board}; len(next) > 0 && len(all) < mostOpened; next = next[1:] {
		kind := kindOf(next[0])
		if of[kind]++; of[kind] > sameKind {
			continue
		}
		page := v.send(next[0], nil)
		all = append(all, page)
		for _, m := range href.FindAllStringSubmatch(page.text, -1) {
			to, _, _ := strings.Cut(html.UnescapeString(m[1]), "#")
			if !seen[to] {
				seen[to] = true
				next = append(next, to)
			}
		}
	}
	for _, kind := range kinds {
		if of[kind] == 0 {
			v.t.Errorf("nothing leads to a page like %s", kind)
		}
	}
	return all
}
