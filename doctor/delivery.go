package doctor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Delivery says how tasks get to the worker.
type Delivery struct {
	WorkerURL string
	SweepPath string       // of the worker; its other paths for tasks are guarded in the same way
	Audience  string       // of the tokens of deliveries
	Account   string       // email of the account that signs them
	Emulator  bool         // the queue is one on this machine
	HTTP      *http.Client // must follow no redirect
}

// Worker checks that there is a worker at WORKER_URL, and that it refuses
// requests that are not from Cloud Tasks.
func Worker(d Delivery) Check {
	return Check{
		Name: "delivery", Subject: "worker", Needs: []string{"WORKER_URL", "CLOUD_TASKS_ENDPOINT"},
		Run: func(ctx context.Context) []Finding {
			findings := d.address()
			if len(findings) > 0 {
				return findings
			}
			status, findings := d.askHealth(ctx)
			if len(findings) == 0 {
				findings = d.tryUnsigned(ctx)
			}
			if len(findings) == 0 {
				findings = []Finding{ok("%s %s, and refuses deliveries that are not signed", d.WorkerURL, answers(status))}
			}
			return findings
		},
	}
}

func answers(status int) string {
	if status == http.StatusOK {
		return "is healthy"
	}
	return "is private, so that its health is not to be seen from here"
}

// address returns a finding if Cloud Tasks can never deliver to the worker's
// address.
func (d Delivery) address() []Finding {
	u, err := url.Parse(d.WorkerURL)
	if err != nil || d.Emulator {
		return nil // config has checked its form
	}
	const fix = "Set WORKER_URL to the worker's address on Cloud Run: gcloud run services describe ai-worker --region=REGION --format='value(status.url)'."
	if u.Scheme != "https" {
		return []Finding{failed(fix, "WORKER_URL is %s: Cloud Tasks signs deliveries to https:// only", d.WorkerURL)}
	}
	if isLocal(u.Hostname()) {
		return []Finding{failed(fix+"\nFor a worker on this machine, use an emulator: CLOUD_TASKS_ENDPOINT.",
			"WORKER_URL is %s, which Cloud Tasks cannot reach from the net", d.WorkerURL)}
	}
	return nil
}

// isLocal reports whether a host cannot be reached from the internet.
func isLocal(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

// askHealth asks the worker whether it is healthy. If only Cloud Tasks may call
// the worker, Cloud Run answers 401 or 403 in its place. That is in order.
func (d Delivery) askHealth(ctx context.Context) (status int, _ []Finding) {
	status, body, err := fetch(ctx, d.HTTP, http.MethodGet, d.WorkerURL+"/health", "")
	var answer struct {
		Status string `json:"status"`
	}
	switch {
	case err != nil:
		return 0, []Finding{failed("Start or deploy the worker, or correct WORKER_URL. Its log: gcloud run services logs read ai-worker --region=REGION.",
			"%s does not answer: %v", d.WorkerURL, plain(err))}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return status, nil
	case status/100 == 3:
		return status, []Finding{failed("Set WORKER_URL to the address that it redirects to.",
			"%s redirects, which Cloud Tasks takes for a failure", d.WorkerURL)}
	case status != http.StatusOK:
		return status, []Finding{failed("Look at its log: gcloud run services logs read ai-worker --region=REGION; or correct WORKER_URL.",
			"%s/health answers %d", d.WorkerURL, status)}
	case json.Unmarshal(body, &answer) != nil || answer.Status != "healthy":
		return status, []Finding{failed("Correct WORKER_URL.", "%s answers, and is not this service", d.WorkerURL)}
	}
	return status, nil
}

// forged returns a token that anybody could write. It is for the worker and
// names the right account. In place of a signature it has the text that Cloud
// Run puts there after it has checked one.
func (d Delivery) forged() string {
	claims := fmt.Sprintf(`{"iss":"https://accounts.google.com","aud":%q,"email":%q,"email_verified":true,"exp":%d}`,
		d.Audience, d.Account, time.Now().Add(time.Hour).Unix())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".SIGNATURE_REMOVED_BY_GOOGLE"
}

// tryUnsigned sends a request that is not signed, which the worker must refuse.
// It asks for a sweep, which does no harm if the worker accepts it.
func (d Delivery) tryUnsigned(ctx context.Context) []Finding {
	status, _, err := fetch(ctx, d.HTTP, http.MethodPost, d.WorkerURL+d.SweepPath, "Bearer "+d.forged())
	switch {
	case err != nil:
		return []Finding{failed("Run this again, and look at the worker's log: gcloud run services logs read ai-worker --region=REGION.",
			"%s does not answer a delivery: %v", d.WorkerURL, plain(err))}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return nil
	case status/100 == 2:
		return []Finding{failed("With TASKS_SIGNATURE_CHECKED_BY=cloud-run the worker must be private: apply the terraform, or gcloud run services update ai-worker "+
			"--invoker-iam-check, with roles/run.invoker for the tasks' account and not for allUsers. Without that setting the program "+
			"refuses them: take away what stands in front of it and answers for it.",
			"%s accepts deliveries that are not signed: anybody can have pictures drawn", d.WorkerURL)}
	case status == http.StatusNotFound:
		return []Finding{failed("Set WORKER_URL to the service with ROLE=worker, or ROLE=all.",
			"%s takes no deliveries: it answers 404, as with ROLE=api", d.WorkerURL)}
	}
	return []Finding{failed("Look at the worker's log: gcloud run services logs read ai-worker --region=REGION.",
		"%s answers a delivery that is not signed with %d, and should with 401", d.WorkerURL, status)}
}

// plain returns the core of a network error. It leaves out what the program
// tried to do, such as the URL, which may hold a secret.
func plain(err error) error {
	if op, is := errors.AsType[*net.OpError](err); is {
		return op
	}
	if u, is := errors.AsType[*url.Error](err); is {
		return u.Err
	}
	return err
}
