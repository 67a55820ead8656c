package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
)

// A Producer accepts jobs.
type Producer interface {
	Submit(context.Context, enqueue.Submission) (job.Job, error)
	// Quote returns what a submission would meet, and records nothing.
	Quote(context.Context, enqueue.Submission) (enqueue.Quote, error)
	// Retry accepts a job for the pictures of another one that it has not.
	Retry(context.Context, job.Job, enqueue.Retry) (job.Job, error)
}

// A Record is the part of the record that callers ask for. The methods that take
// an id fail with record.ErrNotFound.
type Record interface {
	Get(ctx context.Context, id string) (job.Job, error)
	List(ctx context.Context, q record.Query) (record.Page, error)
	// Cancel ends a job.
	Cancel(ctx context.Context, id string) (job.Job, error)
}

// Snapshots are jobs as callers see them. The methods that take an id fail with
// record.ErrNotFound.
type Snapshots interface {
	Snapshot(ctx context.Context, id string) (snapshot.Snapshot, error)
	// Await returns once the job has ended, or once ctx has ended.
	Await(ctx context.Context, id string) (snapshot.Snapshot, error)
	// Watch follows the versions of a job. The caller must close it.
	Watch(ctx context.Context, id string) *snapshot.Watch
	// Render returns the snapshot of a job that the caller already has.
	Render(j job.Job) (snapshot.Snapshot, error)
	// Quote returns what there is to tell of a job that is not recorded.
	Quote(q snapshot.Quote) snapshot.QuoteResource
}

// Jobs is the API for jobs.
type Jobs struct {
	Producer  Producer
	Snapshots Snapshots
	Record    Record
	Remover   Remover
	Uploader  Uploader
	Models    []job.Model // the default one first
	// Draining ends as soon as the process is told to end. Streams end with it;
	// without it they end with their requests.
	Draining context.Context //nolint:containedctx // it is there to end requests early
	Webhooks Webhooks
	CheckURL CheckURL // of receivers; nil in a service without WEBHOOK_SECRET
	Log      *slog.Logger

	held    held
	uploads pace
	replays pace
}

// RegisterGenerate adds the operation that asks for pictures to api.
func (h *Jobs) RegisterGenerate(api huma.API, method, path string) {
	huma.Register(api, huma.Operation{
		OperationID: "generate-images", Method: method, Path: path,
		Summary:       "Ask for pictures",
		Description:   "Records a job and returns at once; poll the job, or wait for it with Prefer: wait=N.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: MaxBody, BodyReadTimeout: noTimeout,
		Metadata: answersWith(map[int]answer{
			http.StatusAccepted: answerOf[snapshot.JobResource]("The job is recorded.", "ETag", "Cache-Control", "Location"),
			http.StatusCreated: answerOf[snapshot.JobResource](
				"The job is recorded, and has ended within the wait that Prefer asked for.", "ETag", "Cache-Control", "Location"),
			http.StatusOK:              answerOf[snapshot.QuoteResource]("A dry run: what the job would cost, and when it would be done.", "Cache-Control"),
			http.StatusPaymentRequired: {},
			http.StatusTooManyRequests: {},
		}),
	}, telling(h, h.generate))
}

// RegisterGet adds the operation that shows a job to api.
func (h *Jobs) RegisterGet(api huma.API, method, path string) {
	huma.Register(api, huma.Operation{
		OperationID: "get-job", Method: method, Path: path,
		Summary: "See how a job is doing",
		Metadata: answersWith(map[int]answer{
			http.StatusOK: answerOf[snapshot.JobResource]("The job as it is.", "ETag", "Cache-Control"),
		}),
		Security: readSecurity(api),
	}, telling(h, h.get))
}

// RegisterCancel adds the operation that ends a job to api.
func (h *Jobs) RegisterCancel(api huma.API, method, path string) {
	huma.Register(api, huma.Operation{
		OperationID: "cancel-job", Method: method, Path: path,
		Summary:     "End a job",
		Description: "Pictures that there are stay; a request that runs is cut. A job that has ended is left as it is.",
		Metadata: answersWith(map[int]answer{
			http.StatusOK: answerOf[snapshot.JobResource]("The job as it is then.", "ETag", "Cache-Control"),
		}),
	}, telling(h, h.cancel))
}

// noTimeout leaves the time limit of a request's body to the server. Huma's own
// deadline would also end the request's context while the request waits.
const noTimeout = -1

type generateInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Makes a repeated request return the first one's job."`
	Prefer         string `header:"Prefer" doc:"wait=N holds the answer back for up to N seconds, 60 at most, until the job has ended."`
	Body           GenerateRequest
	RawBody        []byte
}

type jobOutput struct {
	Status            int
	ContentType       string `header:"Content-Type"`
	CacheControl      string `header:"Cache-Control"`
	ETag              string `header:"ETag"`
	Location          string `header:"Location"`
	PreferenceApplied string `header:"Preference-Applied"`
	Body              []byte
}

// submission returns the request as a job to submit, without its tenant. It
// fails with all faults of the body and the headers.
func (in *generateInput) submission(models []job.Model, checkURL CheckURL) (enqueue.Submission, error) {
	c := &checker{}
	s := in.Body.submission(c, models, checkURL)
	c.checkIdempotencyKey(in.IdempotencyKey)
	s.IdempotencyKey, s.Fingerprint = in.IdempotencyKey, fingerprint(in.RawBody)
	return s, c.err()
}

