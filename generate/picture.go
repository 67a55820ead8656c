package generate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/picture"
)

// newPicture describes data. It takes the type from the bytes, because the type
// that the answer names is not always true.
func newPicture(data []byte, modelVersion string) (job.Picture, error) {
	header, err := picture.Inspect(data)
	if err != nil {
		return job.Picture{}, fmt.Errorf("%w: %v", errNotAPicture, err)
	}
	sum := sha256.Sum256(data)
	return job.Picture{
		Data:         data,
		ContentType:  header.ContentType,
		Width:        header.Width,
		Height:       header.Height,
		SHA256:       hex.EncodeToString(sum[:]),
		ModelVersion: modelVersion,
	}, nil
}
