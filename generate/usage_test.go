package generate_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/gemini"
)

// The costs here are worked out by hand from Google's prices, in US dollars for a
// million tokens: 1.50 for input, 7.50 for text and thoughts, and 30 for pictures of
// gemini-nano-banana-2.1; 2, 12 and 120 of gemini-3-pro-image.
func TestWhatAnAnswerCost(t *testing.T) {
	const nano, pro = "gemini-nano-banana-2.1", "gemini-3-pro-image"
	for name, tt := range map[string]struct {
		model, usage string
		tokens       *job.Tokens
		micros       int64
		guessed      bool
	}{
		"input alone": {
			nano, `"promptTokenCount": 400, "totalTokenCount": 400`,
			&job.Tokens{Prompt: 400, Total: 400}, 600, false, // 400 × 1.50
		},
		"text and thoughts": {
			nano, `"candidatesTokenCount": 400, "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 400}], "thoughtsTokenCount": 600, "totalTokenCount": 1000`,
			&job.Tokens{Text: 400, Thought: 600, Total: 1000}, 7_500, false, // 400 × 7.50 = 3,000, and 600 × 7.50 = 4,500
		},
		"a picture of 1K with thoughts": {
			nano, `"promptTokenCount": 400, "candidatesTokenCount": 1120, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}], "thoughtsTokenCount": 600, "totalTokenCount": 2120`,
			&job.Tokens{Prompt: 400, Thought: 600, Image: 1120, Total: 2120}, 38_700, false, // 600 + 4,500 + 33,600
		},
		"a picture with a word": {
			pro, `"promptTokenCount": 10, "candidatesTokenCount": 1130, "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 10}, {"modality": "IMAGE", "tokenCount": 1120}], "totalTokenCount": 1140`,
			&job.Tokens{Prompt: 10, Text: 10, Image: 1120, Total: 1140}, 134_540, false, // 20 + 120 + 134,400
		},
		"half a millionth": {
			nano, `"promptTokenCount": 1, "totalTokenCount": 1`, &job.Tokens{Prompt: 1, Total: 1}, 2, false, // 1.5
		},
		"tokens without a kind": {
			nano, `"promptTokenCount": 400, "candidatesTokenCount": 1000, "totalTokenCount": 1400`,
			&job.Tokens{Prompt: 400, Image: 1000, Total: 1400}, 30_600, true,
		},
		"a model whose prices are not known": {
			"gemini-3.1-flash-image", `"promptTokenCount": 400, "totalTokenCount": 400`, &job.Tokens{Prompt: 400, Total: 400}, 0, false,
		},
		"nothing":        {nano, ``, nil, 0, false},
		"less than none": {nano, `"promptTokenCount": -400, "totalTokenCount": 400`, nil, 0, false},
	} {
		g := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata": {`+tt.usage+`}}`)
		}))
		_, err := g.Generate(t.Context(), job.Request{Model: tt.model, Prompt: "a fox"})
		want := job.Answer{
			At: noon, FinishReason: "MAX_TOKENS", Detail: "no picture, finishReason MAX_TOKENS",
			Tokens: tt.tokens, CostMicros: tt.micros, Estimated: tt.guessed,
		}
		f, _ := errors.AsType[*job.Failure](err)
		if diff := cmp.Diff(want, f.Answer); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAPicturesAnswerTellsItsCost(t *testing.T) {
	g, _ := setup(t)
	pic, err := g.Generate(t.Context(), job.Request{Model: "gemini-nano-banana-2.1", Prompt: strings.Repeat("a fox ", 8), ImageSize: "2K"})
	want := job.Answer{
		At: noon, FinishReason: "STOP", Tokens: &job.Tokens{Prompt: 12, Thought: 600, Image: 1680, Total: 2292},
		CostMicros: 54_918, // 12 × 1.50 + 600 × 7.50 + 1,680 × 30
	}
	if diff := cmp.Diff(want, pic.Answer); diff != "" || err != nil {
		t.Errorf("answer: %v (-want +got):\n%s", err, diff)
	}
}

// What came back tells when, in which words, and how it ended; what did not come
// tells nothing.
func TestAFailuresAnswer(t *testing.T) {
	for fault, want := range map[gemini.Fault]job.Answer{
		"429-minute":                  {At: noon, Detail: "HTTP 429 RESOURCE_EXHAUSTED"},
		gemini.Block("SAFETY"):        {At: noon, Detail: "blockReason SAFETY", FinishReason: "SAFETY", Tokens: &job.Tokens{Prompt: 1, Thought: 600, Total: 601}, CostMicros: 4_502},
		gemini.Fault("403-suspended"): {At: noon, Detail: "HTTP 403 PERMISSION_DENIED Permission denied: Consumer 'api_key:[redacted]'"},
		gemini.Garbage:                {At: noon, Detail: "the answer cannot be decoded"},
	} {
		g, server := setup(t)
		server.Next(fault)
		f, _ := errors.AsType[*job.Failure](generateError(t.Context(), g, request()))
		if !strings.HasPrefix(f.Answer.Detail, want.Detail) || len(f.Answer.Detail) > job.MaxDetail {
			t.Errorf("%s: the words are %q, want %q", fault, f.Answer.Detail, want.Detail)
		}
		f.Answer.Detail = want.Detail
		if diff := cmp.Diff(want, f.Answer); diff != "" {
			t.Errorf("%s (-want +got):\n%s", fault, diff)
		}
	}
}

// The list price of a picture is that of its tokens.
func TestListPrices(t *testing.T) {
	for name, want := range map[string]map[string]int64{
		"gemini-nano-banana-2.1": {"1K": 33_600, "2K": 50_400, "4K": 113_400},
		"gemini-3.1-flash-image": {"512": 44_820, "1K": 67_200, "2K": 100_800, "4K": 151_200}, // 747, 1,120, 1,680 and 2,520 × 60
		"gemini-3-pro-image":     {"1K": 134_000, "2K": 134_000, "4K": 240_000},
	} {
		if m := generate.Model(name); !cmp.Equal(m.Prices, want) || m.PriceList == "" {
			t.Errorf("%s costs %v, of %q", name, m.Prices, m.PriceList)
		}
	}
}
