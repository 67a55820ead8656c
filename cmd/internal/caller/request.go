package caller

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/picture"
)

// Request has the prompt and a flag for each field of the API's request. What is not
// given is the service's choice, and the service says what is wrong with what is.
type Request struct {
	Prompt       string   `arg:"" help:"What to draw; - reads it from standard input."`
	Model        string   `placeholder:"NAME" help:"One of the models that the service serves."`
	Count        *int     `short:"n" placeholder:"N" help:"Pictures to draw, 1 to 16."`
	AspectRatio  string   `placeholder:"W:H" help:"Such as 16:9."`
	ImageSize    string   `placeholder:"SIZE" help:"512, 1K, 2K or 4K."`
	Input        []string `short:"i" sep:"none" placeholder:"PICTURE" help:"A picture to start from: a file, which is uploaded, an https URL, or the id of an upload. May be repeated."`
	Seed         *int64   `placeholder:"N" help:"The picture at index i is drawn with seed + i; --seed=-1 if it is negative."`
	Metadata     []string `sep:"none" placeholder:"KEY=VALUE" help:"Yours, handed back as it is: KEY=VALUE, or a JSON object. May be repeated."`
	Priority     string   `placeholder:"P" help:"low waits until no normal picture of its model does."`
	ExpiresIn    string   `placeholder:"TIME" help:"After which what has not ended fails: seconds, or such as 90m or 24h."`
	MaxCostUSD   *float64 `name:"max-cost-usd" placeholder:"USD" help:"The most that the job may cost by list price."`
	Webhook      string   `placeholder:"URL" help:"An https URL that is told what happens."`
	WebhookEvent []string `placeholder:"EVENT" help:"What it is told of, such as image.succeeded. May be repeated."`
	DryRun       bool     `help:"Print what it would cost, and when it would be done. Nothing is drawn or uploaded."`
}

// build returns the request, but for its input pictures.
func (r Request) build(stdin io.Reader) (client.Request, error) {
	req := client.Request{
		Prompt: r.Prompt, Model: r.Model, Count: r.Count, AspectRatio: r.AspectRatio, ImageSize: r.ImageSize, Seed: r.Seed,
		Priority: r.Priority, MaxCostUSD: r.MaxCostUSD, DryRun: r.DryRun, Webhook: r.Webhook, WebhookEvents: r.WebhookEvent,
	}
	var err error
	if req.Metadata, err = metadataOf(r.Metadata); err != nil {
		return req, usage(err)
	}
	if req.ExpiresIn, err = secondsOf(r.ExpiresIn); err != nil {
		return req, usage(fmt.Errorf("--expires-in: %w", err))
	}
	if r.Prompt == "-" {
		text, err := io.ReadAll(stdin)
		if err != nil {
			return req, usage(fmt.Errorf("the prompt on standard input: %w", err))
		}
		req.Prompt = strings.TrimSpace(string(text))
	}
	if req.Prompt == "" {
		return req, usage(errors.New("the prompt is empty"))
	}
	return req, nil
}

// pictures returns how many pictures are asked for.
func (r Request) pictures() int {
	if r.Count == nil {
		return 1
	}
	return *r.Count
}

// metadataOf returns an object of members KEY=VALUE, whose values are texts, and of
// the members of JSON objects.
func metadataOf(flags []string) (json.RawMessage, error) {
	if len(flags) == 0 {
		return nil, nil
	}
	all := map[string]json.RawMessage{}
	for _, flag := range flags {
		if strings.HasPrefix(strings.TrimSpace(flag), "{") {
			if err := json.Unmarshal([]byte(flag), &all); err != nil {
				return nil, fmt.Errorf("--metadata: it is no JSON object: %w", err)
			}
			continue
		}
		key, value, found := strings.Cut(flag, "=")
		if !found || key == "" {
			return nil, fmt.Errorf("--metadata: %q is neither KEY=VALUE nor a JSON object", flag)
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		all[key] = text
	}
	return json.Marshal(all) // its keys are sorted: the same flags are the same body
}

// secondsOf returns a time in seconds: of a number of them, or of such as 90m.
func secondsOf(text string) (*int64, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // a field that is absent
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return &n, nil
	}
	d, err := durationOf(text)
	if err != nil {
		return nil, err
	}
	n := int64(d / time.Second)
	return &n, nil
}

// durationOf returns a time such as 90m or 7d.
func durationOf(text string) (time.Duration, error) {
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		if n, err := strconv.Atoi(days); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no time, such as 90m, 24h or 7d", text)
	}
	return d, nil
}

// An input is a picture to start from: one that the service can find by name, or a
// file that has to be uploaded.
type input struct {
	name        string
	data        []byte // nil if nothing has to be uploaded
	contentType string
}

// maxUpload is the largest picture that can be uploaded, in bytes.
const maxUpload = 20 << 20

var uploadID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// inputs reads the files among the input pictures, and finds out what is wrong with
// them before anything is sent.
func (r Request) inputs() ([]input, error) {
	all := make([]input, len(r.Input))
	for i, name := range r.Input {
		all[i].name = name
		if strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "data:") {
			continue
		}
		info, err := os.Stat(name)
		if err != nil && uploadID.MatchString(name) {
			continue
		}
		if err == nil && info.Size() > maxUpload {
			err = fmt.Errorf("%s has %d bytes, and a picture may have %d", name, info.Size(), maxUpload)
		}
		if err != nil {
			return nil, usage(fmt.Errorf("--input: %w", err))
		}
		if all[i].data, err = os.ReadFile(name); err != nil { //nolint:gosec // the user names the file
			return nil, usage(fmt.Errorf("--input: %w", err))
		}
		header, err := picture.Inspect(all[i].data)
		if err != nil {
			return nil, usage(fmt.Errorf("--input: %s is no PNG, JPEG or WebP picture", name))
		}
		all[i].contentType = header.ContentType
	}
	return all, nil
}
