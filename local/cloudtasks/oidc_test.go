package cloudtasks_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/idtoken"
	"google.golang.org/api/option"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
)

const account = "tasks@p.iam.gserviceaccount.com"

// deliverBearer makes an emulator deliver a task with the given authorization and
// returns the Authorization header that arrived.
func deliverBearer(t *testing.T, emu *cloudtasks.Emulator, r *cloudtaskspb.HttpRequest, got <-chan string) string {
	t.Helper()
	parent := location + "/queues/tokens"
	_, err := emu.Service().CreateTask(t.Context(), &cloudtaskspb.CreateTaskRequest{
		Parent: parent, Task: &cloudtaskspb.Task{MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: r}},
	})
	if err != nil {
		t.Fatal(err)
	}
	token, ok := strings.CutPrefix(<-got, "Bearer ")
	if !ok {
		t.Fatal("the delivery carries no bearer token")
	}
	return token
}

// startForTokens starts an emulator whose worker sends each Authorization header to the
// returned channel.
func startForTokens(t *testing.T, opts cloudtasks.Options) (*cloudtasks.Emulator, <-chan string) {
	t.Helper()
	got := make(chan string, 1)
	opts.AutoCreateQueues = true
	opts.Transport = cloudtasks.HandlerTransport(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Authorization")
	}))
	emu, err := cloudtasks.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(emu) })
	return emu, got
}

func oidc(audience string) *cloudtaskspb.HttpRequest {
	return &cloudtaskspb.HttpRequest{Url: target, AuthorizationHeader: &cloudtaskspb.HttpRequest_OidcToken{
		OidcToken: &cloudtaskspb.OidcToken{ServiceAccountEmail: account, Audience: audience},
	}}
}

// Google's own validator accepts the tokens, for the right audience only.
func TestGooglesValidatorAcceptsTokens(t *testing.T) {
	emu, got := startForTokens(t, cloudtasks.Options{})
	validator, err := idtoken.NewValidator(t.Context(), option.WithHTTPClient(&http.Client{Transport: emu.Transport(nil)}))
	if err != nil {
		t.Fatal(err)
	}
	for audience, want := range map[string]string{"": target, "https://aud.test": "https://aud.test"} {
		token := deliverBearer(t, emu, oidc(audience), got)
		payload, err := validator.Validate(t.Context(), token, want)
		if err != nil {
			t.Fatal(err)
		}
		claims := []any{payload.Issuer, payload.Audience, payload.Claims["email"], payload.Claims["email_verified"], payload.Expires - payload.IssuedAt}
		if diff := cmp.Diff([]any{"https://accounts.google.com", want, account, true, int64(3600)}, claims); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		if age := time.Since(time.Unix(payload.IssuedAt, 0)); age < -time.Second || age > time.Minute || len(payload.Subject) != 21 {
			t.Errorf("issued %s ago to %q", age, payload.Subject)
		}
		if _, err := validator.Validate(t.Context(), token, "https://elsewhere.test"); err == nil {
			t.Error("another audience is accepted")
		}
		if _, err := validator.Validate(t.Context(), token[:len(token)-8]+"AAAAAAAA", want); err == nil {
			t.Error("a broken signature is accepted")
		}
	}
	stranger, _ := startForTokens(t, cloudtasks.Options{})
	other, err := idtoken.NewValidator(t.Context(), option.WithHTTPClient(&http.Client{Transport: stranger.Transport(nil)}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Validate(t.Context(), deliverBearer(t, emu, oidc(""), got), target); err == nil {
		t.Error("another emulator's key validates the token")
	}
}

// The key in the state directory, or the one passed in, signs after a restart too.
func TestSigningKeyIsStable(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]cloudtasks.Options{"kept": {StateDir: t.TempDir()}, "passed in": {SigningKey: key}} {
		t.Run(name, func(t *testing.T) {
			var sets [2]string
			for i := range sets {
				emu, err := cloudtasks.New(opts)
				if err != nil {
					t.Fatal(err)
				}
				w := httptest.NewRecorder()
				emu.JWKS().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
				sets[i] = w.Body.String()
				stop(emu)
			}
			var set struct{ Keys []map[string]string }
			if err := json.Unmarshal([]byte(sets[0]), &set); err != nil || len(set.Keys) != 1 || set.Keys[0]["kid"] == "" {
				t.Errorf("key set is %s (%v)", sets[0], err)
			}
			if sets[0] != sets[1] {
				t.Error("the key changed with a restart")
			}
		})
	}
}

func TestOAuthTokensAreOpaque(t *testing.T) {
	emu, got := startForTokens(t, cloudtasks.Options{})
	token := deliverBearer(t, emu, &cloudtaskspb.HttpRequest{
		Url:                 target,
		Headers:             map[string]string{"Authorization": "Bearer of the task"},
		AuthorizationHeader: &cloudtaskspb.HttpRequest_OauthToken{OauthToken: &cloudtaskspb.OAuthToken{ServiceAccountEmail: account}},
	}, got)
	if !strings.HasPrefix(token, "ya29.") || strings.Count(token, ".") != 1 {
		t.Errorf("token is %q", token)
	}
}

// The transport serves Google's certificates and, without a next transport,
// refuses everything else.
func TestTransport(t *testing.T) {
	emu, _ := startForTokens(t, cloudtasks.Options{})
	if _, err := (&http.Client{Transport: emu.Transport(nil)}).Get("https://www.googleapis.com/other"); err == nil {
		t.Error("a request other than for certificates went out")
	}
	next := cloudtasks.HandlerTransport(http.NotFoundHandler())
	res, err := (&http.Client{Transport: emu.Transport(next)}).Get("https://www.googleapis.com/other")
	if err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("the next transport was not asked: %v, %v", res, err)
	}
}