// generate serves POST /api/generate-images.
func (h *Jobs) generate(ctx context.Context, in *generateInput) (*jobOutput, error) {
	s, err := in.submission(h.Models, h.CheckURL)
	if err != nil {
		return nil, err
	}
	t := tenant(ctx)
	s.Tenant, s.Weight = t.Name, t.Weight
	s.MaxWaiting, s.Input.CostLimitMicros = t.Limits.MaxWaiting, t.Limits.MaxCostMicros
	if in.Body.DryRun {
		return h.quote(ctx, s)
	}
	j, err := h.Producer.Submit(ctx, s)
	if err != nil {
		return nil, err
	}
	wait, applied, release := h.beginWait(ctx, in.Prefer)
	defer release()
	var snap snapshot.Snapshot
	if wait > 0 {
		snap, err = h.await(ctx, j.ID, wait)
	} else {
		snap, err = h.Snapshots.Snapshot(ctx, j.ID)
	}
	if err != nil { // the job is accepted, and the answer can say so
		snap, err = h.Snapshots.Render(j)
	}
	if err != nil {
		return nil, err
	}
	out := output(snap)
	out.Status, out.Location, out.PreferenceApplied = http.StatusAccepted, snapshot.Path(j.ID), applied
	if wait > 0 && snap.Status.Terminal() { // without a wait the answer is always 202, however quick the job is
		out.Status = http.StatusCreated
	}
	return out, nil
}

type getInput struct {
	ID          string `path:"id" doc:"The job's id."`
	Prefer      string `header:"Prefer" doc:"wait=N holds the answer back for up to N seconds, 60 at most, until the job has ended."`
	IfNoneMatch string `header:"If-None-Match" doc:"An ETag; 304 if the job has not changed since."`
}

// getOwn returns a job of the tenant that sent the request. It fails with
// record.ErrNotFound for a job of another tenant. The id may be in capitals;
// the snapshot has it as every record does.
func (h *Jobs) getOwn(ctx context.Context, id string) (snapshot.Snapshot, error) {
	u, err := uuid.Parse(id)
	if err != nil || !strings.EqualFold(id, u.String()) { // uuid.Parse takes other forms too
		return snapshot.Snapshot{}, record.ErrNotFound
	}
	snap, err := h.Snapshots.Snapshot(ctx, u.String())
	if err == nil && snap.Tenant != tenant(ctx).Name {
		err = record.ErrNotFound
	}
	return snap, err
}

// getOwnJob returns the same job as getOwn, as the record has it.
func (h *Jobs) getOwnJob(ctx context.Context, id string) (job.Job, error) {
	own, err := h.getOwn(ctx, id)
	if err != nil {
		return job.Job{}, err
	}
	return h.Record.Get(ctx, own.ID)
}

// get serves GET /api/jobs/{id}.
func (h *Jobs) get(ctx context.Context, in *getInput) (*jobOutput, error) {
	snap, err := h.getOwn(ctx, in.ID)
	wait, applied, release := h.beginWait(ctx, in.Prefer)
	defer release()
	if err == nil && wait > 0 && !snap.Status.Terminal() {
		snap, err = h.await(ctx, snap.ID, wait)
	}
	if err != nil {
		return nil, err
	}
	out := output(snap)
	out.Status, out.PreferenceApplied = http.StatusOK, applied
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

type cancelInput struct {
	ID string `path:"id" doc:"The job's id."`
}

// cancel serves POST /api/jobs/{id}/cancel.
func (h *Jobs) cancel(ctx context.Context, in *cancelInput) (*jobOutput, error) {
	own, err := h.getOwn(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	j, err := h.Record.Cancel(ctx, own.ID)
	if err != nil {
		return nil, err
	}
	snap, err := h.Snapshots.Render(j)
	if err != nil {
		return nil, err
	}
	out := output(snap)
	out.Status = http.StatusOK
	return out, nil
}

// await waits until the job has ended, or until the wait is over, and returns
// the job as it is then.
func (h *Jobs) await(ctx context.Context, id string, wait time.Duration) (snapshot.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return h.Snapshots.Await(ctx, id)
}

func output(s snapshot.Snapshot) *jobOutput {
	return &jobOutput{
		ContentType:  "application/json",
		CacheControl: "private, no-cache",
		// It is weak, because estimates differ from one answer to the next.
		ETag: `W/"` + s.Tag() + `"`,
		Body: s.JSON,
	}
}

// matches reports whether one of the tags of an If-None-Match header is etag,
// by weak comparison (RFC 9110, section 13.1.2).
func matches(header, etag string) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for tag := range strings.SplitSeq(header, ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// parseWait reads the wait preference of RFC 7240, and returns the answer's
// Preference-Applied. It ignores other preferences and bad ones, as the RFC
// demands.
func parseWait(prefer string) (wait time.Duration, applied string) {
	for p := range strings.FieldsFuncSeq(prefer, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, found := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		wait = maxWait
		if found {
			n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`)) // the nearest int if out of range
			if err != nil && !errors.Is(err, strconv.ErrRange) || n < 0 {
				return 0, ""
			}
			wait = time.Duration(min(n, int(maxWait.Seconds()))) * time.Second
		}
		return wait, fmt.Sprintf("wait=%d", int(wait.Seconds()))
	}
	return 0, ""
}

// fingerprint returns a hash that tells request bodies apart.
func fingerprint(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
