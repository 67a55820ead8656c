package generate_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/local/gemini"
)

const inspected = "gemini-nano-banana-2.1"

func TestInspect(t *testing.T) {
	g, server := setup(t)
	if err := g.Inspect(t.Context(), inspected); err != nil {
		t.Error(err)
	}
	if got := server.Stats().Requests; got != 0 {
		t.Errorf("%d requests were counted, want none", got)
	}
}

// wantRefusal checks why an inspection failed, and that its text shows no key.
func wantRefusal(t *testing.T, err error, want generate.Refusal) {
	t.Helper()
	refusal, ok := errors.AsType[*generate.InspectError](err)
	if !ok || refusal.Why != want {
		t.Errorf("got %v (%+v), want %q", err, refusal, want)
		return
	}
	if refusal.Error() == "" || strings.Contains(refusal.Error(), testKey) {
		t.Errorf("the text is %q", refusal.Error())
	}
}

func TestInspectSaysWhy(t *testing.T) {
	for fault, want := range map[gemini.Fault]generate.Refusal{
		"400-key":       generate.RefusalKey,
		"401":           generate.RefusalKey,
		"403-no-key":    generate.RefusalPermission,
		"403-leaked":    generate.RefusalLeaked,
		"403-suspended": generate.RefusalSuspended,
		"403-disabled":  generate.RefusalDisabled,
		"403-blocked":   generate.RefusalRestricted,
		"404-model":     generate.RefusalModel,
		"400-location":  generate.RefusalLocation,
		"400-billing":   generate.RefusalLocation, // it speaks of a country
		"402":           generate.RefusalBilling,
		"429-prepaid":   generate.RefusalBilling,
		"429-minute":    generate.RefusalQuota,
		"429-spend":     generate.RefusalQuota,
		"429-zero":      generate.RefusalQuota,
		"500":           generate.RefusalProvider,
		"502":           generate.RefusalProvider,
		"503":           generate.RefusalProvider,
		"400":           generate.RefusalOther,
		gemini.Reset:    generate.RefusalProvider,
		gemini.Garbage:  generate.RefusalProvider,
		gemini.Nothing:  generate.RefusalProvider,
		gemini.ErrorIn:  generate.RefusalProvider,
		"no-such-fault": generate.RefusalOther,
	} {
		t.Run(string(fault), func(t *testing.T) {
			g, server := setup(t)
			server.Next(fault)
			wantRefusal(t, g.Inspect(t.Context(), inspected), want)
		})
	}
}

func TestInspectAtAModelThatIsNotThere(t *testing.T) {
	server, err := gemini.New(gemini.Options{Models: []string{inspected}})
	if err != nil {
		t.Fatal(err)
	}
	g := dial(t, server)
	if err := g.Inspect(t.Context(), inspected); err != nil {
		t.Error(err)
	}
	wantRefusal(t, g.Inspect(t.Context(), "gemini-of-old"), generate.RefusalModel)
}

func TestInspectAtAModelThatDoesNotGenerate(t *testing.T) {
	g := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"name": "models/m", "supportedGenerationMethods": ["embedContent"]}`)
	}))
	wantRefusal(t, g.Inspect(t.Context(), "m"), generate.RefusalUnfit)
}

func TestInspectWithoutAServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	g, err := generate.NewGemini(t.Context(), generate.Config{APIKey: testKey, BaseURL: "http://" + ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, g.Inspect(t.Context(), "m"), generate.RefusalUnreachable)
}

func TestInspectEndsWithItsContext(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	g, err := generate.NewGemini(t.Context(), generate.Config{APIKey: testKey, BaseURL: silent.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = pastDeadline(t, func(ctx context.Context) error { return g.Inspect(ctx, "m") },
		func(err error) bool { // whether it got to the server in time
			refusal, _ := errors.AsType[*generate.InspectError](err)
			return refusal != nil && refusal.Why != generate.RefusalUnreachable
		})
	wantRefusal(t, err, generate.RefusalProvider)
}
