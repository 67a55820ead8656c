package generate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"

	"golang.org/x/image/webp"

	"github.com/ai-worker/ai-worker/job"
)

// newPicture describes data. It takes the type from the bytes, because the type
// that the answer names is not always true.
func newPicture(data []byte, modelVersion string) (job.Picture, error) {
	contentType := http.DetectContentType(data)
	decode := map[string]func(io.Reader) (image.Config, error){
		"image/png":  png.DecodeConfig,
		"image/jpeg": jpeg.DecodeConfig,
		"image/webp": webp.DecodeConfig,
	}[contentType]
	if decode == nil {
		return job.Picture{}, fmt.Errorf("%w: it holds %d bytes of %s", errNotAPicture, len(data), contentType)
	}
	config, err := decode(bytes.NewReader(data))
	if err != nil {
		return job.Picture{}, fmt.Errorf("%w: %v", errNotAPicture, err)
	}
	sum := sha256.Sum256(data)
	return job.Picture{
		Data:         data,
		ContentType:  contentType,
		Width:        config.Width,
		Height:       config.Height,
		SHA256:       hex.EncodeToString(sum[:]),
		ModelVersion: modelVersion,
	}, nil
}
