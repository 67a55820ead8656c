// Package dashboard is the operators' pages: how the work is going, what needs a
// hand, and what can be done by hand. The server writes whole pages; a little
// JavaScript keeps those that are looked at up to date. It reads and writes
// through the record, and knows who may see and do what.
package dashboard

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-chi/httprate"
	"golang.org/x/crypto/bcrypt"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// Path is where the pages are. All of them are at or below it.
const Path = "/admin/queues"

// A Record is the part of the record that the pages read, and do things through.
type Record interface { //nolint:interfacebloat // one record, one method for each thing that a page asks
	Overview(ctx context.Context) (record.Overview, error)
	PauseByHand(ctx context.Context, lane string, a record.Act) error
	ResumeByHand(ctx context.Context, lane string, a record.Act) error
	Audit(ctx context.Context, q record.AuditQuery) (record.AuditPage, error)
	BeginLogin(ctx context.Context, t record.LoginTry) error
	EndLogin(ctx context.Context, t record.LoginTry, a record.Act) error
	EndSession(ctx context.Context, id string, lasts time.Duration, a record.Act) error
	SessionEnded(ctx context.Context, id string) (bool, error)

	Activity(ctx context.Context) (record.Activity, error)
	Slots(ctx context.Context, lane string, since time.Time) (record.Slots, error)
	Errors(ctx context.Context, since time.Time, limit int) (record.ErrorGroups, error)
	LaneFailures(ctx context.Context, lane string, since time.Time, limit int) (record.LaneFailures, error)
	IgnoreError(ctx context.Context, i record.Ignore, a record.Act) error
	NoticeError(ctx context.Context, name record.ErrorName, a record.Act) error
	IgnoredErrors(ctx context.Context) ([]record.IgnoredError, error)
	Spend(ctx context.Context, q record.SpendQuery) ([]record.Spend, error)
	Pictures(ctx context.Context, q record.PictureQuery) (record.PicturePage, error)
	Get(ctx context.Context, id string) (job.Job, error)
	Search(ctx context.Context, q record.SearchQuery) (record.SearchPage, error)
	Count(ctx context.Context, q record.SearchQuery) (record.StatusTally, error)
	Inspect(ctx context.Context, id string) (record.Inspection, error)
	CancelByHand(ctx context.Context, id string, a record.Act) (job.Job, error)
	Budgets(ctx context.Context) ([]record.BudgetState, error)
	RaiseBudget(ctx context.Context, raise record.BudgetRaise, a record.Act) error
	MeasureBulk(ctx context.Context, q record.SearchQuery) (record.BulkMeasure, error)
	StartBulk(ctx context.Context, d record.BulkDraft, a record.Act) (record.Bulk, error)
	AbortBulk(ctx context.Context, id string, a record.Act) (record.Bulk, error)
	Bulk(ctx context.Context, id string) (record.Bulk, error)
	Bulks(ctx context.Context, before string, limit int) ([]record.Bulk, error)
}

// Options are what the dashboard works with.
type Options struct {
	Record     Record
	Sweeps     Sweeps
	Lanes      []lane.Lane // as the settings have them
	RPMSetting string      // names the setting of a lane's requests a minute, for people

	Users []User // who log in with a password
	IAP   *IAP   // nil unless Google's proxy says who comes
	// Developer lets in whoever comes from this machine, as an admin and without
	// login. It is for development only.
	Developer bool

	Pictures Pictures

	// Refusal reads the words of an attempt that ended so at a time. It returns false
	// if the provider did not refuse it for want of quota or of room.
	Refusal func(o job.Outcome, words string, at time.Time) (Refusal, bool)

	Budgets job.Budgets // as the settings have them

	Jobs   Jobs
	Models []job.Model // that may be asked for, the default one first
	// LogsURL and TraceURL lead to what is kept elsewhere about a job; see expand.
	// There is no link without one.
	LogsURL, TraceURL string

	Log *slog.Logger
}

