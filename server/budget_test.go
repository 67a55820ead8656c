package server_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/server"
)

const upload = "POST /api/generate-images HTTP/1.1\nHost: test\nContent-Type: application/json"

// A process has memory for some bodies at once. Callers of the others are told
// to come again, and those without a key take none of it.
func TestBodiesAreBounded(t *testing.T) {
	for name, length := range map[string]string{
		"known length":   fmt.Sprintf("\nContent-Length: %d", handlers.MaxBody),
		"unknown length": "\nTransfer-Encoding: chunked",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln, end := listen(t)
				defer end()
				for range 30 {
					go ln.request(t, upload+length)
				}
				taken := make(chan outcome, 8)
				for range cap(taken) {
					go func() { taken <- ln.request(t, upload+withKey+length) }()
				}
				synctest.Wait()
				got := ln.request(t, upload+withKey+"\nContent-Length: 2")
				if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" ||
					got.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(got.text, "again") {
					t.Errorf("past the bound: answered %+v", got)
				}
				for range cap(taken) {
					if got := <-taken; got.status != http.StatusRequestTimeout {
						t.Errorf("within the bound: answered %+v", got)
					}
				}
				// The memory is free again.
				if got := ln.request(t, upload+withKey+"\nConnection: close\nContent-Length: 2", "{}"); got.status != http.StatusUnprocessableEntity {
					t.Errorf("afterwards: answered %+v", got)
				}
			})
		})
	}
}

// What is too large by its own word is refused before any of it comes.
func TestBodiesThatAreTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, end := listen(t)
		defer end()
		head := fmt.Sprintf("%s%s\nExpect: 100-continue\nContent-Length: %d", upload, withKey, handlers.MaxBody+1)
		got := ln.request(t, head)
		if got.status != http.StatusRequestEntityTooLarge || got.answered != 0 || !strings.Contains(got.text, "https URL") {
			t.Errorf("answered %+v", got)
		}
	})
}

// One of several tenants cannot take the memory of all.
func TestATenantHasAShareOfTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := server.Config{Log: slog.New(slog.DiscardHandler), Lanes: &handlers.Lanes{}, Jobs: &handlers.Jobs{}}
		cfg.Keys.Add("web", "key", 1)
		cfg.Keys.Add("other", "other-key", 1)
		h := server.New(cfg)
		send := func(key string, length int64, body io.Reader) int {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/generate-images", body)
			r.ContentLength = length
			r.Header.Set("Authorization", "Bearer "+key)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		slow, stop := io.Pipe()
		for range 6 {
			go send("key", handlers.MaxBody, slow)
		}
		synctest.Wait()
		if code := send("key", 2, strings.NewReader("{}")); code != http.StatusServiceUnavailable {
			t.Errorf("past its share: answered %d", code)
		}
		if code := send("other-key", 2, strings.NewReader("{}")); code != http.StatusUnprocessableEntity {
			t.Errorf("another tenant: answered %d", code)
		}
		stop.Close()
		synctest.Wait()
		if code := send("key", 2, strings.NewReader("{}")); code != http.StatusUnprocessableEntity {
			t.Errorf("afterwards: answered %d", code)
		}
	})
}
