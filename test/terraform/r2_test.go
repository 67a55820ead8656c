package terraform_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const accountID = "0123456789abcdef0123456789abcdef"

// cloudflareAPI stands in for the part of Cloudflare's API that the bucket's
// configuration uses.
type cloudflareAPI struct {
	mu      sync.Mutex
	objects map[string]object // by path
}

func newCloudflareAPI(t *testing.T) (*cloudflareAPI, *httptest.Server) {
	t.Helper()
	c := &cloudflareAPI{objects: make(map[string]object)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, result := c.serve(r)
		answer := object{"success": status == http.StatusOK, "errors": []any{}, "messages": []any{}, "result": result}
		if status != http.StatusOK {
			t.Logf("%s %s: %d", r.Method, r.URL, status)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(srv.Close)
	return c, srv
}

func (c *cloudflareAPI) serve(r *http.Request) (int, any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/accounts/"+accountID)
	if name == "/tokens/permission_groups" {
		var groups []object
		for _, n := range []string{"Bucket Item Read", "Bucket Item Write", "Read", "Data Catalog Write"} {
			groups = append(groups, object{
				"id": "group-" + strings.ReplaceAll(n, " ", "-"), "name": "Workers R2 Storage " + n,
				"scopes": []string{"com.cloudflare.edge.r2.bucket"},
			})
		}
		return http.StatusOK, groups
	}
	var body object
	_ = json.NewDecoder(r.Body).Decode(&body) // none
	switch r.Method {
	case http.MethodPost:
		switch path.Base(name) {
		case "tokens":
			maps.Copy(body, object{"id": "token-id", "status": "active"})
			name += "/token-id"
			c.objects[name] = maps.Clone(body)
			body["value"] = "token-value" // shown only once
			return http.StatusOK, body
		case "custom":
			name += "/" + body["domain"].(string)
			body["status"] = object{"ownership": "active", "ssl": "active"}
		case "buckets":
			name += "/" + body["name"].(string)
			maps.Copy(body, object{"creation_date": "2026-01-01T00:00:00Z", "location": "WEUR", "storage_class": "Standard"})
		}
		c.objects[name] = body
	case http.MethodPut:
		c.objects[name] = body
	case http.MethodDelete:
		delete(c.objects, name)
		return http.StatusOK, object{}
	}
	if c.objects[name] == nil {
		return http.StatusNotFound, nil
	}
	return http.StatusOK, c.objects[name]
}

func (c *cloudflareAPI) get(name string) object {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects[name]
}

// The configuration makes the bucket, and a token that works for this bucket
// and nothing else.
func TestBucket(t *testing.T) {
	t.Parallel()
	c, srv := newCloudflareAPI(t)
	r := newCopy(t, "terraform/r2")
	r.env = append(r.env, "CLOUDFLARE_BASE_URL="+srv.URL, "CLOUDFLARE_API_TOKEN="+strings.Repeat("t", 40))
	r.run(t, 0, "init")
	r.vars(t, object{
		"account_id": accountID,
		"domain":     object{"name": "pictures.example.com", "zone_id": "fedcba9876543210fedcba9876543210"},
	})
	r.run(t, 0, "apply", "-auto-approve")
	r.checkSettled(t)

	policy := c.get("/tokens/token-id")["policies"].([]any)[0].(object)
	want := object{
		"effect":            "allow",
		"permission_groups": []any{object{"id": "group-Bucket-Item-Read"}, object{"id": "group-Bucket-Item-Write"}},
		"resources":         object{"com.cloudflare.edge.r2.bucket." + accountID + "_default_ai-worker-pictures": "*"},
	}
	if diff := cmp.Diff(want, policy); diff != "" {
		t.Errorf("the token's policy (-want +got):\n%s", diff)
	}
	// For the S3 API, the secret is the hash of the token's value.
	hash := sha256.Sum256([]byte("token-value"))
	if got := strings.TrimSpace(r.run(t, 0, "output", "-raw", "r2_credentials")); got != "token-id:"+hex.EncodeToString(hash[:]) {
		t.Errorf("r2_credentials are %s", got)
	}
	if out := r.run(t, 0, "output", "r2"); !strings.Contains(out, `"https://pictures.example.com"`) {
		t.Errorf("the output for the service's root is %s", out)
	}
	if out := r.run(t, 1, "destroy", "-auto-approve"); !strings.Contains(out, "prevent_destroy") {
		t.Errorf("the bucket is not protected:\n%s", out)
	}
}
