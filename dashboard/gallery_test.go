package dashboard_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/job"
)

// Pictures are shown job by job, the newest first, and each on a page of its own
// that leads to those beside it.
func TestGallery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		c := s.logIn("otto")
		want(t, words(s.get(path+"/gallery", c)), "No pictures here", "POST /api/generate-images")
		first := s.draw("web", "a", time.Second, ending{cost: 40_000})
		s.draw("web", "a", time.Second, ending{code: job.CodeBlocked})
		second := s.draw("<i>other</i>", "a", time.Second, ending{cost: 40_000})
		page := s.get(path+"/gallery", c)
		want(t, page, pictures+"/images/"+first.ID+"/0", pictures+"/images/"+second.ID+"/0", `loading="lazy"`, `width="64" height="48"`,
			`href="/admin/queues/jobs/`+first.ID+`"`, "&lt;i&gt;other", "-<i>other", "-blurred", "-<script>alert", `href="/admin/queues/jobs/`+first.ID+`/draw"`)
		want(t, words(s.get(path+"/gallery?tenant=web", c)), "web 6 s ago m", "-other")
		want(t, words(s.get(path+"/gallery?model=none", c)), "Nothing of that among the")

		newest := s.get(linkTo(t, page, "/gallery/"+second.ID), c)
		want(t, newest, pictures+"/images/"+second.ID+"/0", "$0", `rel="next"`, `-rel="prev"`, `href="/admin/queues/jobs/`+second.ID+`/draw"`)
		older := s.get(linkTo(t, newest, "/gallery/"+first.ID), c)
		want(t, older, pictures+"/images/"+first.ID+"/0", `rel="prev"`, `-rel="next"`)
		want(t, s.get(path+"/gallery/"+first.ID+"/0?tenant=other", c), first.ID, `-rel="prev"`, `-rel="next"`) // by itself
		for _, none := range []string{"/gallery/" + first.ID + "/1", "/gallery/" + first.ID + "/x", "/gallery/none/0", "/gallery/" + first.ID + "/1/download"} {
			if resp := s.do(request{method: "GET", path: path + none, cookie: c}); resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s is answered %s", none, resp.Status)
			}
		}
		resp := s.do(request{method: "GET", path: path + "/gallery/" + first.ID + "/0/download", cookie: c})
		if to := resp.Header.Get("Location"); to != pictures+"/images/"+first.ID+"/0?as="+first.ID+"-0.png" {
			t.Errorf("the download is answered %s to %s", resp.Status, to)
		}
	})
}

// Who may not see pictures is not told where they are, on no page, unless the
// setting lets every viewer see them.
func TestWhoMayNotSeePicturesIsNotToldWhereTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		j := s.draw("web", "a", time.Second, ending{cost: 40_000})
		c := s.logIn("vera")
		one := path + "/gallery/" + j.ID + "/0"
		for _, p := range []string{path + "/gallery", one, path, path + "/errors"} {
			want(t, s.get(p, c), "-"+pictures, "-images/", "-download", "-/draw")
		}
		want(t, s.get(path+"/gallery", c), `class="shot blurred"`, "your role may not see them")
		if resp := s.do(request{method: "GET", path: one + "/download", cookie: c}); resp.StatusCode != http.StatusForbidden || resp.Header.Get("Location") != "" {
			t.Errorf("the download is answered %s to %s", resp.Status, resp.Header.Get("Location"))
		}
		s.options.Pictures.Least = dashboard.Viewer
		s.start()
		want(t, s.get(path+"/gallery", c), pictures, "-blurred")
		s.options.Pictures = dashboard.Pictures{}
		s.start()
		want(t, s.get(path+"/gallery", s.logIn("ada")), "-"+pictures, "blurred")
	})
}
