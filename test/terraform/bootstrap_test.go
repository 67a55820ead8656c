package terraform_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBootstrap(t *testing.T) {
	t.Parallel()
	g := newGoogleAPIs(t)
	r := newRoot(t, "terraform/bootstrap", g)
	r.vars(t, object{"project": projectID})
	out := r.run(t, 0, "apply", "-auto-approve")
	r.checkSettled(t)
	for _, want := range []string{
		"gcloud builds submit --project=my-project --config=cloudbuild.yaml",
		"init -backend-config=bucket=my-project-ai-worker-state",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the outputs do not tell %q", want)
		}
	}
	if diff := cmp.Diff([]string{"my-project-ai-worker-source", "my-project-ai-worker-state"}, g.names("b")); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
	if out := r.run(t, 1, "destroy", "-auto-approve"); !strings.Contains(out, "prevent_destroy") {
		t.Errorf("the state's bucket is not protected:\n%s", out)
	}
}
