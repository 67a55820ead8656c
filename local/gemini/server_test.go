package gemini_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genai"

	"github.com/ai-worker/ai-worker/local/gemini"
)

// A bundle is a server with the real SDK as its client.
type bundle struct {
	*gemini.Server
	http   *httptest.Server
	client *genai.Client
}

func setup(t *testing.T, opts gemini.Options) *bundle {
	t.Helper()
	server, err := gemini.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(server)
	t.Cleanup(ts.Close)
	client, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: "key", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: ts.URL},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &bundle{server, ts, client}
}

// stopAndCount closes the server and returns its stats. Only then do they
// include the last request: a client has its answer a moment before the server
// is done.
func (b *bundle) stopAndCount() gemini.Stats {
	b.http.Close()
	return b.Stats()
}

// ask sends one request.
func ask(ctx context.Context, client *genai.Client, model, prompt string, config genai.GenerateContentConfig) (*genai.GenerateContentResponse, error) {
	config.AutomaticContinuation = new(bool)
	return client.Models.GenerateContent(ctx, model, genai.Text(prompt), &config)
}

func small() genai.GenerateContentConfig {
	return genai.GenerateContentConfig{ImageConfig: &genai.ImageConfig{ImageSize: "512"}}
}

func TestSizes(t *testing.T) {
	b := setup(t, gemini.Options{})
	for want, config := range map[image.Point]genai.ImageConfig{
		{X: 1024, Y: 1024}: {},
		{X: 1376, Y: 768}:  {AspectRatio: "16:9", ImageSize: "1K"},
		{X: 704, Y: 5856}:  {AspectRatio: "1:8", ImageSize: "2K"},
		{X: 256, Y: 1032}:  {AspectRatio: "1:4", ImageSize: "512"},
		{X: 1032, Y: 256}:  {AspectRatio: "4:1", ImageSize: "512"},
		{X: 176, Y: 1464}:  {AspectRatio: "1:8", ImageSize: "512"},
		{X: 1464, Y: 176}:  {AspectRatio: "8:1", ImageSize: "512"},
		{X: 792, Y: 336}:   {AspectRatio: "21:9", ImageSize: "512"},
	} {
		resp, err := ask(t.Context(), b.client, "gemini-nano-banana-2.1", "a fox", genai.GenerateContentConfig{ImageConfig: &config})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := image.DecodeConfig(bytes.NewReader(resp.Candidates[0].Content.Parts[0].InlineData.Data))
		if err != nil {
			t.Fatal(err)
		}
		if got.Width != want.X || got.Height != want.Y {
			t.Errorf("%+v: %dx%d, want %v", config, got.Width, got.Height, want)
		}
	}
}

func TestSmallPicturesCostWhatWasAskedFor(t *testing.T) {
	b := setup(t, gemini.Options{Small: true})
	config := genai.GenerateContentConfig{ImageConfig: &genai.ImageConfig{ImageSize: "2K"}}
	resp, err := ask(t.Context(), b.client, "gemini-nano-banana-2.1", "a fox", config)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := image.DecodeConfig(bytes.NewReader(resp.Candidates[0].Content.Parts[0].InlineData.Data))
	if err != nil {
		t.Fatal(err)
	}
	if tokens := resp.UsageMetadata.CandidatesTokenCount; got.Width != 512 || got.Height != 512 || tokens < 1680 {
		t.Errorf("%dx%d for %d tokens, want 512x512 for those of 2K", got.Width, got.Height, tokens)
	}
}

func TestUnsupported(t *testing.T) {
	b := setup(t, gemini.Options{})
	for _, config := range []genai.ImageConfig{{AspectRatio: "7:5"}, {ImageSize: "1k"}, {ImageSize: "8K"}} {
		_, err := ask(t.Context(), b.client, "m", "a fox", genai.GenerateContentConfig{ImageConfig: &config})
		var apiErr genai.APIError
		if !errors.As(err, &apiErr) || apiErr.Code != 400 || apiErr.Status != "INVALID_ARGUMENT" {
			t.Errorf("%+v: %v", config, err)
		}
	}
}

