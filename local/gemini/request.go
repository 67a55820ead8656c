package gemini

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Request is what a client asked for.
type Request struct {
	Key         string
	Model       string
	Prompt      string
	AspectRatio string // "1:1" when not given
	ImageSize   string // "1K" when not given
	Seed        *int32
	Images      int // input images
}

// wireRequest has the fields of generateContent's request body that are used
// here.
type wireRequest struct {
	Contents []struct {
		Parts []struct {
			Text       string `json:"text"`
			InlineData *struct {
				MIMEType string `json:"mimeType"`
				Data     []byte `json:"data"`
			} `json:"inlineData"`
			FileData *struct {
				FileURI string `json:"fileUri"`
			} `json:"fileData"`
		} `json:"parts"`
	} `json:"contents"`
	GenerationConfig struct {
		ResponseModalities []string `json:"responseModalities"`
		ImageConfig        struct {
			AspectRatio string `json:"aspectRatio"`
			ImageSize   string `json:"imageSize"`
		} `json:"imageConfig"`
		Seed *int32 `json:"seed"`
	} `json:"generationConfig"`
}

// parseRequest reads a body. Its errors have the words of the real service.
func parseRequest(key, model string, body []byte) (Request, error) {
	var wire wireRequest
	if err := json.Unmarshal(body, &wire); err != nil {
		return Request{}, invalid(fmt.Sprintf("Invalid JSON payload received. %v", err))
	}
	config := wire.GenerationConfig
	req := Request{
		Key:         key,
		Model:       model,
		AspectRatio: config.ImageConfig.AspectRatio,
		ImageSize:   config.ImageConfig.ImageSize,
		Seed:        config.Seed,
	}
	var texts []string
	for _, content := range wire.Contents {
		for _, part := range content.Parts {
			if part.Text != "" {
				texts = append(texts, part.Text)
			}
			if part.InlineData != nil || part.FileData != nil {
				req.Images++
			}
		}
	}
	req.Prompt = strings.Join(texts, "\n")
	if len(wire.Contents) == 0 {
		return Request{}, invalid("* GenerateContentRequest.contents: contents is not specified")
	}
	if req.AspectRatio == "" {
		req.AspectRatio = "1:1"
	}
	if req.ImageSize == "" {
		req.ImageSize = "1K"
	}
	_, _, err := pixels(req.AspectRatio, req.ImageSize)
	return req, err
}

// invalid is what the real service says about a request that it refuses.
type invalid string

// Error returns the service's message.
func (i invalid) Error() string { return string(i) }
