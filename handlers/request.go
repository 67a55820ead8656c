package handlers

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/picture"
)

// GenerateRequest is what a caller asks for.
type GenerateRequest struct {
	Prompt      string          `json:"prompt" minLength:"1" maxLength:"32000" example:"A lighthouse at dusk, watercolour"`
	Model       string          `json:"model,omitempty" doc:"One of the models that this service serves."`
	Count       int             `json:"count,omitempty" minimum:"1" maximum:"16" default:"1" doc:"Pictures to draw."`
	AspectRatio string          `json:"aspect_ratio,omitempty" enum:"1:1,1:4,4:1,1:8,8:1,2:3,3:2,3:4,4:3,4:5,5:4,9:16,16:9,21:9" doc:"The model's choice if absent."`
	ImageSize   string          `json:"image_size,omitempty" enum:"512,1K,2K,4K" doc:"The model's choice if absent."`
	InputImages []string        `json:"input_images,omitempty" maxItems:"14" nullable:"false" doc:"Pictures to start from: https URLs, data URIs, or ids of uploads."`
	Seed        *int32          `json:"seed,omitempty" minimum:"-2147483648" maximum:"2147483647" doc:"The picture at index i is drawn with seed + i, which is at most 2147483647."`
	Metadata    json.RawMessage `json:"metadata,omitempty" doc:"Any JSON object up to 4 KiB; handed back as it is."`
	Priority    string          `json:"priority,omitempty" enum:"normal,low" default:"normal" doc:"low waits until no normal picture of its model does."`
	ExpiresIn   int             `json:"expires_in,omitempty" minimum:"60" maximum:"604800" default:"86400" doc:"Seconds until what has not ended fails."`
	MaxCostUSD  float64         `json:"max_cost_usd,omitempty" minimum:"0.000001" maximum:"1000000" doc:"The most that the job may cost by list price, attempts included that are billed and bring no picture. A picture that could cost more fails with max_cost_exceeded."`
	DryRun      bool            `json:"dry_run,omitempty" doc:"Checks the request as any other and answers 200 with a quote. Nothing is recorded, so an Idempotency-Key is not used."`

	Webhook       string             `json:"webhook,omitempty" maxLength:"2048" example:"https://example.com/hooks/images" doc:"An https URL that is told what happens to the job."`
	WebhookEvents []job.WebhookEvent `json:"webhook_events,omitempty" nullable:"false" minItems:"1" maxItems:"7" enum:"job.started,image.succeeded,image.failed,job.succeeded,job.partial,job.failed,job.canceled" doc:"What it is told of; the four that end a job if absent."`
}

const (
	maxMetadata      = 4 << 10
	maxInputURL      = 2048
	defaultExpiresIn = 24 * time.Hour
)

// submission returns the request as a job to submit. It notes every fault that
// the schema cannot find.
func (r GenerateRequest) submission(c *checker, models []job.Model, checkURL CheckURL) enqueue.Submission {
	model := c.checkModel(r, models)
	s := enqueue.Submission{
		Input: job.Input{
			Prompt: r.Prompt, Model: model.Name, Count: max(r.Count, 1),
			AspectRatio: r.AspectRatio, ImageSize: r.ImageSize, Seed: r.Seed,
		},
		Priority:  job.PriorityNormal,
		ExpiresIn: defaultExpiresIn,
	}
	if r.Priority != "" {
		s.Priority = job.Priority(r.Priority)
	}
	if r.ExpiresIn > 0 {
		s.ExpiresIn = time.Duration(r.ExpiresIn) * time.Second
	}
	c.checkPrompt(r.Prompt)
	c.checkSeed(s.Input)
	s.PriceMicros = model.Price(r.ImageSize)
	s.Input.MaxCostMicros = c.checkMaxCost(r.MaxCostUSD, s.Input, model)
	s.Metadata = c.checkMetadata(r.Metadata)
	s.Input.Webhook = c.checkWebhook(r, checkURL)
	s.Input.InputImages, s.Uploads = c.checkInputImages(r.InputImages, model)
	return s
}

// checker collects what is wrong with a request.
type checker struct {
	faults []error
}

func (c *checker) addFault(field, message string) {
	c.faults = append(c.faults, &huma.ErrorDetail{Location: "body." + field, Message: message})
}

// err returns a problem that lists all faults, or nil.
func (c *checker) err() error {
	if len(c.faults) == 0 {
		return nil
	}
	return huma.NewError(http.StatusUnprocessableEntity, "validation failed", c.faults...)
}

