package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/doctor"
)

// startIAM starts a stand-in of Google's IAM API, which gives this answer, and
// returns an account to check with it.
func startIAM(t *testing.T, status int, body string) doctor.Account {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Permissions []string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		got := []string{r.Method, r.URL.Path, asked.Permissions[0]}
		want := []string{"POST", "/v1/projects/p/serviceAccounts/" + account + ":testIamPermissions", "iam.serviceAccounts.actAs"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return doctor.Account{
		Email: account, Queue: queueName, IAM: srv.URL,
		Client: func(context.Context) (*http.Client, error) { return srv.Client(), nil },
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		want   want
	}{
		"may be acted as": {200, `{"permissions": ["iam.serviceAccounts.actAs"]}`, want{doctor.OK, "account", "deliveries are signed as " + account, ""}},
		"may not": {200, `{}`, want{
			doctor.Failed, "account", "may not act as " + account,
			"gcloud iam service-accounts add-iam-policy-binding " + account + " --project=p --member=serviceAccount:THIS_ACCOUNT --role=roles/iam.serviceAccountUser",
		}},
		"is missing":           {404, `{"error": {"code": 404}}`, want{doctor.Failed, "account", "project p has no account " + account, "gcloud iam service-accounts create tasks --project=p"}},
		"is nobody's business": {403, `{"error": {"code": 403}}`, want{doctor.Warning, "account", "IAM answers 403", "get-iam-policy"}},
		"without the API":      {403, `{"error": {"details": [{"reason": "SERVICE_DISABLED"}]}}`, want{doctor.Warning, "account", "IAM API is not enabled", "gcloud services enable iam.googleapis.com --project=p"}},
		"for a stranger":       {401, `{}`, want{doctor.Failed, "account", "credentials", "gcloud auth"}},
		"is not to be told of": {200, `<html>`, want{doctor.Failed, "account", "may not act as", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, examine(t, startIAM(t, tt.status, tt.body).Check()), tt.want)
		})
	}
}

func TestAccountThatIsNone(t *testing.T) {
	t.Parallel()
	for _, email := range []string{"me@example.com", "tasks", "tasks@p", "a b@p.iam.gserviceaccount.com", "a/b@p.iam.gserviceaccount.com"} {
		got := examine(t, doctor.Account{Email: email}.Check())
		expect(t, got, want{doctor.Failed, "account", "is not the email of a service account", "gcloud iam service-accounts list"})
	}
}

func TestAccountThatLooksLikeOne(t *testing.T) {
	t.Parallel()
	for _, email := range []string{
		"123-compute@developer.gserviceaccount.com", "p@appspot.gserviceaccount.com", "x@p.example.com.iam.gserviceaccount.com",
	} {
		got := examine(t, doctor.Account{Email: email, Emulator: true}.Check())
		expect(t, got, want{doctor.Skipped, "account", "emulator", ""})
	}
}

func TestAccountWithoutAWayToAsk(t *testing.T) {
	t.Parallel()
	a := doctor.Account{Email: account, Queue: queueName, IAM: "http://" + nobody(t)}
	a.Client = func(context.Context) (*http.Client, error) { return nil, errors.New("no default credentials") }
	expect(t, examine(t, a.Check()), want{doctor.Failed, "account", "no default credentials", "gcloud auth"})
	a.Client = func(context.Context) (*http.Client, error) { return http.DefaultClient, nil }
	expect(t, examine(t, a.Check()), want{doctor.Failed, "account", "IAM cannot be asked: dial tcp", a.IAM})
}
