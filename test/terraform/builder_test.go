package terraform_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A need is a right that a command takes: a role on all resources whose names in
// the stand-in match a pattern.
type need struct{ command, role, resource string }

// needs are those of the account that Cloud Build builds and deploys as.
var needs = []need{
	{"run services list", "run.viewer", project},
	{"run revisions list", "run.viewer", project},
	{"run services describe", "run.developer", services},
	{"run services update", "run.developer", services},
	{"run services update", "iam.serviceAccountUser", "iam/.*/ai-worker-(api|worker|dashboard)@.*"}, // it acts as them
	{"run services update-traffic", "run.developer", services},
	{"run services replace", "run.developer", services},
	{"run revisions describe", "run.developer", services},
	{"run revisions delete", "run.developer", services},
	{"run jobs update", "run.developer", "run/.*/jobs/ai-worker-.*"},
	{"run jobs update", "iam.serviceAccountUser", "iam/.*/ai-worker-(migrate|worker)@.*"},
	{"run jobs execute", "run.developer", "run/.*/jobs/ai-worker-.*"},
	{"gcloud tasks queues describe", "cloudtasks.queueAdmin", "cloudtasks/.*/queues/ai-worker-default-v1"},
	{"gcloud tasks queues update", "cloudtasks.queueAdmin", "cloudtasks/.*/queues/ai-worker-default-v1"},
	{"gcloud secrets versions describe", "secretmanager.viewer", "secretmanager/.*/secrets/[^/]*"},
	{"gcloud logging read", "logging.viewer", project},
	{"gcloud auth print-identity-token", "iam.serviceAccountOpenIdTokenCreator", "iam/.*/ai-worker-build@.*"},
	{`ask "$(identity`, "run.invoker", services},
	{"gcloud artifacts docker tags list", "artifactregistry.writer", repository},
	{`gcloud artifacts "${@:2}"`, "artifactregistry.writer", repository},
	{"docker push", "artifactregistry.writer", repository},
	{"logsBucket: gs://${PROJECT_ID}-${_REPOSITORY}-source/logs", "storage.admin", "storage/b/my-project-ai-worker-source"}, // and its sources
	{"gcloud builds submit", "storage.objectViewer", project},                                                               // of sources, where no bucket is named
	{"logging: LEGACY", "logging.logWriter", project},
}

const (
	project    = "cloudresourcemanager/projects/my-project"
	services   = "run/.*/services/ai-worker[^/]*"
	repository = "artifactregistry/.*/repositories/ai-worker"
)

// checkBuilder fails unless the account of Cloud Build has the rights that its
// commands need, and no others.
func (g *googleAPIs) checkBuilder(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	const member = "serviceAccount:ai-worker-build@" + projectID + ".iam.gserviceaccount.com"
	surplus := make(map[string]bool)
	for right := range g.granted {
		if strings.HasSuffix(right, " "+member) {
			surplus[right] = true
		}
	}
	for _, n := range needs {
		resource, found := regexp.MustCompile("^"+n.resource+"$"), false
		for _, name := range slices.Sorted(maps.Keys(g.objects)) {
			right := name + " roles/" + n.role + " " + member
			if !resource.MatchString(name) {
				continue
			}
			found = true
			if _, granted := g.granted[right]; !granted {
				t.Errorf("%q fails: the account that builds has no roles/%s on %s", n.command, n.role, name)
			}
			delete(surplus, right)
		}
		if !found {
			t.Errorf("%q needs roles/%s on %s, which is not there", n.command, n.role, n.resource)
		}
	}
	for right := range surplus {
		t.Errorf("no command needs %s", right)
	}
}

// The table has the commands of the scripts that Cloud Build runs, and only those.
func TestBuilderNeedsItsCommands(t *testing.T) {
	t.Parallel()
	var scripts strings.Builder
	for _, name := range []string{"cloudbuild.yaml", "scripts/cloud.sh", "scripts/deploy.sh", "scripts/canary.sh", "scripts/rollback.sh"} {
		scripts.WriteString(read(t, name))
	}
	for _, n := range needs {
		if !strings.Contains(scripts.String(), n.command) {
			t.Errorf("nothing runs %q", n.command)
		}
	}
	for _, command := range names(scripts.String(), `((?:\brun (?:services|jobs|revisions)|gcloud (?:tasks queues|secrets versions|logging|auth|artifacts docker tags|builds)) [a-z][a-z-]+)`) {
		isTold := command == "gcloud secrets versions enable" // to whoever rolls back
		if !isTold && !slices.ContainsFunc(needs, func(n need) bool { return n.command == command }) {
			t.Errorf("a script runs %q: which right does it need?", command)
		}
	}
}
