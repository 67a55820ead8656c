package terraform_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// googleAPIs stands in for the Google APIs that the configuration uses, each
// under a path of its own, such as /run/v2/. It keeps the objects that it is
// sent, and answers as Google does: without zero values, see withoutZeros. It
// makes those of Google's checks that a wrong configuration would fail. It
// answers every request that it does not know with an error.
type googleAPIs struct {
	*httptest.Server
	quirks

	mu       sync.Mutex
	objects  map[string]object // by API and resource name: run/projects/p/…
	policies map[string]object // IAM policies, by the same
	changes  []string          // "METHOD name" of each request that changed something
	made     int               // objects that were named by the server

	migrationFails bool
	changed        func(change string) // called after each of changes, if set

	stored     map[string]stored // see objects_test.go
	generation int64             // of what was stored last

	enabled map[string]time.Time // when each API was enabled
	granted map[string]time.Time // when each right was granted, see grant
	late    map[string]object    // answers of operations that are not done, by name
	asked   map[string]int       // how often somebody asked for each of them
}

type object = map[string]any

const (
	projectID     = "my-project"
	projectNumber = "123456789012"
)

func newGoogleAPIs(t *testing.T, q quirks) *googleAPIs {
	t.Helper()
	g := &googleAPIs{
		quirks: q, objects: make(map[string]object), policies: make(map[string]object), enabled: make(map[string]time.Time),
		granted: make(map[string]time.Time), late: make(map[string]object), asked: make(map[string]int), stored: make(map[string]stored),
	}
	if !q.emptyProject {
		for _, name := range apisOfBootstrap(t) {
			g.enabled[name] = time.Time{}
		}
	}
	g.objects["cloudresourcemanager/projects/"+projectID] = object{
		"projectId": projectID, "projectNumber": projectNumber, "name": projectID, "lifecycleState": "ACTIVE",
	}
	g.objects["cloudbilling/projects/"+projectID+"/billingInfo"] = object{
		"name": "projects/" + projectID + "/billingInfo", "billingAccountName": "billingAccounts/012345-6789AB-CDEF01",
	}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.serveStored(w, r) {
			return
		}
		status, answer := g.serve(r)
		if status >= http.StatusBadRequest {
			t.Logf("%s %s: %d %v", r.Method, r.URL, status, answer)
			answer = object{"error": object{"code": status, "message": answer["message"]}}
		}
		answer = withoutZeros(answer).(object)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(answer); err != nil && r.Context().Err() == nil {
			t.Error(err)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

// endpoints returns the custom endpoints for Terraform's provider.
func (g *googleAPIs) endpoints() map[string]string {
	endpoints := make(map[string]string)
	for name, at := range map[string]string{
		"artifact_registry": "artifactregistry/v1", "billing_budgets": "billingbudgets/v1",
		"billing": "cloudbilling/v1", "cloud_billing": "cloudbilling/v1", "cloud_run_v2": "run/v2",
		"cloud_scheduler": "cloudscheduler/v1", "cloud_tasks": "cloudtasks/v2", "iam": "iam/v1", "iam_beta": "iam/v1",
		"iap": "iap/v1", "logging": "logging/v2", "monitoring": "monitoring", "resource_manager": "cloudresourcemanager/v1",
		"cloud_resource_manager": "cloudresourcemanager/v1",
		"secret_manager":         "secretmanager/v1", "service_usage": "serviceusage/v1", "storage": "storage/v1",
	} {
		endpoints[name+"_custom_endpoint"] = g.URL + "/" + at + "/"
	}
	return endpoints
}

func failure(status int, format string, args ...any) (int, object) {
	return status, object{"message": fmt.Sprintf(format, args...)}
}

// serve answers one request.
func (g *googleAPIs) serve(r *http.Request) (int, object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.changes); g.changed != nil {
		defer func() {
			for _, change := range g.changes[n:] {
				g.changed(change)
			}
		}()
	}
	api, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if status, problem := g.checkEnabled(api); status != 0 {
		return status, problem
	}
	for _, version := range []string{"v1/", "v2/", "v3/"} {
		name = strings.TrimPrefix(name, version)
	}
	// A project can also be named by its number.
	key := api + "/" + strings.Replace(name, "projects/"+projectNumber+"/", "projects/"+projectID+"/", 1)
	var body object
	if r.Body != nil {
		_ = json.NewDecoder(r.Body).Decode(&body) // none
	}
	if strings.Contains(key, "/operations/") {
		return g.operation(key)
	}
	if base, verb, found := cutVerb(key); found {
		return g.act(r.Method, base, verb, body)
	}
	if api == "storage" && strings.HasSuffix(name, "/iam") {
		if r.Method == http.MethodPut {
			return g.act(r.Method, strings.TrimSuffix(key, "/iam"), "setIamPolicy", object{"policy": body})
		}
		return g.act(r.Method, strings.TrimSuffix(key, "/iam"), "getIamPolicy", nil)
	}
	if r.Method != http.MethodGet {
		g.changes = append(g.changes, r.Method+" "+key)
	}
	switch r.Method {
	case http.MethodPost:
		return g.create(api, key, r.URL.Query(), body)
	case http.MethodGet:
		return g.read(key)
	case http.MethodPatch, http.MethodPut:
		return g.update(api, key, r.URL.Query().Get("updateMask"), body)
	case http.MethodDelete:
		if _, ok := g.objects[key]; !ok {
			return failure(http.StatusNotFound, "%s not found", key)
		}
		for name := range g.objects {
			if name == key || strings.HasPrefix(name, key+"/") {
				delete(g.objects, name)
			}
		}
		return http.StatusOK, g.answer(api, object{})
	default:
		return failure(http.StatusMethodNotAllowed, "%s", r.Method)
	}
}

// cutVerb separates a custom method, such as :pause, from the resource's name.
// Names of members and roles have colons too, but none is in a key.
func cutVerb(key string) (base, verb string, found bool) {
	i := strings.LastIndex(key, ":")
	if i < 0 || strings.Contains(key[i:], "/") {
		return key, "", false
	}
	return key[:i], key[i+1:], true
}

// act performs a custom method.
func (g *googleAPIs) act(method, key, verb string, body object) (int, object) {
	if method != http.MethodGet && verb != "getIamPolicy" {
		g.changes = append(g.changes, method+" "+key+":"+verb)
	}
	o, exists := g.objects[key]
	switch verb {
	case "enable":
		if name, isAPI := strings.CutPrefix(key, "serviceusage/"); isAPI {
			g.objects[key] = object{"name": name, "state": "ENABLED", "config": object{"name": path.Base(name)}}
			if _, known := g.enabled[path.Base(name)]; !known {
				g.enabled[path.Base(name)] = time.Now()
			}
			return http.StatusOK, g.answer("serviceusage", object{})
		}
	case "getIamPolicy", "setIamPolicy":
		if !exists && !strings.HasPrefix(key, "cloudresourcemanager/") && !strings.HasPrefix(key, "iap/") {
			return failure(http.StatusNotFound, "%s not found", key)
		}
		if verb == "setIamPolicy" {
			if problem := g.checkPolicy(body["policy"].(object)); problem != "" {
				return failure(http.StatusBadRequest, "%s", problem)
			}
			g.policies[key] = body["policy"].(object)
			g.grant(key, g.policies[key])
		}
		policy := maps.Clone(g.policies[key])
		if policy == nil {
			policy = object{}
		}
		policy["etag"] = "BwX"
		return http.StatusOK, policy
	}
	switch verb {
	case "batchEnable": // of APIs
		for _, id := range body["serviceIds"].([]any) {
			g.act(method, key+"/"+id.(string), "enable", nil)
		}
		return http.StatusOK, g.answer("serviceusage", object{})
	case "addVersion": // of a secret
		return g.addVersion(key, exists, body)
	case "listAttestationRules": // of a workload identity pool
		return http.StatusOK, object{}
	}
	states := map[string]string{
		"pause": "PAUSED", "resume": "RUNNING", "disable": "DISABLED", "enable": "ENABLED", "destroy": "DESTROYED",
	}
	state, known := states[verb]
	if !exists || !known {
		return failure(http.StatusNotFound, "%s:%s not found", key, verb)
	}
	if verb == "destroy" && g.objects[path.Dir(path.Dir(key))]["versionDestroyTtl"] != nil {
		state, o["scheduledDestroyTime"] = "DISABLED", "2026-01-31T00:00:00Z"
	}
	o["state"] = state
	return http.StatusOK, o
}

// checkPolicy refuses members that do not exist, as IAM does.
func (g *googleAPIs) checkPolicy(policy object) string {
	bindings, _ := policy["bindings"].([]any)
	for _, b := range bindings {
		for _, m := range b.(object)["members"].([]any) {
			if m == "allUsers" && g.allUsersForbidden {
				return "One or more users named in the policy do not belong to a permitted customer."
			}
			if strings.Contains(m.(string), "@gcp-sa-") {
				continue
			}
			email, isAccount := strings.CutPrefix(m.(string), "serviceAccount:")
			if _, ok := g.objects["iam/projects/"+projectID+"/serviceAccounts/"+email]; isAccount && !ok {
				return fmt.Sprintf("Service account %s does not exist.", email)
			}
		}
	}
	return ""
}

// addVersion adds a version to a secret. Like Secret Manager, it refuses a
// version without a value.
func (g *googleAPIs) addVersion(secret string, exists bool, body object) (int, object) {
	payload, _ := body["payload"].(object)
	data, _ := payload["data"].(string)
	if !exists || data == "" {
		return failure(http.StatusBadRequest, "Field [payload.data] of %s is required.", secret)
	}
	n := 1
	for g.objects[secret+"/versions/"+strconv.Itoa(n)] != nil {
		n++
	}
	name := secret + "/versions/" + strconv.Itoa(n)
	version := object{
		"name":  "projects/" + projectNumber + "/" + strings.SplitN(strings.TrimPrefix(name, "secretmanager/"), "/", 3)[2],
		"state": "ENABLED", "createTime": "2026-01-01T00:00:00Z",
	}
	g.objects[name] = maps.Clone(version)
	g.objects[name]["data"] = data
	return http.StatusOK, version
}

// create makes an object in a collection.
func (g *googleAPIs) create(api, collection string, query map[string][]string, body object) (int, object) {
	kind := path.Base(collection)
	id := ""
	for name, value := range query {
		if strings.HasSuffix(strings.ToLower(name), "id") && len(value) > 0 {
			id = value[0]
		}
	}
	switch name, _ := body["name"].(string); {
	case id != "":
	case body["accountId"] != nil:
		id = fmt.Sprintf("%s@%s.iam.gserviceaccount.com", body["accountId"], projectID)
		about, _ := body["serviceAccount"].(object)
		body = object{"email": id, "uniqueId": "1", "projectId": projectID}
		maps.Copy(body, about)
	case name != "":
		id = path.Base(name)
	default:
		g.made++
		id = strconv.Itoa(1000 + g.made)
	}
	if kind == "b" {
		collection = strings.TrimSuffix(collection, "/b") + "/b"
	}
	key := collection + "/" + id
	if g.objects[key] != nil {
		return failure(http.StatusConflict, "%s already exists", key)
	}
	name := strings.TrimPrefix(key, api+"/")
	if api != "logging" && api != "storage" {
		body["name"] = name
	}
	if status, problem := g.check(kind, body); status != 0 {
		return status, problem
	}
	g.fill(kind, name, body)
	g.objects[key] = body
	if problem := g.migrate(kind, body); problem != nil {
		return http.StatusOK, problem
	}
	return http.StatusOK, g.answer(api, body)
}

// check refuses what Google would refuse.
func (g *googleAPIs) check(kind string, body object) (int, object) {
	switch kind {
	case "queues":
		limits := body["rateLimits"].(object)
		if rate := limits["maxDispatchesPerSecond"].(float64); rate <= 0 || rate > 500 {
			return failure(http.StatusBadRequest, "maxDispatchesPerSecond %v", rate)
		}
		if n := limits["maxConcurrentDispatches"].(float64); n < 1 || n > 5000 {
			return failure(http.StatusBadRequest, "maxConcurrentDispatches %v", n)
		}
	case "services", "jobs":
		template, ok := body["template"].(object)
		if !ok { // a job of Cloud Scheduler's
			break
		}
		if inner, ok := template["template"].(object); ok {
			template = inner
		}
		account := "iam/projects/" + projectID + "/serviceAccounts/" + fmt.Sprint(template["serviceAccount"])
		if g.objects[account] == nil {
			return failure(http.StatusBadRequest, "%s does not exist", account)
		}
		for name, version := range secretsOf(template) {
			if v := g.objects[version]; v == nil || v["state"] != "ENABLED" {
				return failure(http.StatusBadRequest, "%s: %s is not there or not enabled", name, version)
			}
			if !g.feels(path.Dir(path.Dir(version)), "roles/secretmanager.secretAccessor", "serviceAccount:"+fmt.Sprint(template["serviceAccount"])) {
				return failure(http.StatusForbidden, "Permission denied on secret: %s for Revision service account %s", version, template["serviceAccount"])
			}
		}
	case "budgets":
		amount := body["amount"].(object)["specifiedAmount"].(object)
		if currency, given := amount["currencyCode"]; given && currency != accountCurrency {
			return failure(http.StatusBadRequest, "Request contains an invalid argument: the currency must be the billing account's.")
		}
		amount["currencyCode"] = accountCurrency
	}
	return 0, nil
}

// container returns the first container of a service's or job's template.
func container(template object) object { return template["containers"].([]any)[0].(object) }

// secretsOf returns the secret versions that a template names, by setting.
func secretsOf(template object) map[string]string {
	secrets := make(map[string]string)
	env, _ := container(template)["env"].([]any)
	for _, e := range env {
		if source, ok := e.(object)["valueSource"].(object); ok {
			ref := source["secretKeyRef"].(object)
			secrets[e.(object)["name"].(string)] = fmt.Sprintf("secretmanager/projects/%s/secrets/%s/versions/%s",
				projectID, ref["secret"], ref["version"])
		}
	}
	return secrets
}

// fill adds the fields of an object that Google itself sets.
func (g *googleAPIs) fill(kind, name string, body object) {
	ready := object{"type": "Ready", "state": "CONDITION_SUCCEEDED"}
	switch kind {
	case "services", "jobs":
		if body["template"] == nil {
			body["state"] = "ENABLED" // Cloud Scheduler's
			return
		}
		maps.Copy(body, object{"uid": "u", "etag": "e", "terminalCondition": ready, "generation": "1", "observedGeneration": "1"})
		if kind == "services" {
			body["uri"] = "https://" + path.Base(name) + "-hash.a.run.app"
			if body["traffic"] == nil {
				body["traffic"] = []any{object{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": float64(100)}}
			}
			if body["ingress"] == nil {
				body["ingress"] = "INGRESS_TRAFFIC_ALL"
			}
			c := container(body["template"].(object))
			if c["ports"] == nil {
				c["ports"] = []any{object{"name": "http1", "containerPort": 8080}}
			}
		}
	case "queues":
		body["state"] = "RUNNING"
		body["rateLimits"].(object)["maxBurstSize"] = 10
	case "dashboards":
		body["etag"] = "e"
	case "alertPolicies":
		body["creationRecord"] = object{"mutateTime": "2026-01-01T00:00:00Z"}
		for i, c := range body["conditions"].([]any) {
			c.(object)["name"] = name + "/conditions/" + strconv.Itoa(i)
		}
	case "b":
		maps.Copy(body, object{"id": body["name"], "projectNumber": projectNumber, "storageClass": "STANDARD"})
		body["location"] = strings.ToUpper(body["location"].(string))
	}
	if strings.HasPrefix(kind, "workloadIdentityPool") {
		body["state"] = "ACTIVE"
	}
}

// migrate runs a job if the configuration asks for a run at once.
func (g *googleAPIs) migrate(kind string, body object) object {
	token, _ := body["runExecutionToken"].(string)
	if kind != "jobs" || token == "" {
		return nil
	}
	args := container(body["template"].(object)["template"].(object))["args"].([]any)
	g.changes = append(g.changes, fmt.Sprint("RUN ", args[0]))
	if g.migrationFails {
		return object{"name": "operations/1", "done": true, "error": object{"code": 2, "message": "the execution failed"}}
	}
	return nil
}

// read answers with an object or a collection.
func (g *googleAPIs) read(key string) (int, object) {
	if o, ok := g.objects[key]; ok {
		o = maps.Clone(o)
		delete(o, "data") // of a secret's version
		return http.StatusOK, o
	}
	if version, isLatest := strings.CutSuffix(key, "/versions/latest"); isLatest {
		return g.latest(version)
	}
	if !strings.HasSuffix(key, "/services") && !strings.HasSuffix(key, "/secrets") && !strings.HasSuffix(key, "/dockerImages") &&
		!strings.HasSuffix(key, "/anywhereCaches/") {
		return failure(http.StatusNotFound, "%s not found", key)
	}
	var items []any
	for _, name := range slices.Sorted(maps.Keys(g.objects)) {
		if path.Dir(name) == key || strings.HasSuffix(key, "/") && strings.HasPrefix(name, key) {
			items = append(items, g.objects[name])
		}
	}
	return http.StatusOK, object{path.Base(key): items}
}

// update changes the fields that the mask names, or all without a mask.
func (g *googleAPIs) update(api, key, mask string, body object) (int, object) {
	o, ok := g.objects[key]
	if !ok {
		return failure(http.StatusNotFound, "%s not found", key)
	}
	kind := path.Base(path.Dir(key))
	changed := maps.Clone(o)
	if mask == "" {
		maps.Copy(changed, body)
	}
	for field := range strings.SplitSeq(mask, ",") {
		if top, _, _ := strings.Cut(field, "."); top != "" {
			changed[top] = body[top]
		}
	}
	if status, problem := g.check(kind, changed); status != 0 {
		return status, problem
	}
	g.objects[key] = changed
	if kind == "jobs" || kind == "services" {
		if problem := g.migrate(kind, body); problem != nil {
			return http.StatusOK, problem
		}
	}
	return http.StatusOK, g.answer(api, changed)
}

// latest answers with a secret's newest version.
func (g *googleAPIs) latest(secret string) (int, object) {
	n := 0
	for g.objects[secret+"/versions/"+strconv.Itoa(n+1)] != nil {
		n++
	}
	return g.read(secret + "/versions/" + strconv.Itoa(n))
}

// environment returns the environment of a service's container, including the
// secrets' values.
func (g *googleAPIs) environment(t *testing.T, service string) map[string]string {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	template := g.objects["run/projects/"+projectID+"/locations/europe-west1/services/"+service]["template"].(object)
	env := make(map[string]string)
	for _, e := range container(template)["env"].([]any) {
		value, _ := e.(object)["value"].(string)
		env[e.(object)["name"].(string)] = value
	}
	for name, version := range secretsOf(template) {
		data, err := base64.StdEncoding.DecodeString(g.objects[version]["data"].(string))
		if err != nil {
			t.Fatal(err)
		}
		env[name] = string(data)
	}
	return env
}

func (g *googleAPIs) get(key string) object {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.objects[key])
}

func (g *googleAPIs) put(key string, o object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.objects[key] = o
}

func (g *googleAPIs) remove(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.objects, key)
}

func (g *googleAPIs) failMigrations(fail bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.migrationFails = fail
}

// names returns the last part of the name of each object of a kind.
func (g *googleAPIs) names(kind string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var names []string
	for key := range g.objects {
		if path.Base(path.Dir(key)) == kind {
			names = append(names, path.Base(key))
		}
	}
	slices.Sort(names)
	return names
}

// since returns the changes after the first n.
func (g *googleAPIs) since(n int) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.changes[n:])
}
