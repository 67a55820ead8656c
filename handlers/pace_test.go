package handlers_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/server"
)

// signer signs uploads.
type signer struct{}

func (signer) SignUpload(string, string, int64) (job.UploadTicket, error) {
	return job.UploadTicket{ID: "u"}, nil
}

// A tenant that asks for uploads without end is refused for the rest of the
// minute, and no other is.
func TestUploadsOfATenantAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		cfg := server.Config{Log: log, Lanes: &handlers.Lanes{}, Jobs: &handlers.Jobs{Uploader: signer{}, Log: log}}
		cfg.Keys.Add("web", webKey, 1)
		cfg.Keys.Add("other", otherKey, 1)
		routes := server.New(cfg)
		upload := func(key string) answer {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/uploads",
				strings.NewReader(`{"content_type":"image/png","bytes":1}`))
			r.Header.Set("Authorization", "Bearer "+key)
			w := httptest.NewRecorder()
			routes.ServeHTTP(w, r)
			return answer{code: w.Code, header: w.Header(), body: w.Body.String()}
		}
		for n := range 600 {
			if a := upload(webKey); a.code != http.StatusCreated {
				t.Fatalf("upload %d: %d %s", n, a.code, a.body)
			}
		}
		time.Sleep(20500 * time.Millisecond)
		refused := upload(webKey)
		p := refused.problem(t, http.StatusTooManyRequests)
		if after := refused.header.Get("Retry-After"); after != "40" || !strings.Contains(p.Detail, "after 40 seconds") {
			t.Errorf("Retry-After %s, %q", after, p.Detail)
		}
		if a := upload(otherKey); a.code != http.StatusCreated {
			t.Errorf("another tenant's: %d %s", a.code, a.body)
		}
		time.Sleep(40 * time.Second)
		if a := upload(webKey); a.code != http.StatusCreated {
			t.Errorf("after that time: %d %s", a.code, a.body)
		}
	})
}
