package gemini

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
)

// draw answers with a picture, after drafts if the model is one that thinks.
func (s *Server) draw(w *recorder, req Request, fault Fault, seed uint64) {
	if req.Seed != nil {
		seed = uint64(uint32(*req.Seed))
	}
	parts, err := s.parts(req, fault, seed)
	if err != nil {
		errorReply(http.StatusInternalServerError, "INTERNAL", err.Error()).send(w)
		return
	}
	body := `{"candidates": [{"content": {"parts": [` + strings.Join(parts, ",") + `], "role": "model"}, `
	if fault == Truncated {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		_, _ = io.WriteString(w, body[:len(body)*2/3])
		_ = http.NewResponseController(w).Flush() // if it fails, the client is gone already
		panic(http.ErrAbortHandler)
	}
	finish := "STOP"
	if fault == DraftOnly {
		finish = "NO_IMAGE"
	} else {
		s.countPicture()
	}
	body += `"finishReason": ` + quote(finish) + `, "index": 0}], ` + trailer(req, pictureTokens(req)) + `}`
	reply{status: http.StatusOK, body: body}.send(w)
}

// parts returns the parts of the answer: the drafts that "pro" models send
// first, marked as thoughts, and then the picture.
func (s *Server) parts(req Request, fault Fault, seed uint64) ([]string, error) {
	var parts []string
	if strings.Contains(req.Model, "pro") || fault == DraftOnly {
		draft := req
		draft.ImageSize = "512"
		raw, err := s.encode(draft, Ok, seed+1, 0)
		if err != nil {
			return nil, err
		}
		parts = append(parts, `{"text": "**Sketching the scene**\n\nA first draft.", "thought": true}`,
			inlinePart(raw, "image/png", base64.StdEncoding, `, "thought": true`))
	}
	if fault == DraftOnly {
		return parts, nil
	}
	drawn := req
	if s.opts.Small {
		drawn.ImageSize = "512"
	}
	raw, err := s.encode(drawn, fault, seed, s.opts.PictureBytes)
	if err != nil {
		return nil, err
	}
	mime, encoding := "image/png", base64.StdEncoding
	if fault == JPEG {
		mime = "image/jpeg"
	}
	if fault == URLSafe {
		encoding = base64.URLEncoding
	}
	signature := sha256.Sum256(raw)
	return append(parts, inlinePart(raw, mime, encoding, `, "thoughtSignature": "`+base64.StdEncoding.EncodeToString(signature[:])+`"`)), nil
}

// encode draws the picture and returns it as a file of at least atLeast bytes.
func (s *Server) encode(req Request, fault Fault, seed uint64, atLeast int) ([]byte, error) {
	img, err := s.painter.paint(req, seed)
	if err != nil {
		return nil, err
	}
	if fault == JPEG {
		var out bytes.Buffer
		err := jpeg.Encode(&out, img, nil)
		return out.Bytes(), err
	}
	return encodePNG(img, seed, atLeast)
}

func inlinePart(raw []byte, mime string, encoding *base64.Encoding, more string) string {
	var b strings.Builder
	b.Grow(encoding.EncodedLen(len(raw)) + 200)
	b.WriteString(`{"inlineData": {"mimeType": "` + mime + `", "data": "`)
	b.WriteString(encoding.EncodeToString(raw))
	b.WriteString(`"}` + more + `}`)
	return b.String()
}

// trailer returns the end of every answer with status 200. tokens is those of the
// picture. As in the real service, a count of 0 is left out.
func trailer(req Request, tokens int) string {
	prompt, thoughts := len(req.Prompt)/4+258*req.Images, thoughtTokens(req.Model)
	usage := fmt.Sprintf(`"promptTokenCount": %d, "totalTokenCount": %d`, prompt, prompt+thoughts+tokens)
	if tokens > 0 {
		usage += fmt.Sprintf(`, "candidatesTokenCount": %d, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": %d}]`, tokens, tokens)
	}
	if thoughts > 0 {
		usage += fmt.Sprintf(`, "thoughtsTokenCount": %d`, thoughts)
	}
	return fmt.Sprintf(`"usageMetadata": {%s}, "modelVersion": %s, "responseId": "%s"`, usage, quote(req.Model), responseID(req))
}

// responseID returns an ID that is the same for the same request. No test
// depends on it being unique.
func responseID(req Request) string {
	sum := sha256.Sum256([]byte(req.Model + req.Prompt))
	return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(sum[:])))
}

func (s *Server) countPicture() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Pictures++
}
