package gemini

import (
	"encoding/json"
	"net/http"
	"slices"
)

// getModel serves the description of a model. Asking costs nothing and does not
// count against the limit of requests. Next and Script choose its faults too.
func (s *Server) getModel(w http.ResponseWriter, r *http.Request) {
	req := Request{Key: r.Header.Get("X-Goog-Api-Key"), Model: r.PathValue("model")}
	if !s.accepts(req.Key) {
		badKey(req.Key).reply(req).send(w)
		return
	}
	s.mu.Lock()
	fault := s.takeFault(req)
	s.mu.Unlock()
	switch {
	case fault != Ok:
		fault.write(&recorder{ResponseWriter: w}, r, req)
	case s.opts.Models != nil && !slices.Contains(s.opts.Models, req.Model):
		errorReply(http.StatusNotFound, "NOT_FOUND", "Model is not found: models/"+req.Model+" for api version v1beta").send(w)
	default:
		sendModel(w, req.Model)
	}
}

func sendModel(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(modelInfo{ //nolint:errchkjson // a client that is gone misses nothing
		Name: "models/" + name, Version: "001", DisplayName: name, InputTokenLimit: 32768, OutputTokenLimit: 32768,
		Methods: []string{"generateContent", "countTokens", "batchGenerateContent"},
	})
}

// modelInfo is the part that matters of what the real service says about a
// model.
type modelInfo struct {
	Name             string   `json:"name"`
	Version          string   `json:"version"`
	DisplayName      string   `json:"displayName"`
	InputTokenLimit  int      `json:"inputTokenLimit"`
	OutputTokenLimit int      `json:"outputTokenLimit"`
	Methods          []string `json:"supportedGenerationMethods"`
}