// A Dashboard serves the pages. It runs nothing by itself.
type Dashboard struct {
	options Options
	policy  string // what a browser may load

	overviews shared[record.Overview]
	lately    shared[lately]
	spending  shared[spending]
	lists     shared[record.SearchPage]
	tallies   shared[record.StatusTally]
	jobs      shared[record.Inspection]
	budgets   shared[[]record.BudgetState]

	refused  shared[refusedHours]
	failures shared[record.LaneFailures]

	bulkLists shared[[]record.Bulk]
	bulks     shared[record.Bulk]

	pages   pages
	assets  assets
	mux     *http.ServeMux // of paths
	origins *http.CrossOriginProtection
	tries   *httprate.RateLimiter // by address; in front of what the record counts
	hashing chan struct{}         // a place for each password that may be compared at once
	compare func(hash, password []byte) error
}

// New returns the handler of all pages.
func New(options Options) *Dashboard {
	options.Record = newBounded(options.Record)
	d := &Dashboard{
		options: options, policy: policy(options.Pictures), assets: loadAssets(),
		mux: http.NewServeMux(), origins: http.NewCrossOriginProtection(),
		tries:   httprate.NewRateLimiter(triesAMinute, time.Minute),
		hashing: make(chan struct{}, hashesAtOnce), compare: bcrypt.CompareHashAndPassword,
	}
	d.overviews.lasts, d.lately.lasts, d.lists.lasts, d.jobs.lasts = readingLasts, readingLasts, readingLasts, readingLasts
	d.budgets.lasts, d.failures.lasts, d.bulkLists.lasts, d.bulks.lasts = readingLasts, readingLasts, readingLasts, readingLasts
	d.tallies.lasts, d.spending.lasts, d.refused.lasts = sumsLast, sumsLast, sumsLast
	d.pages = loadPages(d.assets)
	paths := make(map[string]map[string]route)
	for _, r := range d.table() {
		if paths[r.path] == nil {
			paths[r.path] = make(map[string]route)
		}
		paths[r.path][r.method] = r
	}
	for path, methods := range paths {
		d.mux.HandleFunc(Path+path, d.answer(path, methods))
	}
	d.mux.HandleFunc("/", d.answer("", nil))
	return d
}

// A route is one page, or one thing that can be done.
type route struct {
	method, path string // below Path
	least        Role   // who may; anybody without a login if it is empty
	serve        func(*Dashboard, *visit) error
}

