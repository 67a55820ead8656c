package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// files are the templates of pages, and what is served as it is.
//
//go:embed layout.html pages/*.html static/*
var files embed.FS

// A visit is one request, and who makes it.
type visit struct {
	w   http.ResponseWriter
	r   *http.Request
	who visitor
}

// redirect sends the browser to another page, which it gets.
func (v *visit) redirect(to string) error {
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// fragmentType is the type that a page's script asks for: what is new of the page,
// and nothing else.
const fragmentType = "text/x-fragment"

func (v *visit) wantsFragment() bool { return v.r.Header.Get("Accept") == fragmentType }

// A page is what a template is filled with.
type page struct {
	name  string // of its template
	Title string
	Live  bool // what is shown is kept up to date
	Read  bool // what is shown is as of when it was read, and it says so
	Main  any  // what the page is about

	// The rest is for the layout, and filled in by write.
	Who     string
	Role    Role
	Leaves  bool // there is a session that can be ended
	Here    string
	Again   string // the address of the page, with what it asks for
	Links   []link
	Theme   string
	Themes  []string
	Said    string // what was just done
	Changed moment
}

// A link leads to a page, also by a key: "g" and then this one.
type link struct {
	Key, Path, Name string
	Here            bool
}

// links returns the pages that the navigation leads to.
func links(here string) []link {
	all := []link{
		{Key: "o", Path: Path, Name: "Overview"},
		{Key: "j", Path: Path + "/jobs", Name: "Jobs"},
		{Key: "b", Path: Path + "/bulks", Name: "Bulks"},
		{Key: "g", Path: Path + "/gallery", Name: "Gallery"},
		{Key: "e", Path: Path + "/errors", Name: "Errors"},
		{Key: "l", Path: Path + "/lanes", Name: "Lanes"},
		{Key: "s", Path: Path + "/spend", Name: "Spend"},
		{Key: "a", Path: Path + "/audit", Name: "Audit"},
	}
	for i, l := range all {
		all[i].Here = here == l.Path || l.Path != Path && strings.HasPrefix(here, l.Path+"/")
	}
	return all
}

// pages are the templates, by name, each with the layout.
type pages map[string]*template.Template

// loadPages reads the embedded templates. It panics if one cannot be read, but no
// test would pass then.
func loadPages(a assets) pages {
	layout := template.Must(template.New("layout.html").Funcs(template.FuncMap{
		"asset": a.path, "number": number, "span": span, "count": countOf, "money": money, "number64": func(n int64) string { return number(int(n)) }, "sums": newSumsTable, "code": code,
	}).ParseFS(files, "layout.html"))
	names, err := files.ReadDir("pages")
	if err != nil {
		panic(err)
	}
	all := make(pages)
	for _, file := range names {
		t := template.Must(template.Must(layout.Clone()).ParseFS(files, "pages/"+file.Name()))
		all[strings.TrimSuffix(file.Name(), ".html")] = t
	}
	return all
}

// write answers with a page, or, if the page's script asks, with what is new of it.
func (d *Dashboard) write(v *visit, status int, p page) {
	p.Who, p.Role, p.Leaves = v.who.Name, v.who.Role, v.who.session.ID != ""
	p.Here, p.Links, p.Theme, p.Themes = v.r.URL.Path, links(v.r.URL.Path), theme(v.r), themes
	p.Again = v.r.URL.RequestURI()
	p.Said = said(v.r.URL.Query().Get("done"))
	p.Changed = moment{At: time.Now(), now: time.Now()}
	if v.wantsFragment() && status == http.StatusOK && !p.Live {
		v.w.WriteHeader(http.StatusGone) // it was kept up to date before: its script stops asking
		return
	}
	part := "layout.html"
	fragment := v.wantsFragment() && status == http.StatusOK
	if fragment {
		part = "live"
	}
	var out bytes.Buffer
	if err := d.pages[p.name].ExecuteTemplate(&out, part, p); err != nil {
		d.options.Log.ErrorContext(v.r.Context(), "dashboard: a page cannot be written", "page", p.name, "error", err)
		http.Error(v.w, faultText, http.StatusInternalServerError)
		return
	}
	text := plain(out.Bytes())
	v.w.Header().Set("Vary", "Accept, Cookie")
	if fragment {
		tag := tagOf(text)
		v.w.Header().Set("ETag", tag)
		if v.r.Header.Get("If-None-Match") == tag {
			v.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(text) // there is nobody left to tell
}

// plain returns a page without the control characters of callers' texts, which HTML has no
// place for. What is copied from a page into a terminal moves nothing there.
func plain(page []byte) []byte {
	return bytes.Map(func(r rune) rune {
		switch {
		case r == '\v', r == '\f':
			return ' '
		case unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t':
			return utf8.RuneError
		}
		return r
	}, page)
}

// tagOf returns the entity tag of a fragment.
func tagOf(text []byte) string {
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// said returns the sentence for what was just done, by a code in the address. It
// says nothing that depends on the address otherwise: anybody can make one up.
func said(code string) string {
	return map[string]string{
		"paused":  "The lane is paused. What waits on it goes to other lanes of its model within two minutes, or waits.",
		"resumed": "The lane is resumed. What waits for it goes on within two minutes.",
		"raised":  "The budget is changed, from the next reservation on. What has room now is released within two minutes.",
		"ignored": "The errors are ignored, and listed below the others until then.",
		"noticed": "The errors are ignored no more.",

		"bulk":    "The bulk is started. The first step comes within seconds.",
		"aborted": "The bulk does no more from the next job on.",

		"canceled": "The job is canceled. Pictures that there are stay.",
		"retried":  "This is the job that draws again what failed or was canceled.",
		"drawn":    "This is the new job.",
		"replayed": "The webhook waits again, and is tried at once.",
		"deleted":  "The job and its pictures are removed.",
	}[code]
}

// assets are the files that are served as they are, under a hash of all of them. So
// a browser may keep them for good, and never shows old ones.
type assets struct{ hash string }

func loadAssets() assets {
	names, err := files.ReadDir("static")
	if err != nil {
		panic(err)
	}
	h := sha256.New()
	for _, file := range names {
		text, err := files.ReadFile("static/" + file.Name())
		if err != nil {
			panic(err)
		}
		h.Write(text)
	}
	return assets{hash: hex.EncodeToString(h.Sum(nil)[:8])}
}

// path returns where a file is.
func (a assets) path(name string) string { return Path + "/static/" + a.hash + "/" + name }

// types are the types of the files, by the end of their names. What the system says
// of them may differ from machine to machine.
var types = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// asset serves a file.
func (d *Dashboard) asset(v *visit) error {
	name := v.r.PathValue("name")
	text, err := files.ReadFile("static/" + name)
	if err != nil || v.r.PathValue("hash") != d.assets.hash {
		return errNotFound
	}
	v.w.Header().Set("Content-Type", types[path.Ext(name)])
	v.w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = v.w.Write(text) // there is nobody left to tell
	return nil
}
