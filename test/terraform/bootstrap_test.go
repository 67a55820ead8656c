package terraform_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBootstrap(t *testing.T) {
	t.Parallel()
	g := newGoogleAPIs(t, quirks{lag: 2 * time.Second, emptyProject: true})
	r := newRoot(t, "terraform/bootstrap", g)
	r.env = append(r.env, "TF_VAR_settle_seconds=3")
	r.vars(t, object{"project": projectID})
	out := r.run(t, 0, "apply", "-auto-approve")
	r.checkSettled(t)
	for _, want := range []string{
		"gcloud builds submit --project=my-project --config=cloudbuild.yaml",
		"init -backend-config=bucket=my-project-ai-worker-state -backend-config=prefix=ai-worker",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the outputs do not tell %q", want)
		}
	}
	if diff := cmp.Diff([]string{"my-project-ai-worker-source", "my-project-ai-worker-state"}, g.names("b")); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
	r.vars(t, object{"project": projectID, "name": "staging"})
	if out := r.run(t, 1, "plan"); !strings.Contains(out, "This state is that of my-project/ai-worker") {
		t.Errorf("another service takes the place of the first:\n%s", out)
	}
	r.vars(t, object{"project": projectID})
	if out := r.run(t, 1, "destroy", "-auto-approve"); !strings.Contains(out, "prevent_destroy") {
		t.Errorf("the state's bucket is not protected:\n%s", out)
	}
}