// table returns every route. It is the one place that says who may call what.
func (d *Dashboard) table() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		// What a browser needs before anybody is known.
		{get, "/static/{hash}/{name}", anybody, (*Dashboard).asset},
		{get, "/login", anybody, (*Dashboard).loginPage},
		{post, "/login", anybody, (*Dashboard).logIn},
		{post, "/theme", anybody, (*Dashboard).setTheme}, // a cookie of the browser's own

		// Pages.
		{get, "/{$}", anybody, func(_ *Dashboard, v *visit) error { return v.redirect(Path) }},
		{get, "", Viewer, (*Dashboard).overviewPage},
		{get, "/jobs", Viewer, (*Dashboard).jobsPage},
		{get, "/jobs/{id}", Viewer, (*Dashboard).jobPage},
		{get, "/jobs/{id}/raw", Viewer, (*Dashboard).rawPage},
		{get, "/lanes", Viewer, (*Dashboard).lanesPage},
		{get, "/lanes/{lane}", Viewer, (*Dashboard).lanePage},
		{get, "/audit", Viewer, (*Dashboard).auditPage},
		{get, "/errors", Viewer, (*Dashboard).errorsPage},
		{get, "/gallery", Viewer, (*Dashboard).galleryPage},
		{get, "/gallery/{id}/{index}", Viewer, (*Dashboard).picturePage},
		{get, "/gallery/{id}/{index}/download", Viewer, (*Dashboard).downloadPicture}, // who sees pictures; see Pictures
		{get, "/spend", Viewer, (*Dashboard).spendPage},
		{get, "/spend.csv", Viewer, (*Dashboard).spendCSV},
		{get, "/bulks", Viewer, (*Dashboard).bulksPage},
		{get, "/bulks/{id}", Viewer, (*Dashboard).bulkPage},

		// What can be done.
		{post, "/logout", Viewer, (*Dashboard).logOut},
		{get, "/lanes/{lane}/pause", Operator, asks(pauseLane)},
		{post, "/lanes/{lane}/pause", Operator, does(pauseLane)},
		{get, "/lanes/{lane}/resume", Operator, asks(resumeLane)},
		{post, "/lanes/{lane}/resume", Operator, does(resumeLane)},
		{get, "/budgets/{scope}/raise", Admin, (*Dashboard).raisePage},
		{post, "/budgets/{scope}/raise", Admin, (*Dashboard).raiseBudget},
		{get, "/errors/ignore", Operator, (*Dashboard).ignorePage},
		{post, "/errors/ignore", Operator, (*Dashboard).ignoreErrors},
		{get, "/errors/notice", Operator, (*Dashboard).noticePage},
		{post, "/errors/notice", Operator, (*Dashboard).noticeErrors},
		{get, "/bulks/new", Operator, (*Dashboard).newBulkPage},
		{post, "/bulks/new", Operator, (*Dashboard).startBulk},
		{get, "/bulks/{id}/abort", Operator, asks(abortBulk)},
		{post, "/bulks/{id}/abort", Operator, does(abortBulk)},
		{get, "/jobs/{id}/cancel", Operator, asks(cancelJob)},
		{post, "/jobs/{id}/cancel", Operator, does(cancelJob)},
		{get, "/jobs/{id}/retry", Operator, asks(retryJob)},
		{post, "/jobs/{id}/retry", Operator, does(retryJob)},
		{get, "/jobs/{id}/webhooks/{webhook}/replay", Operator, asks(replayWebhook)},
		{post, "/jobs/{id}/webhooks/{webhook}/replay", Operator, does(replayWebhook)},
		{get, drawPath, Operator, (*Dashboard).drawPage},
		{post, drawPath, Operator, (*Dashboard).drawAgain},
		{get, "/jobs/{id}/delete", Admin, asks(deleteJob)},
		{post, "/jobs/{id}/delete", Admin, does(deleteJob)},
	}
}

// Bounds of the body of a request, in bytes.
const (
	maxBody     = 16 << 10  // a form with a few short fields
	maxDrawBody = 512 << 10 // one with a prompt of maxPrompt characters, each in up to twelve bytes
)

// ServeHTTP implements http.Handler.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header(), d.policy)
	d.mux.ServeHTTP(w, r)
}

// answer returns the handler of a path, which has a route for each of its methods.
func (d *Dashboard) answer(path string, methods map[string]route) http.HandlerFunc {
	limit := int64(maxBody)
	if path == drawPath {
		limit = maxDrawBody
	}
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		v := &visit{w: w, r: r}
		defer d.recover(v)
		if err := d.serve(v, methods); err != nil {
			d.fail(v, err)
		}
	}
}

// serve finds out who comes, and lets the route do its part.
func (d *Dashboard) serve(v *visit, methods map[string]route) error {
	method := v.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	rt, takes := methods[method]
	switch {
	case methods == nil:
		return errNotFound
	case d.origins.Check(v.r) != nil:
		return errForeign
	case !takes:
		v.w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
		return errMethod
	case rt.least == anybody:
		return rt.serve(d, v)
	}
	who, err := d.identify(v.r)
	if err != nil {
		return err
	}
	v.who = who
	if !who.Role.may(rt.least) {
		return errRole(rt.least)
	}
	return rt.serve(d, v)
}

// localPath returns where to go back to: a page of this dashboard, or the first one
// if the text names anything else. Browsers take %2e for a dot of "..", and leave out
// tabs and ends of lines.
func localPath(text string) string {
	written, _, _ := strings.Cut(text, "?")
	path, err := url.PathUnescape(written)
	inside := path == Path || strings.HasPrefix(path, Path+"/")
	odd := strings.ContainsFunc(text, unicode.IsControl) || strings.Contains(text, "\\") || strings.Contains(path, "\\")
	if err != nil || !inside || odd || strings.Contains(path, "//") || strings.Contains(path, "/.") || strings.HasPrefix(path, Path+"/login") {
		return Path
	}
	return text
}