// TestDifferent: the same prompt and seed make the same picture, others do not.
func TestDifferent(t *testing.T) {
	b := setup(t, gemini.Options{})
	draw := func(prompt string, seed int32) string {
		config := small()
		config.Seed = &seed
		resp, err := ask(t.Context(), b.client, "m", prompt, config)
		if err != nil {
			t.Fatal(err)
		}
		return string(resp.Candidates[0].Content.Parts[0].InlineData.Data)
	}
	first := draw("a fox", 1)
	if draw("a fox", 1) != first {
		t.Error("the same request made another picture")
	}
	if draw("a fox", 2) == first || draw("a cat", 1) == first {
		t.Error("another request made the same picture")
	}
}

func TestAnswer(t *testing.T) {
	b := setup(t, gemini.Options{})
	resp, err := ask(t.Context(), b.client, "gemini-3-pro-image", "a fox", small())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, part := range resp.Candidates[0].Content.Parts {
		kinds = append(kinds, fmt.Sprintf("thought=%v image=%v", part.Thought, part.InlineData != nil))
	}
	want := []string{"thought=true image=false", "thought=true image=true", "thought=false image=true"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("parts of a pro model (-want +got):\n%s", diff)
	}
	if resp.ModelVersion != "gemini-3-pro-image" || resp.ResponseID == "" || resp.UsageMetadata.CandidatesTokenCount != 1120 ||
		resp.UsageMetadata.CandidatesTokensDetails[0].TokenCount != 1120 || resp.UsageMetadata.ThoughtsTokenCount != 600 ||
		resp.Candidates[0].FinishReason != genai.FinishReasonStop {
		t.Errorf("answer %+v, %+v", resp, resp.UsageMetadata)
	}
}

func TestPadding(t *testing.T) {
	b := setup(t, gemini.Options{PictureBytes: 1_500_000})
	resp, err := ask(t.Context(), b.client, "m", "a fox", small())
	if err != nil {
		t.Fatal(err)
	}
	data := resp.Candidates[0].Content.Parts[0].InlineData.Data
	if len(data) != 1_500_000 {
		t.Errorf("%d bytes", len(data))
	}
	if _, _, err := image.Decode(bytes.NewReader(data)); err != nil {
		t.Errorf("padding damaged the picture: %v", err)
	}
}

