package doctor_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/local/gemini"
)

const geminiKey = "AIzaTestTestTestTestTest"

// examineGemini examines a lane whose Gemini is at an address.
func examineGemini(t *testing.T, l doctor.LaneSettings, address string) []doctor.Finding {
	t.Helper()
	g, err := generate.NewGemini(t.Context(), generate.Config{APIKey: geminiKey, BaseURL: address})
	if err != nil {
		t.Fatal(err)
	}
	return examine(t, doctor.Gemini(l, g.Inspect))
}

func newGemini(t *testing.T, opts gemini.Options) (*gemini.Server, string) {
	t.Helper()
	server, err := gemini.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(server)
	t.Cleanup(srv.Close)
	return server, srv.URL
}

func TestGemini(t *testing.T) {
	t.Parallel()
	server, address := newGemini(t, gemini.Options{RPM: 1})
	expect(t, examineGemini(t, laneA(), address),
		want{doctor.OK, "a", model + " can be asked with the key of GEMINI_API_KEY; quota and billing only show with a picture", ""})
	listed := laneA()
	listed.Listed = true
	expect(t, examineGemini(t, listed, address), want{doctor.OK, "a", `the key of "api_key_env" of lane "a" in LANES`, ""})
	if got := server.Stats(); got.Requests != 0 || got.Pictures != 0 {
		t.Errorf("it cost %+v", got)
	}
}

func TestGeminiThatRefuses(t *testing.T) {
	t.Parallel()
	for fault, w := range map[gemini.Fault]want{
		"400-key":       {doctor.Failed, "a", "Google knows no such key as that of GEMINI_API_KEY", "aistudio.google.com/apikey and set GEMINI_API_KEY"},
		"401":           {doctor.Failed, "a", "Google knows no such key", "GEMINI_API_KEY"},
		"403-leaked":    {doctor.Failed, "a", "was found in public", "delete the old one"},
		"403-suspended": {doctor.Failed, "a", "is suspended", "another project"},
		"403-disabled":  {doctor.Failed, "a", "is not enabled in the project", "gcloud services enable generativelanguage.googleapis.com"},
		"403-blocked":   {doctor.Failed, "a", "is not allowed for this: HTTP 403", "Generative Language API"},
		"403-no-key":    {doctor.Failed, "a", "is refused: HTTP 403", "apikey"},
		"404-model":     {doctor.Failed, "a", "there is no model " + model, "GEMINI_MODEL"},
		"400-location":  {doctor.Failed, "a", "does not serve where this runs", "available-regions"},
		"402":           {doctor.Failed, "a", "does not serve the project of the key of GEMINI_API_KEY", "billing"},
		"429-minute":    {doctor.Warning, "a", "its quota is used up", "quota"},
		"503":           {doctor.Failed, "a", "does not answer as it should", "status"},
		"400":           {doctor.Failed, "a", "refuses to tell about " + model, "GEMINI_BASE_URL"},
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server, address := newGemini(t, gemini.Options{})
			server.Next(fault)
			expect(t, examineGemini(t, laneA(), address), w)
		})
	}
}

func TestGeminiWithoutTheModel(t *testing.T) {
	t.Parallel()
	_, address := newGemini(t, gemini.Options{Models: []string{"gemini-of-new"}})
	listed := laneA()
	listed.Listed = true
	expect(t, examineGemini(t, listed, address), want{doctor.Failed, "a", "there is no model", `"model" of lane "a" in LANES`})
}

func TestGeminiOfAModelThatDrawsNothing(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"name": "models/m", "supportedGenerationMethods": ["embedContent"]}`))
	}))
	t.Cleanup(srv.Close)
	expect(t, examineGemini(t, laneA(), srv.URL), want{doctor.Failed, "a", "draws nothing: it offers only embedContent", "GEMINI_MODEL"})
}

func TestGeminiOutOfReach(t *testing.T) {
	t.Parallel()
	expect(t, examineGemini(t, laneA(), "http://"+nobody(t)), want{doctor.Failed, "a", "Gemini cannot be reached", "GEMINI_BASE_URL"})
}

func TestGeminiWithAKeyThatCannotBeOne(t *testing.T) {
	t.Parallel()
	got := examine(t, doctor.Gemini(laneA(), func(context.Context, string) error { return errors.New("a line break") }))
	expect(t, got, want{doctor.Failed, "a", "cannot be used: a line break", "GEMINI_API_KEY"})
}

func TestGeminiWithoutAKey(t *testing.T) {
	t.Parallel()
	expect(t, examine(t, doctor.WithoutKey(laneA())), want{doctor.Skipped, "a", "no key is set with GEMINI_API_KEY", ""})
}
