package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Account is the service account that signs deliveries.
type Account struct {
	Email    string
	Queue    string // full name of a queue; the account is in its project
	Emulator bool   // an emulator signs as any account
	IAM      string // address of Google's IAM API
	// Client has this process' credentials.
	Client Open[*http.Client]
}

// GoogleIAM is the address of Google's IAM API.
const GoogleIAM = "https://iam.googleapis.com"

// accountEmail matches the email address of any service account.
var accountEmail = regexp.MustCompile(`^[^@\s/?#]+@[a-z0-9.:-]+\.gserviceaccount\.com$`)

const permissionActAs = "iam.serviceAccounts.actAs"

// Check finds out whether this process may create tasks that are delivered as
// the account.
func (a Account) Check() Check {
	return Check{
		Name: "delivery", Subject: "account", Needs: []string{"TASKS_SERVICE_ACCOUNT", "CLOUD_TASKS_QUEUE", "LANES"},
		Run: func(ctx context.Context) []Finding {
			if !accountEmail.MatchString(a.Email) {
				return []Finding{failed("Set TASKS_SERVICE_ACCOUNT to the account's email: gcloud iam service-accounts list.",
					"TASKS_SERVICE_ACCOUNT is %q, which is not the email of a service account", a.Email)}
			}
			if a.Emulator {
				return []Finding{skipped("an emulator signs deliveries as anybody")}
			}
			return []Finding{a.checkActAs(ctx)}
		},
	}
}

// checkActAs asks IAM whether this process may act as the account. Without that
// permission it can create no task.
func (a Account) checkActAs(ctx context.Context) Finding {
	client, err := a.Client(ctx)
	if err != nil {
		return noCredentials(err)
	}
	status, body, err := a.ask(ctx, client)
	project, _ := place(a.Queue)
	switch {
	case err != nil:
		return failed("Let this machine reach "+a.IAM+".", "Google's IAM cannot be asked: %v", plain(err))
	case status == http.StatusNotFound:
		name, _, _ := strings.Cut(a.Email, "@")
		return failed("Correct TASKS_SERVICE_ACCOUNT, or: gcloud iam service-accounts create "+name+" --project="+project,
			"project %s has no account %s", project, a.Email)
	case status == http.StatusForbidden && bytes.Contains(body, []byte("SERVICE_DISABLED")):
		return warning("gcloud services enable iam.googleapis.com --project="+project,
			"whether this account may act as %s cannot be told: the IAM API is not enabled", a.Email)
	case status == http.StatusUnauthorized:
		return failed("gcloud auth application-default login", "Google's IAM does not accept this process' credentials")
	case status != http.StatusOK:
		return warning("Look at the account: gcloud iam service-accounts get-iam-policy "+a.Email+" --project="+project,
			"whether this account may act as %s cannot be told: IAM answers %d", a.Email, status)
	}
	var answer struct {
		Permissions []string `json:"permissions"`
	}
	if json.Unmarshal(body, &answer) != nil || !slices.Contains(answer.Permissions, permissionActAs) {
		return failed("gcloud iam service-accounts add-iam-policy-binding "+a.Email+" --project="+project+
			" --member=serviceAccount:THIS_ACCOUNT --role=roles/iam.serviceAccountUser",
			"this account may not act as %s: no task can be created", a.Email)
	}
	return ok("deliveries are signed as %s", a.Email)
}

// ask calls testIamPermissions of the account. It names the account's project:
// with a wildcard instead, IAM answers 403 for an account that does not exist.
func (a Account) ask(ctx context.Context, client *http.Client) (status int, body []byte, err error) {
	project, _ := place(a.Queue)
	link := a.IAM + "/v1/projects/" + url.PathEscape(project) + "/serviceAccounts/" + url.PathEscape(a.Email) + ":testIamPermissions"
	payload := strings.NewReader(`{"permissions": ["` + permissionActAs + `"]}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, link, payload)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, shownLimit))
	return resp.StatusCode, body, err
}
