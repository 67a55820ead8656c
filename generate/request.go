package generate

import (
	"errors"
	"net/http"

	"google.golang.org/genai"

	"github.com/ai-worker/ai-worker/job"
)

// contentsFor returns what the model is shown: the prompt, then the sources in
// their order.
func contentsFor(req job.Request) ([]*genai.Content, error) {
	parts := []*genai.Part{{Text: req.Prompt}}
	for _, src := range req.Sources {
		part, err := partFor(src)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return []*genai.Content{{Role: genai.RoleUser, Parts: parts}}, nil
}

func partFor(src job.Source) (*genai.Part, error) {
	switch {
	case src.URL != "" && src.Data == nil:
		return &genai.Part{FileData: &genai.FileData{FileURI: src.URL, MIMEType: src.ContentType}}, nil
	case src.URL == "" && len(src.Data) > 0:
		mime := src.ContentType
		if mime == "" {
			mime = http.DetectContentType(src.Data)
		}
		return &genai.Part{InlineData: &genai.Blob{Data: src.Data, MIMEType: mime}}, nil
	default:
		return nil, errors.New("an input image needs either a URL or its bytes")
	}
}

// configFor builds the configuration of one call. The calls cannot share one,
// because the SDK writes to it.
func configFor(req job.Request) *genai.GenerateContentConfig {
	config := &genai.GenerateContentConfig{
		ResponseModalities: []string{"IMAGE"},
		Seed:               req.Seed,
		// Without this, one call of the SDK may send several requests.
		AutomaticContinuation: new(bool),
	}
	if req.AspectRatio != "" || req.ImageSize != "" { // some models know no imageConfig
		config.ImageConfig = &genai.ImageConfig{AspectRatio: req.AspectRatio, ImageSize: req.ImageSize}
	}
	return config
}
