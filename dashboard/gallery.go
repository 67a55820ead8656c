package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// galleryLimit is how many jobs a page of the gallery has.
const galleryLimit = 24

// A galleryView is a page of jobs with their pictures.
type galleryView struct {
	Tenant, Model string // what is asked for
	Sees          bool   // whoever looks may see pictures
	Jobs          []galleryJob
	Later         bool // this is not the first page
	First, Next   string
	Looked        int
	Since         *moment // how far back that was; nil if nothing was looked at
}

// A galleryJob is a job with its pictures.
type galleryJob struct {
	record.PictureJob

	When     *moment
	Pictures []pictureView
	Again    string // path of the form that draws it again with edits; empty for who may not
}

// A pictureView is a picture as pages show it.
type pictureView struct {
	record.StoredPicture

	URL  string // empty for who may not see it
	Page string // the picture's own page
	Alt  string
	Save string // where it is saved from; empty for who may not see it
}

// readPictureQuery returns which pictures an address asks for.
func readPictureQuery(r *http.Request) record.PictureQuery {
	asked := r.URL.Query()
	return record.PictureQuery{
		Tenant: cutText(asked.Get("tenant")), Model: cutText(asked.Get("model")), Cursor: cutText(asked.Get("cursor")), Limit: galleryLimit,
	}
}

// galleryPath returns the address of the gallery, or of a page below it, with a
// query.
func galleryPath(below string, q record.PictureQuery, cursor string) string {
	return pathWith(Path+"/gallery"+below, map[string]string{"tenant": q.Tenant, "model": q.Model, "cursor": cursor})
}

// galleryPage shows the newest pictures, job by job.
func (d *Dashboard) galleryPage(v *visit) error {
	q := readPictureQuery(v.r)
	found, err := d.options.Record.Pictures(v.r.Context(), q)
	if err != nil {
		return errAway(err)
	}
	now := time.Now()
	view := galleryView{
		Tenant: q.Tenant, Model: q.Model, Sees: d.options.Pictures.sees(v.who.Role),
		Later: q.Cursor != "", First: galleryPath("", q, ""), Looked: found.Looked,
	}
	if !found.Since.IsZero() {
		view.Since = at(found.Since, now)
	}
	if found.Next != "" {
		view.Next = galleryPath("", q, found.Next)
	}
	for _, j := range found.Jobs {
		views, err := d.viewPictures(v, j, q)
		if err != nil {
			return err
		}
		view.Jobs = append(view.Jobs, viewGalleryJob(v, j, views, now))
	}
	d.write(v, http.StatusOK, page{name: "gallery", Title: "Gallery", Read: true, Main: view})
	return nil
}

func viewGalleryJob(v *visit, j record.PictureJob, pictures []pictureView, now time.Time) galleryJob {
	view := galleryJob{PictureJob: j, When: at(j.CreatedAt, now), Pictures: pictures}
	if v.who.Role.may(Operator) {
		view.Again = jobPath(j.ID) + "/draw"
	}
	return view
}

// viewPictures returns the pictures of a job as whoever looks may see them.
func (d *Dashboard) viewPictures(v *visit, j record.PictureJob, q record.PictureQuery) ([]pictureView, error) {
	views := make([]pictureView, len(j.Pictures))
	for i, p := range j.Pictures {
		below := "/" + j.ID + "/" + strconv.Itoa(p.Index)
		views[i] = pictureView{StoredPicture: p, Page: galleryPath(below, q, q.Cursor), Alt: j.Prompt}
		if d.options.Pictures.sees(v.who.Role) {
			link, err := d.options.Pictures.URL(p.Object.Key)
			if err != nil {
				return nil, fmt.Errorf("the address of picture %d of job %s: %w", p.Index, j.ID, err)
			}
			views[i].URL, views[i].Save = link, Path+"/gallery"+below+"/download"
		}
	}
	return views, nil
}

// A pictureDetail is one picture, and where the ones beside it are.
type pictureDetail struct {
	Job            galleryJob
	Picture        pictureView
	N, Of          int    // of the job's pictures
	Previous, Next string // paths of other pictures; empty if there is none
	Back           string
}

// picturePage shows one picture. The ones beside it are those of the same page of the
// gallery, as it is now.
func (d *Dashboard) picturePage(v *visit) error {
	q := readPictureQuery(v.r)
	found, err := d.options.Record.Pictures(v.r.Context(), q)
	if err != nil {
		return errAway(err)
	}
	if n := slices.IndexFunc(found.Jobs, func(j record.PictureJob) bool { return j.ID == v.r.PathValue("id") }); n < 0 {
		j, err := d.pictureJob(v.r.Context(), v.r.PathValue("id"))
		if err != nil {
			return err
		}
		found = record.PicturePage{Jobs: []record.PictureJob{j}}
	}
	view, err := d.viewPicture(v, q, found)
	if err != nil {
		return err
	}
	d.write(v, http.StatusOK, page{name: "picture", Title: fmt.Sprintf("Picture %d of %d", view.N, view.Of), Main: view})
	return nil
}

// viewPicture finds the picture of the address among some, and those beside it.
func (d *Dashboard) viewPicture(v *visit, q record.PictureQuery, found record.PicturePage) (pictureDetail, error) {
	view := pictureDetail{Back: galleryPath("", q, q.Cursor)}
	before, here := "", false
	for _, j := range found.Jobs {
		pictures, err := d.viewPictures(v, j, q)
		if err != nil {
			return view, err
		}
		for i, p := range pictures {
			switch {
			case here:
				view.Next = p.Page
				return view, nil
			case j.ID == v.r.PathValue("id") && strconv.Itoa(p.Index) == v.r.PathValue("index"):
				here = true
				view.Job, view.Picture, view.N, view.Of = viewGalleryJob(v, j, pictures, time.Now()), p, i+1, len(pictures)
				view.Previous = before
			}
			before = p.Page
		}
	}
	if !here {
		return view, errNotFound
	}
	if found.Next != "" {
		view.Next = galleryPath("", q, found.Next)
	}
	return view, nil
}

// pictureJob reads one job with its pictures.
func (d *Dashboard) pictureJob(ctx context.Context, id string) (record.PictureJob, error) {
	j, err := d.options.Record.Get(ctx, id)
	switch {
	case errors.Is(err, record.ErrNotFound):
		return record.PictureJob{}, errNotFound
	case err != nil:
		return record.PictureJob{}, errAway(err)
	}
	return record.NewPictureJob(j), nil
}

// downloadPicture sends the browser to where it saves a picture as a file.
func (d *Dashboard) downloadPicture(v *visit) error {
	j, err := d.pictureJob(v.r.Context(), v.r.PathValue("id"))
	if err != nil {
		return err
	}
	for _, p := range j.Pictures {
		if strconv.Itoa(p.Index) == v.r.PathValue("index") {
			if !d.options.Pictures.sees(v.who.Role) {
				return errRole(d.options.Pictures.Least)
			}
			to, err := d.options.Pictures.Download(p.Object.Key, j.ID+"-"+strconv.Itoa(p.Index)+extension(p))
			if err != nil {
				return fmt.Errorf("the download of picture %d of job %s: %w", p.Index, j.ID, err)
			}
			return v.redirect(to)
		}
	}
	return errNotFound
}

// extension returns the end of the name of a picture's file.
func extension(p record.StoredPicture) string {
	if kind := path.Base(p.Object.ContentType); slices.Contains([]string{"png", "jpeg", "webp"}, kind) {
		return "." + kind
	}
	return ""
}
