package terraform_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// quirks are what makes a first apply on a real organisation differ from one
// on an API that answers at once.
type quirks struct {
	// lag is how long it takes until a right that was granted, or an API that
	// was enabled, is felt.
	lag               time.Duration
	slowOperations    bool // an operation is done when it was asked for a second time
	allUsersForbidden bool // by the organisation: domain restricted sharing
	emptyProject      bool // bootstrap was not applied
}

// accountCurrency is that of the billing account.
const accountCurrency = "EUR"

// apisOfBootstrap returns the APIs that are enabled before the service's own root
// is applied.
func apisOfBootstrap(t *testing.T) []string {
	t.Helper()
	return names(read(t, "terraform/bootstrap/main.tf"), `"([a-z]+\.googleapis\.com)"`)
}

// checkEnabled refuses a request to an API that is not enabled, or was enabled
// a moment ago.
func (g *googleAPIs) checkEnabled(api string) (int, object) {
	if slices.Contains([]string{"serviceusage", "cloudresourcemanager", "cloudbilling"}, api) { // what enables others needs them
		return 0, nil
	}
	name := api + ".googleapis.com"
	if since, known := g.enabled[name]; !known || time.Since(since) < g.lag {
		return failure(http.StatusForbidden, "%s has not been used in project %s before or it is disabled (SERVICE_DISABLED).", name, projectID)
	}
	return 0, nil
}

// grant notes the time of each right that a policy grants. It forgets those that
// the policy takes away.
func (g *googleAPIs) grant(resource string, policy object) {
	var now []string
	bindings, _ := policy["bindings"].([]any)
	for _, b := range bindings {
		for _, member := range b.(object)["members"].([]any) {
			now = append(now, fmt.Sprint(resource, " ", b.(object)["role"], " ", member))
		}
	}
	for right := range g.granted {
		if strings.HasPrefix(right, resource+" ") && !slices.Contains(now, right) {
			delete(g.granted, right)
		}
	}
	for _, right := range now {
		if _, known := g.granted[right]; !known {
			g.granted[right] = time.Now()
		}
	}
}

// feels reports whether a member has a role on a resource, and has had it for
// long enough.
func (g *googleAPIs) feels(resource, role, member string) bool {
	since, granted := g.granted[resource+" "+role+" "+member]
	return granted && time.Since(since) >= g.lag
}

// answer returns o as an API answers with it. Some APIs answer with an
// operation.
func (g *googleAPIs) answer(api string, o object) object {
	name, _ := o["name"].(string)
	switch {
	case api == "run", api == "artifactregistry", api == "serviceusage":
	case api == "iam" && (strings.Contains(name, "/workloadIdentityPools/") || len(o) == 0):
	default:
		return o
	}
	g.made++
	operation := fmt.Sprintf("projects/p/locations/l/operations/%d", g.made)
	if api == "iam" {
		operation = fmt.Sprintf("%s/operations/%d", name, g.made)
	}
	done := object{"name": operation, "done": true, "response": o}
	if g.slowOperations && api == "run" {
		g.late[operation] = done
		return object{"name": operation}
	}
	return done
}

// operation answers with how far an operation is: done when it is asked for a
// second time.
func (g *googleAPIs) operation(key string) (int, object) {
	_, name, _ := strings.Cut(key, "/")
	done, known := g.late[name]
	if !known {
		return failure(http.StatusNotFound, "%s not found", key)
	}
	if g.asked[name]++; g.asked[name] < 2 {
		return http.StatusOK, object{"name": name}
	}
	return http.StatusOK, done
}

// present are fields that Google returns even if they are zero: they are one of
// several that may be set, or a map's values.
var present = []string{"maxRetries", "labels", "userLabels", "annotations", "labelExtractors", "version"}

// withoutZeros returns v without what the JSON of protocol buffers leaves out:
// fields that are 0, false or empty, and empty lists.
func withoutZeros(v any) any {
	switch v := v.(type) {
	case object:
		kept := make(object)
		for name, field := range v {
			if slices.Contains(present, name) {
				kept[name] = field
				continue
			}
			switch field := withoutZeros(field).(type) {
			case nil:
			case string:
				if field != "" {
					kept[name] = field
				}
			case bool:
				if field {
					kept[name] = field
				}
			case float64:
				if field != 0 {
					kept[name] = field
				}
			case []any:
				if len(field) > 0 {
					kept[name] = field
				}
			default:
				kept[name] = field
			}
		}
		return kept
	case []any:
		kept := make([]any, len(v))
		for i := range v {
			kept[i] = withoutZeros(v[i])
		}
		return kept
	}
	return v
}

