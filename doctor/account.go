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

// Account is the service account that deliveries are signed as.
type Account struct {
	Email    string
	Queue    string // full name of a queue; the account is in its project
	Emulator bool   // signs as whomever it is told
	IAM      string // address of Google's IAM API
	// Client has this process' credentials.
	Client Open[*http.Client]
}

// GoogleIAM is the address of Google's IAM API.
const GoogleIAM = "https://iam.googleapis.com"

// accountEmail is what the address of any service account looks like.
var accountEmail = regexp.MustCompile(`^[^@\s/?#]+@[a-z0-9.:-]+\.gserviceaccount\.com$`)

const permissionActAs = "iam.serviceAccounts.actAs"

// Check finds out whether this process may have tasks delivered as the account.
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
			return []Finding{a.actAs(ctx)}
		},
	}
}

// actAs asks for the permission without which no task can be created.
func (a Account) actAs(ctx context.Context) Finding {
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

// ask calls testIamPermissions of the account. Its project is named, since with
// a wildcard in its place IAM answers 403 for an account that is not there.
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