// checkIdempotencyKey notes a key that no record can keep as text.
func (c *checker) checkIdempotencyKey(key string) {
	if !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl) {
		c.faults = append(c.faults, &huma.ErrorDetail{
			Location: "header.Idempotency-Key", Message: "must be UTF-8 without control characters",
		})
	}
}

func (c *checker) checkPrompt(prompt string) {
	switch {
	case strings.TrimSpace(prompt) == "":
		c.addFault("prompt", "must not be blank")
	case strings.ContainsRune(prompt, 0):
		c.addFault("prompt", "must not contain NUL characters")
	}
}

func (c *checker) checkSeed(in job.Input) {
	if most := in.MaxSeed(); in.Seed != nil && *in.Seed > most {
		c.addFault("seed", fmt.Sprintf("must be at most %d for %d pictures, since each is drawn with the next seed", most, in.Count))
	}
}

// checkModel returns the model that the request asks for, or the default one, which
// is the first. It notes what the model cannot draw.
func (c *checker) checkModel(r GenerateRequest, models []job.Model) job.Model {
	m, known := job.FindModel(models, cmp.Or(r.Model, models[0].Name))
	if !known {
		names := make([]string, len(models))
		for i, m := range models {
			names[i] = m.Name
		}
		c.addFault("model", "must be one of "+strings.Join(names, ", "))
		return models[0]
	}
	if r.ImageSize != "" && !m.AllowsSize(r.ImageSize) {
		c.addFault("image_size", fmt.Sprintf("%s draws %s only", m.Name, strings.Join(m.ImageSizes, ", ")))
	}
	if r.AspectRatio != "" && !m.AllowsRatio(r.AspectRatio) {
		c.addFault("aspect_ratio", fmt.Sprintf("%s draws %s only", m.Name, strings.Join(m.AspectRatios, ", ")))
	}
	return m
}

func (c *checker) checkMetadata(raw json.RawMessage) []byte {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil
	case raw[0] != '{':
		c.addFault("metadata", "must be a JSON object")
	case len(raw) > maxMetadata:
		c.addFault("metadata", fmt.Sprintf("must have at most %d bytes, and has %d", maxMetadata, len(raw)))
	}
	return raw
}

// checkInputImages sorts what the caller sent into URLs and uploads.
func (c *checker) checkInputImages(refs []string, m job.Model) ([]job.InputImage, []enqueue.Upload) {
	if m.MaxInputImages > 0 && len(refs) > m.MaxInputImages {
		c.addFault("input_images", fmt.Sprintf("%s takes at most %d", m.Name, m.MaxInputImages))
	}
	var images []job.InputImage
	var uploads []enqueue.Upload
	for i, ref := range refs {
		field := fmt.Sprintf("input_images[%d]", i)
		img := job.InputImage{}
		if strings.HasPrefix(ref, "data:") {
			data, contentType, err := decodeDataURI(ref)
			if err != nil {
				c.addFault(field, err.Error())
			}
			uploads = append(uploads, enqueue.Upload{Position: i, Data: data, ContentType: contentType})
		} else if id, err := uuid.Parse(ref); err == nil && id.String() == ref {
			uploads = append(uploads, enqueue.Upload{Position: i, ID: ref})
		} else if img.URL = ref; !httpsURL(ref) {
			c.addFault(field, fmt.Sprintf("must be a data URI, the id of an upload, or an https URL of at most %d characters", maxInputURL))
		}
		images = append(images, img)
	}
	return images, uploads
}

func httpsURL(ref string) bool {
	u, err := url.Parse(ref)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && len(ref) <= maxInputURL
}

// notPicture is what a caller is told of bytes that are no picture.
const notPicture = "must be a picture: one of image/png, image/jpeg, image/webp"

// decodeDataURI reads data:image/png;base64,… (RFC 2397). The type is the
// bytes' own and not the URI's word.
func decodeDataURI(uri string) (data []byte, contentType string, err error) {
	header, payload, found := strings.Cut(uri, ",")
	if !found || !strings.HasSuffix(header, ";base64") {
		return nil, "", fmt.Errorf("must look like data:image/png;base64,…")
	}
	data, err = base64.StdEncoding.DecodeString(payload)
	if err != nil {
		return nil, "", fmt.Errorf("is not valid base64")
	}
	inside, err := picture.Inspect(data)
	if err != nil {
		return nil, "", errors.New(notPicture)
	}
	return data, inside.ContentType, nil
}
