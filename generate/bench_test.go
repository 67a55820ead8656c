package generate_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genai"

	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/job"
)

// A canned transport answers from memory, so that only the client is measured.
type canned struct {
	body []byte
	size int64 // Content-Length; below zero when not told
}

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
	return &http.Response{
		StatusCode:    http.StatusOK,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader(c.body)),
		ContentLength: c.size,
		Request:       req,
	}, nil
}

// cannedPicture returns an answer with a PNG of about size bytes.
func cannedPicture(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	copy(data, "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x04\x00\x00\x00\x04\x00\x08\x02\x00\x00\x00\xf0\x7f\xbc\xd4")
	return []byte(onePicture(`{"mimeType": "image/png", "data": "` + base64.StdEncoding.EncodeToString(data) + `"}`))
}

// A way gets a picture: with this package or with the SDK alone.
type way func(context.Context) (bytes int, err error)

func ours(tb testing.TB, transport http.RoundTripper) way {
	g, err := generate.NewGemini(context.Background(), generate.Config{APIKey: testKey, Transport: transport})
	if err != nil {
		tb.Fatal(err)
	}
	return func(ctx context.Context) (int, error) {
		pic, err := g.Generate(ctx, job.Request{Model: "m", Prompt: "a fox"})
		return len(pic.Data), err
	}
}

func plain(tb testing.TB, transport http.RoundTripper) way {
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{
		APIKey: testKey, Backend: genai.BackendGeminiAPI, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return func(ctx context.Context) (int, error) {
		config := &genai.GenerateContentConfig{AutomaticContinuation: new(bool)}
		resp, err := client.Models.GenerateContent(ctx, "m", genai.Text("a fox"), config)
		if err != nil {
			return 0, err
		}
		return len(resp.Candidates[0].Content.Parts[0].InlineData.Data), nil
	}
}

// BenchmarkPicture compares the memory and CPU time of one picture. Ours
// includes the picture's sum and size, which the SDK does not compute.
func BenchmarkPicture(b *testing.B) {
	for _, mb := range []int{2, 8} {
		body := cannedPicture(mb << 20)
		for _, c := range []struct {
			name string
			way  way
		}{
			{"ours/length=known", ours(b, canned{body, int64(len(body))})},
			{"ours/length=unknown", ours(b, canned{body, -1})},
			{"sdk", plain(b, canned{body, int64(len(body))})},
		} {
			b.Run(fmt.Sprintf("%s/%dMB", c.name, mb), func(b *testing.B) { measure(b, c.way, mb<<20) })
		}
	}
}

func measure(b *testing.B, get way, want int) {
	b.Helper()
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		if n, err := get(b.Context()); err != nil || n != want {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

// cpu returns the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkPeak measures the most heap in use while eight pictures of 8 MB
// arrive at once.
func BenchmarkPeak(b *testing.B) {
	body := cannedPicture(8 << 20)
	for name, get := range map[string]way{
		"ours/length=known":   ours(b, canned{body, int64(len(body))}),
		"ours/length=unknown": ours(b, canned{body, -1}),
		"sdk":                 plain(b, canned{body, int64(len(body))}),
	} {
		b.Run(name, func(b *testing.B) {
			runtime.GC()
			base := heap()
			var peak uint64
			for b.Loop() {
				peak = max(peak, peakOf(func() { getEight(b, get) }))
			}
			b.ReportMetric(float64(peak-min(base, peak))/(1<<20), "peak-MB")
		})
	}
}

// getEight gets eight pictures at once.
func getEight(b *testing.B, get way) {
	b.Helper()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := get(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

// peakOf calls run and returns the most heap that was seen in use meanwhile, in
// bytes.
func peakOf(run func()) uint64 {
	var done atomic.Bool
	result := make(chan uint64)
	go func() {
		var peak uint64
		for !done.Load() {
			peak = max(peak, heap())
			time.Sleep(500 * time.Microsecond) // between two samples
		}
		result <- peak
	}()
	run()
	done.Store(true)
	return <-result
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse
}
