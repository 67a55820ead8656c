package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/gemini"
	"github.com/ai-worker/ai-worker/local/s3"
)

// A sample is a prompt with the picture that all jobs of it have.
type sample struct {
	prompt, ratio string
	object        job.Object
}

// drawSamples draws a picture of each prompt, and stores it in a bucket in dir as the
// embedded S3 server keeps it.
func drawSamples(ctx context.Context, dir string) (samples []sample, err error) {
	const bucket = "pictures"
	store, err := s3.Start(s3.Options{Dir: dir, Bucket: bucket})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	painter, err := gemini.New(gemini.Options{Seed: 1})
	if err != nil {
		return nil, err
	}
	for i, p := range prompts {
		data, err := draw(ctx, painter, p.text, p.ratio)
		if err != nil {
			return nil, err
		}
		object, err := describe(data, fmt.Sprintf("images/sample/%d", i))
		if err != nil {
			return nil, err
		}
		if err := put(ctx, store.URL()+"/"+bucket+"/"+object.Key, data); err != nil {
			return nil, err
		}
		samples = append(samples, sample{prompt: p.text, ratio: p.ratio, object: object})
	}
	return samples, nil
}

// draw asks the stand-in of Gemini for a small picture.
func draw(ctx context.Context, painter http.Handler, prompt, ratio string) ([]byte, error) {
	body, err := json.Marshal(map[string]any{
		"contents": []any{map[string]any{"role": "user", "parts": []any{map[string]any{"text": prompt}}}},
		"generationConfig": map[string]any{
			"responseModalities": []string{"IMAGE"}, "imageConfig": map[string]any{"aspectRatio": ratio, "imageSize": "512"},
		},
	})
	if err != nil {
		return nil, err
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1beta/models/gemini-3.1-flash-image:generateContent", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Goog-Api-Key", "seed")
	w := httptest.NewRecorder()
	painter.ServeHTTP(w, r)
	var answer struct {
		Candidates []struct {
			Content struct {
				Parts []struct {
					InlineData struct {
						Data []byte `json:"data"`
					} `json:"inlineData"`
				} `json:"parts"`
			} `json:"content"`
		} `json:"candidates"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Candidates) == 0 {
		return nil, fmt.Errorf("the stand-in of Gemini answers %d: %.200s", w.Code, w.Body.String())
	}
	for _, part := range answer.Candidates[0].Content.Parts {
		if len(part.InlineData.Data) > 0 {
			return part.InlineData.Data, nil
		}
	}
	return nil, errors.New("the stand-in of Gemini drew nothing")
}

// describe returns what the record keeps of a picture.
func describe(data []byte, key string) (job.Object, error) {
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return job.Object{}, err
	}
	sum := sha256.Sum256(data)
	return job.Object{
		Key: key, ContentType: "image/png", Width: config.Width, Height: config.Height,
		Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:]),
	}, nil
}

// put stores an object.
func put(ctx context.Context, url string, data []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "image/png")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the embedded S3 server answers %d to %s: %w", answer.StatusCode, url, err)
	}
	return nil
}