// deploy does to the services and jobs what scripts/deploy.sh has gcloud do with a
// new image, and moves the tag live to it.
func (g *googleAPIs) deploy(image string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, o := range g.objects {
		kind := path.Base(path.Dir(key))
		template, ok := o["template"].(object)
		if !strings.HasPrefix(key, "run/") || !ok || kind != "services" && kind != "jobs" {
			continue
		}
		o["client"], o["clientVersion"] = "gcloud", "578.0.0"
		labels, _ := template["labels"].(object)
		if labels == nil {
			labels = make(object)
		}
		g.made++
		labels["client.knative.dev/nonce"] = fmt.Sprintf("nonce%d", g.made)
		template["labels"] = labels
		if kind == "jobs" {
			template = template["template"].(object)
		} else {
			o["traffic"] = []any{object{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": float64(100)}}
		}
		container(template)["image"] = image
	}
	const images = "artifactregistry/projects/" + projectID + "/locations/europe-west1/repositories/ai-worker/dockerImages/"
	for key, o := range g.objects {
		if strings.HasPrefix(key, images) {
			o["tags"] = []any{"build"}
		}
	}
	name := images + path.Base(image)
	g.objects[name] = object{
		"name": strings.TrimPrefix(name, "artifactregistry/"), "uri": image, "tags": []any{"live", "build"},
		"uploadTime": "2026-01-01T00:00:00Z", "updateTime": "2026-01-01T00:00:00Z",
	}
}

// pin gives all traffic of a service to one revision, as `gcloud run services
// update-traffic --to-revisions` does.
func (g *googleAPIs) pin(service, revision string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.objects[servicesPath+service]["traffic"] = []any{
		object{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": revision, "percent": float64(100)},
	}
}

// servesLatest reports whether all traffic of a service goes to its latest
// revision.
func (g *googleAPIs) servesLatest(service string) bool {
	traffic, _ := g.get(servicesPath + service)["traffic"].([]any)
	if len(traffic) != 1 {
		return false
	}
	target := traffic[0].(object)
	return target["type"] == "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST" && target["percent"] == float64(100)
}

// servicesPath begins the names of Cloud Run's services.
const servicesPath = "run/projects/" + projectID + "/locations/europe-west1/services/"

// addSecret adds a version to a secret that is not Terraform's.
func (g *googleAPIs) addSecret(id, value string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := "secretmanager/projects/" + projectID + "/secrets/" + id
	g.objects[key] = object{"name": strings.TrimPrefix(key, "secretmanager/")}
	g.addVersion(key, true, object{"payload": object{"data": base64.StdEncoding.EncodeToString([]byte(value))}})
}

// tags returns what `gcloud artifacts docker tags list` prints: TAG,DIGEST a line.
func (g *googleAPIs) tags() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var lines strings.Builder
	for _, o := range g.objects {
		uri, isImage := o["uri"].(string)
		tags, _ := o["tags"].([]any)
		for _, tag := range tags {
			if _, digest, ok := strings.Cut(uri, "@"); ok && isImage {
				fmt.Fprintf(&lines, "%s,%s\n", tag, digest)
			}
		}
	}
	return lines.String()
}

// execute runs a job, as `gcloud run jobs execute` does.
func (g *googleAPIs) execute(job string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.objects["run/projects/"+projectID+"/locations/europe-west1/jobs/"+job]
	if o == nil {
		return errors.New("there is no job " + job)
	}
	run := fmt.Sprint("RUN ", container(o["template"].(object)["template"].(object))["args"].([]any)[0])
	g.changes = append(g.changes, run)
	if g.changed != nil {
		g.changed(run)
	}
	return nil
}

// secret returns the newest value of a secret.
func (g *googleAPIs) secret(id string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	key, value := "secretmanager/projects/"+projectID+"/secrets/"+id+"/versions/", ""
	for n := 1; g.objects[key+strconv.Itoa(n)] != nil; n++ {
		data, _ := base64.StdEncoding.DecodeString(g.objects[key+strconv.Itoa(n)]["data"].(string))
		value = string(data)
	}
	return value
}

// alerts returns what Cloud Monitoring answers of the names of alerts.
func (g *googleAPIs) alerts() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var policies []string
	for key, o := range g.objects {
		if path.Base(path.Dir(key)) == "alertPolicies" {
			policies = append(policies, fmt.Sprintf("    {\n      \"name\": %q,\n      \"displayName\": %q\n    }", o["name"], o["displayName"]))
		}
	}
	return "{\n  \"alertPolicies\": [\n" + strings.Join(policies, ",\n") + "\n  ]\n}\n"
}
