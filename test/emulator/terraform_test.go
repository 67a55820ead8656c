package emulator_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"

	"github.com/ai-worker/ai-worker/test/emulator"
)

// A stack is a Terraform configuration that is applied to an emulator.
type stack struct {
	*testing.T
	dir, terraform, addr string
}

// newStack needs TEST_TERRAFORM, the path of Terraform, which
// scripts/check-terraform.sh sets where the provider can be had.
func newStack(t *testing.T, addr string) *stack {
	t.Helper()
	s := &stack{T: t, dir: t.TempDir(), terraform: os.Getenv("TEST_TERRAFORM"), addr: addr}
	if s.terraform == "" {
		t.Skip("TEST_TERRAFORM is not set; scripts/check-terraform.sh runs this test where Terraform's providers can be had")
	}
	s.write("")
	s.run("init", "-no-color")
	return s
}

// write makes the configuration that of a queue with the given arguments, and a
// policy of it.
func (s *stack) write(queue string) {
	s.Helper()
	write(s.T, filepath.Join(s.dir, "main.tf"), `
terraform {
  required_providers { google = { source = "hashicorp/google" } }
}
provider "google" {
  project                     = "demo"
  access_token                = "any"
  cloud_tasks_custom_endpoint = "http://`+s.addr+`/v2/"
}
resource "google_cloud_tasks_queue" "a" {
  name     = "a"
  location = "here"
`+queue+`
}
resource "google_cloud_tasks_queue_iam_member" "a" {
  name     = google_cloud_tasks_queue.a.id
  location = "here"
  role     = "roles/cloudtasks.enqueuer"
  member   = "user:somebody@example.com"
}
`)
}

func (s *stack) run(args ...string) {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), s.terraform, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_INPUT=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// apply applies a configuration. After it a plan must be empty: what the emulator
// shows is what the provider has asked for.
func (s *stack) apply(queue string) {
	s.Helper()
	s.write(queue)
	s.run("apply", "-auto-approve", "-no-color")
	s.run("plan", "-detailed-exitcode", "-no-color")
}

// The real provider creates, changes, pauses and destroys a queue, and a task of it
// is delivered and tried again as Terraform said.
func TestTerraform(t *testing.T) {
	t.Parallel()
	p := emulator.Start(t, "--queue-tombstone", "0")
	s := newStack(t, p.Addr)
	r := newReceiver(t, failing(1))
	b := connect(t, p, "gRPC", r)
	s.apply(`
  rate_limits {
    max_dispatches_per_second = 0.5
  }
  retry_config {
    max_attempts       = 2
    min_backoff        = "0.010s"
    max_backoff        = "0.020s"
    max_retry_duration = "4s"
    max_doublings      = 1
  }
  stackdriver_logging_config {
    sampling_ratio = 0.9
  }`)
	b.create(queueA, "x")
	for _, want := range []string{"0", "1"} {
		if got := b.next().header.Get("X-Cloudtasks-Taskretrycount"); got != want {
			t.Errorf("X-CloudTasks-TaskRetryCount is %q, want %s", got, want)
		}
	}

	s.apply(`
  desired_state = "PAUSED"
  rate_limits {
    max_concurrent_dispatches = 7
    max_dispatches_per_second = 20
  }
  http_target {
    http_method = "PUT"
    uri_override {
      scheme = "HTTP"
      path_override { path = "/elsewhere" }
    }
    header_overrides {
      header {
        key   = "X-From"
        value = "terraform"
      }
    }
  }`)
	q, err := b.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
	if err != nil || q.GetState() != cloudtaskspb.Queue_PAUSED || q.GetRateLimits().GetMaxConcurrentDispatches() != 7 {
		t.Errorf("the queue is %v, %v", q, err)
	}
	b.create(queueA, "y")
	b.none()
	s.apply(`desired_state = "RUNNING"`)
	if got := b.next().header.Get("X-Cloudtasks-Taskname"); got != "y" {
		t.Errorf("task %q was delivered", got)
	}

	s.run("destroy", "-auto-approve", "-no-color")
	_, err = b.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
	b.wantError(err, 404, "Queue does not exist.")
}