// TestLimit: a key may send a model RPM requests in any 60 s, by the server's
// clock.
func TestLimit(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	b := setup(t, gemini.Options{RPM: 2, Now: func() time.Time { return now }})
	steps := []struct {
		after time.Duration // since the step before
		model string
		fault gemini.Fault
		want  int    // status
		delay string // of RetryInfo
	}{
		{0, "m", gemini.Nothing, 200, ""},
		{40 * time.Second, "m", "503", 503, ""}, // a failure counts
		{10 * time.Second, "m", gemini.Nothing, 429, "10s"},
		{0, "other", gemini.Nothing, 200, ""},
		{9*time.Second + 500*time.Millisecond, "m", gemini.Nothing, 429, "0.5s"},
		{500 * time.Millisecond, "m", gemini.Nothing, 200, ""}, // a refused request does not
		{0, "m", gemini.Nothing, 429, "40s"},
		{time.Minute, "m", gemini.Nothing, 200, ""},
	}
	for i, step := range steps {
		now = now.Add(step.after)
		b.Script(func(gemini.Request) gemini.Fault { return step.fault })
		_, err := ask(t.Context(), b.client, step.model, "a fox", small())
		status, delay := 200, ""
		if apiErr, ok := errors.AsType[genai.APIError](err); ok {
			status = apiErr.Code
			for _, d := range apiErr.Details {
				if s, ok := d["retryDelay"].(string); ok {
					delay = s
				}
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if status != step.want || delay != step.delay {
			t.Errorf("step %d: status %d and delay %q, want %d and %q", i, status, delay, step.want, step.delay)
		}
	}
	want := gemini.Stats{
		Requests: 8, Refused: 3, MaxInFlight: 1, MaxInMinute: 5,
		ByStatus: map[string]int{"200": 4, "429": 3, "503": 1},
		Faults:   map[gemini.Fault]int{"503": 1, gemini.Nothing: 4},
	}
	if diff := cmp.Diff(want, b.stopAndCount()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func TestKeys(t *testing.T) {
	b := setup(t, gemini.Options{Keys: []string{"another"}})
	_, err := ask(t.Context(), b.client, "m", "a fox", small())
	var apiErr genai.APIError
	if !errors.As(err, &apiErr) || apiErr.Code != 400 || apiErr.Details[0]["reason"] != "API_KEY_INVALID" {
		t.Errorf("a wrong key: %v", err)
	}
	resp, err := http.Post(b.http.URL+"/v1beta/models/m:generateContent", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("no key: %d", resp.StatusCode)
	}
	if n := b.stopAndCount().Requests; n != 2 {
		t.Errorf("%d requests counted, want 2", n)
	}
}

// TestFaults: every fault can be asked for in the prompt, and answers with the
// status that its name begins with, if it begins with one.
func TestFaults(t *testing.T) {
	b := setup(t, gemini.Options{})
	for _, fault := range append(gemini.Faults(), gemini.Finish("IMAGE_SAFETY"), gemini.Block("OTHER")) {
		t.Run(string(fault), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if fault == gemini.Hang {
				ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
			}
			defer cancel()
			status, body, err := post(ctx, b.http.URL, fmt.Sprintf("a fox [[%s]]", fault))
			switch fault { //nolint:exhaustive // the others are whole answers
			case gemini.Hang, gemini.Reset, gemini.EOF, gemini.Truncated:
				if err == nil {
					t.Fatalf("a whole answer: %d %s", status, body)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := 200
			if n, err := strconv.Atoi(string(fault)[:3]); err == nil {
				want = n
			}
			if status != want {
				t.Errorf("status %d, want %d: %s", status, want, body)
			}
			if name, reason, ok := strings.Cut(string(fault), ":"); ok && !strings.Contains(body, name) && !strings.Contains(body, reason) {
				t.Errorf("body without %q: %s", reason, body)
			}
		})
	}
}

// post sends a request without the SDK, because the SDK hides what went wrong.
func post(ctx context.Context, url, prompt string) (status int, body string, err error) {
	raw, err := json.Marshal(map[string]any{
		"contents":         []any{map[string]any{"parts": []any{map[string]string{"text": prompt}}}},
		"generationConfig": map[string]any{"imageConfig": map[string]string{"imageSize": "512"}},
	})
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1beta/models/m:generateContent", bytes.NewReader(raw))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("X-Goog-Api-Key", "key")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(got), err
}

// TestOrder: queued faults come before the script, the script comes before
// markers, and a marker with a number stops after that many requests.
func TestOrder(t *testing.T) {
	b := setup(t, gemini.Options{})
	b.Next("401", "402")
	b.Script(gemini.Mix(1, map[gemini.Fault]int{"403-leaked": 1}))
	var got []int
	get := func() {
		status, _, err := post(t.Context(), b.http.URL, "a fox [[unknown]] [[503*2]]")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	get()
	get()
	get()
	b.Script(nil)
	get()
	get()
	get()
	if diff := cmp.Diff([]int{401, 402, 403, 503, 503, 200}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestMix(t *testing.T) {
	weights := map[gemini.Fault]int{gemini.Ok: 90, "503": 7, gemini.Reset: 3, "500": 0}
	count := func(seed uint64) map[gemini.Fault]int {
		script, n := gemini.Mix(seed, weights), map[gemini.Fault]int{}
		for range 10_000 {
			n[script(gemini.Request{})]++
		}
		return n
	}
	first := count(1)
	for fault, weight := range weights {
		if n := first[fault]; n < weight*80 || n > weight*120 {
			t.Errorf("%q came %d times in 10,000, want about %d", fault, n, weight*100)
		}
	}
	if !maps.Equal(first, count(1)) || maps.Equal(first, count(2)) {
		t.Error("the mix does not follow from the seed")
	}
}

// TestHangUp: a client that hangs up ends the request, and it was counted.
func TestHangUp(t *testing.T) {
	b := setup(t, gemini.Options{MinLatency: time.Hour, MaxLatency: 2 * time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	b.Script(func(gemini.Request) gemini.Fault { cancel(); return gemini.Ok })
	if _, err := ask(ctx, b.client, "m", "a fox", small()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	b.stopAndCount()
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/stats", nil))
	var got gemini.Stats
	if err := json.NewDecoder(w.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := gemini.Stats{Requests: 1, MaxInFlight: 1, MaxInMinute: 1, ByStatus: map[string]int{"0": 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// TestLatency: a picture takes its time, a refusal does not.
func TestLatency(t *testing.T) {
	const first, last = 400 * time.Millisecond, 450 * time.Millisecond
	server, err := gemini.New(gemini.Options{MinLatency: first, MaxLatency: last})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		took := func(fault gemini.Fault) time.Duration {
			server.Next(fault)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1beta/models/m:generateContent",
				strings.NewReader(`{"contents": [{"parts": [{"text": "a fox"}]}], "generationConfig": {"imageConfig": {"imageSize": "512"}}}`))
			r.Header.Set("X-Goog-Api-Key", "key")
			start := time.Now()
			server.ServeHTTP(httptest.NewRecorder(), r)
			return time.Since(start)
		}
		if got := took(gemini.Ok); got < first || got > last {
			t.Errorf("a picture after %v", got)
		}
		for _, fault := range []gemini.Fault{"503", "429-minute", gemini.Block("SAFETY")} {
			if got := took(fault); got != 0 {
				t.Errorf("%s after %v", fault, got)
			}
		}
	})
}

// TestPrompts: any prompt can be drawn.
func TestPrompts(t *testing.T) {
	b := setup(t, gemini.Options{})
	prompts := []string{"", " \n\n ", strings.Repeat("x", 20_000), strings.Repeat("word ", 5_000), "日本語の看板 🦊", "a\x00b\ufffd", strings.Repeat("\n", 500)}
	for i, prompt := range prompts {
		if status, body, err := post(t.Context(), b.http.URL, prompt); err != nil || status != 200 {
			t.Errorf("prompt %d: %d, %v, %.100s", i, status, err, body)
		}
	}
	if !slices.Contains(gemini.Faults(), gemini.Fault("429-zero")) {
		t.Error("the list of faults is not complete")
	}
}

func BenchmarkDraw(b *testing.B) {
	server, err := gemini.New(gemini.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []string{"1K", "4K"} {
		b.Run(size, func(b *testing.B) {
			body := `{"contents": [{"parts": [{"text": "A fox reading a newspaper in a rainy café"}]}], "generationConfig": {"imageConfig": {"imageSize": "` + size + `"}}}`
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/v1beta/models/m:generateContent", strings.NewReader(body))
				r.Header.Set("X-Goog-Api-Key", "key")
				w := httptest.NewRecorder()
				server.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

// A look at a model costs nothing.
func TestGetModel(t *testing.T) {
	b := setup(t, gemini.Options{RPM: 1, Keys: []string{"key"}, Models: []string{"m"}})
	for range 3 {
		m, err := b.client.Models.Get(t.Context(), "m", nil)
		if err != nil || m.Name != "models/m" || !slices.Contains(m.SupportedActions, "generateContent") {
			t.Errorf("got %+v, %v", m, err)
		}
	}
	if _, err := b.client.Models.Get(t.Context(), "n", nil); !strings.Contains(fmt.Sprint(err), "404") {
		t.Errorf("another model: %v", err)
	}
	b.Next("403-leaked")
	if _, err := b.client.Models.Get(t.Context(), "m", nil); !strings.Contains(fmt.Sprint(err), "leaked") {
		t.Errorf("with a fault: %v", err)
	}
	if got := b.stopAndCount().Requests; got != 0 {
		t.Errorf("%d requests counted, want none", got)
	}
}
