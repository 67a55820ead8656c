package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ai-worker/ai-worker/job"
)

// MaxUpload bounds a picture that is uploaded, in bytes.
const MaxUpload = 20 << 20

// An Uploader signs uploads. It sends no request.
type Uploader interface {
	SignUpload(tenant, contentType string, size int64) (job.UploadTicket, error)
}

// UploadRequest says what a caller is about to upload.
type UploadRequest struct {
	ContentType string `json:"content_type" enum:"image/png,image/jpeg,image/webp"`
	Bytes       int64  `json:"bytes" minimum:"1" maximum:"20971520" doc:"The picture's exact size."`
}

// UploadResource says where a picture is to be put.
type UploadResource struct {
	ID        string            `json:"id" format:"uuid" doc:"Names the picture in input_images, for a day."`
	Method    string            `json:"method" enum:"PUT"`
	URL       string            `json:"url" format:"uri" doc:"Takes the picture's bytes, once or again, until expires_at. It needs no API key."`
	Headers   map[string]string `json:"headers" doc:"Send these with the bytes."`
	ExpiresAt time.Time         `json:"expires_at" doc:"Until when the upload may begin."`
}

// RegisterUpload adds the operation that signs an upload to api.
func (h *Jobs) RegisterUpload(api huma.API, method, path string) {
	huma.Register(api, huma.Operation{
		OperationID: "create-upload", Method: method, Path: path,
		Summary: "Upload an input picture",
		Description: "Returns a URL that takes one picture of exactly this size and type, straight into the bucket. " +
			"Name its id in input_images afterwards. A picture that no job has taken within a day is removed.",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: maxUploadRequest, BodyReadTimeout: noTimeout,
		Metadata: answersWith(map[int]answer{
			http.StatusCreated:         answerOf[UploadResource]("Where to put the picture.", "Cache-Control"),
			http.StatusTooManyRequests: {},
		}),
	}, telling(h, h.upload))
}

// maxUploadRequest bounds the body that says what is to be uploaded, in bytes.
const maxUploadRequest = 4 << 10

type uploadInput struct {
	Body UploadRequest
}

type uploadOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         UploadResource
}

// upload serves POST /api/uploads.
func (h *Jobs) upload(ctx context.Context, in *uploadInput) (*uploadOutput, error) {
	if err := h.uploads.take(tenant(ctx).Name); err != nil {
		return nil, err
	}
	ticket, err := h.Uploader.SignUpload(tenant(ctx).Name, in.Body.ContentType, in.Body.Bytes)
	if err != nil {
		return nil, err
	}
	return &uploadOutput{CacheControl: "no-store", Body: UploadResource{
		ID: ticket.ID, Method: http.MethodPut, URL: ticket.URL, Headers: ticket.Header, ExpiresAt: ticket.ExpiresAt,
	}}, nil
}
