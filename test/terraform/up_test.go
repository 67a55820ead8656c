package terraform_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/test/programs"
)

// A laptop has a copy of what scripts/up.sh needs of this repository, and its
// settings. Terraform and the provider are real, and talk to g; gcloud, curl and
// the program are not.
type laptop struct {
	dir, bin string
	env      []string
	g        *googleAPIs

	mu       sync.Mutex
	builds   int
	pictures map[string]bool // by idempotency key

	// signal is sent to the script's process group, as by a terminal, right after
	// a change that one of at matches. That one is then taken out.
	signal syscall.Signal
	at     []string
}

const upSettings = `PROJECT=my-project
GEMINI_API_KEY=AIzahunter2
DATABASE_URL=postgres://user:hunter2@db.example.com/jobs
REDIS_URL=rediss://default:hunter2@redis.example.com:6379
R2_ACCOUNT_ID=0123456789abcdef0123456789abcdef
R2_CREDENTIALS=key-id:hunter2
ALERT_EMAIL=oncall@example.com
`

// newLaptop returns a laptop at the side of a project in which nothing is.
func newLaptop(t *testing.T) *laptop {
	t.Helper()
	root := newCopy(t, "")
	l := &laptop{
		dir: root.dir, pictures: map[string]bool{},
		g: newGoogleAPIs(t, quirks{emptyProject: true, slowOperations: true, lag: time.Second}),
	}
	if err := os.Mkdir(filepath.Join(l.dir, "scripts"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"up.sh", "up-checks.sh", "up-make.sh", "cloud.sh"} {
		l.write(t, "scripts/"+script, read(t, "scripts/"+script), 0o700)
	}
	l.write(t, "settings", upSettings, 0o600)
	l.bin = programs.Dir(t, []string{"gcloud", "curl", "ai-worker"}, l.call)
	if err := os.Symlink(root.terraform, filepath.Join(l.bin, "terraform")); err != nil {
		t.Fatal(err)
	}
	l.env = slices.Concat(root.env, []string{
		"TF_VAR_settle_seconds=2", "GOOGLE_OAUTH_ACCESS_TOKEN=token", "HOME=" + t.TempDir(),
		"PATH=" + l.bin + ":" + os.Getenv("PATH"), "AI_WORKER=" + filepath.Join(l.bin, "ai-worker"),
	})
	for name, at := range l.g.endpoints() {
		l.env = append(l.env, "GOOGLE_"+strings.ToUpper(name)+"="+at)
	}
	return l
}

func (l *laptop) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// up runs scripts/up.sh. It fails t unless the script ends well, or was signaled.
func (l *laptop) up(t *testing.T) (output string) {
	t.Helper()
	output, signaled, ok := l.run(t)
	if signaled == ok {
		t.Fatalf("it was signaled: %t, and ended well: %t\n%s", signaled, ok, output)
	}
	return output
}

func (l *laptop) run(t *testing.T) (output string, signaled, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(l.dir, "scripts/up.sh"), "--settings", filepath.Join(l.dir, "settings"))
	cmd.Env, cmd.SysProcAttr = l.env, &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	l.g.mu.Lock() // nothing is changed before cmd.Process is set
	l.g.changed = func(change string) {
		i := slices.IndexFunc(l.at, func(at string) bool { return regexp.MustCompile(at).MatchString(change) })
		if i < 0 || signaled {
			return
		}
		signaled, l.at = true, slices.Delete(l.at, i, i+1)
		if err := syscall.Kill(-cmd.Process.Pid, l.signal); err != nil {
			t.Error(err)
		}
	}
	err := cmd.Start()
	l.g.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	l.g.mu.Lock() // requests that were on their way are answered
	defer l.g.mu.Unlock()
	return out.String(), signaled, err == nil
}

// call answers for gcloud, curl and the program.
func (l *laptop) call(args []string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := strings.Join(args, " ")
	for beginning, answer := range map[string]string{
		"gcloud auth list":                               "me@example.com\n",
		"gcloud auth application-default":                "token\n",
		"gcloud auth print-access-token":                 "token\n",
		"gcloud projects describe my-project":            "ACTIVE\n",
		"gcloud billing projects describe my-project":    "True,billingAccounts/012345-6789AB-CDEF01\n",
		"gcloud billing accounts describe":               accountCurrency + "\n",
		"gcloud resource-manager org-policies describe ": "",
		"ai-worker doctor --keys":                        "✓ all\n",
	} {
		if strings.HasPrefix(line, beginning) {
			return answer, nil
		}
	}
	switch {
	case strings.HasPrefix(line, "gcloud storage cp "):
		return "", l.g.copyStored(args[3], args[4])
	case strings.HasPrefix(line, "gcloud storage ls gs://my-project-ai-worker-state/** "):
		return l.g.listed(stateBucket), nil
	case strings.HasPrefix(line, "gcloud artifacts docker tags list "):
		return l.g.tags(), nil
	case strings.HasPrefix(line, "gcloud builds submit "):
		return "", l.build()
	case strings.HasPrefix(line, "gcloud run jobs execute "):
		return "", l.g.execute(args[4])
	case strings.Contains(line, "https://monitoring.googleapis.com/v3/projects/my-project/alertPolicies?"):
		return l.g.alerts(), nil
	case strings.Contains(line, "/api/generate-images "):
		return "", l.draw(args)
	}
	return "", fmt.Errorf("no such call: %s", line)
}

const stateBucket = projectID + "-ai-worker-state"

// build does what Cloud Build does, if the account that builds may.
func (l *laptop) build() error {
	builder := "ai-worker-build@" + projectID + ".iam.gserviceaccount.com"
	if l.g.get("iam/projects/"+projectID+"/serviceAccounts/"+builder) == nil || l.g.get("storage/b/"+projectID+"-ai-worker-source") == nil {
		return errors.New("there is no " + builder + ", or no bucket for its sources")
	}
	l.builds++
	l.g.deploy(imageA)
	return nil
}

// draw answers a request for a picture as the API does, if it is there and has the
// caller's key.
func (l *laptop) draw(args []string) error {
	line := strings.Join(args, " ")
	key := regexp.MustCompile(`Authorization: Bearer (\w+)`).FindStringSubmatch(line)
	picture := regexp.MustCompile(`Idempotency-Key: (\S+)`).FindStringSubmatch(line)
	url := "https://ai-worker-api-" + projectNumber + ".europe-west1.run.app/api/generate-images"
	switch {
	case !slices.Contains(args, url) || l.g.get(servicesPath+"ai-worker-api") == nil:
		return errors.New("could not resolve host")
	case key == nil || picture == nil || !strings.Contains(l.g.secret("ai-worker-api-keys"), ":"+key[1]):
		return errors.New("401")
	}
	l.pictures[picture[1]] = true
	return os.WriteFile(args[slices.Index(args, "--output")+1],
		[]byte(`{"id": "019a", "status": "succeeded", "images": [], "output": ["https://pictures.example.com/a.png"], "cost_usd": 0.034}`), 0o600)
}

// checkUp fails unless all is there once, and the state in the bucket knows it.
func (l *laptop) checkUp(t *testing.T, output string) {
	t.Helper()
	if want := "https://pictures.example.com/a.png\n"; !strings.HasSuffix(output, want) {
		t.Errorf("it does not end with %q", want)
	}
	if l.builds != 1 || len(l.pictures) != 1 {
		t.Errorf("%d images were built, and %d pictures asked for", l.builds, len(l.pictures))
	}
	plan := exec.CommandContext(t.Context(), filepath.Join(l.bin, "terraform"), "-chdir=terraform", "plan", "-detailed-exitcode", "-no-color")
	plan.Dir = l.dir
	plan.Env = append(slices.Clone(l.env), "TF_DATA_DIR="+filepath.Join(l.dir, ".data/up/my-project-ai-worker/terraform-terraform"))
	if out, err := plan.CombinedOutput(); err != nil {
		t.Errorf("a plan is not empty: %v\n%s", err, out)
	}
	objects := strings.Fields(l.g.listed(stateBucket))
	if want := []string{"gs://" + stateBucket + "/ai-worker/default.tfstate", "gs://" + stateBucket + "/up/bootstrap.tfstate"}; !slices.Equal(objects, want) {
		t.Errorf("the bucket has %v, want %v", objects, want)
	}
	for _, pattern := range []string{"terraform/up_*.tf", "terraform/bootstrap/up_*.tf"} {
		if found, _ := filepath.Glob(filepath.Join(l.dir, pattern)); len(found) > 0 {
			t.Errorf("%v is left", found)
		}
	}
}

// checkOnce fails if something of one of these kinds is there twice. Its name is
// Google's; what has a name of ours cannot be there twice.
func (l *laptop) checkOnce(t *testing.T, kinds ...string) {
	t.Helper()
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	seen := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(l.g.objects)) {
		kind := filepath.Base(filepath.Dir(key))
		title := fmt.Sprint(kind, " ", l.g.objects[key]["displayName"])
		if slices.Contains(kinds, kind) && seen[title] {
			t.Errorf("there are two %s", title)
		}
		seen[title] = true
	}
	for _, kind := range kinds {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(seen)), func(title string) bool { return strings.HasPrefix(title, kind+" ") }) {
			t.Errorf("there are no %s", kind)
		}
	}
}

func TestUpMakesAPicture(t *testing.T) {
	t.Parallel()
	l := newLaptop(t)
	l.checkUp(t, l.up(t))
	l.g.checkBuilder(t)
	before := len(l.g.since(0))
	l.checkUp(t, l.up(t))
	if again := l.g.since(before); !slices.Equal(again, []string{"RUN doctor"}) {
		t.Errorf("the second run did %v", again)
	}
}

// After a Ctrl-C, Terraform ends what it is at, and notes it. The next run goes on
// from there.
func TestUpAfterCtrlC(t *testing.T) {
	t.Parallel()
	l := newLaptop(t)
	l.signal, l.at = syscall.SIGINT, []string{`^POST secretmanager/\S+:addVersion$`}
	if output := l.up(t); strings.Contains(output, "https://pictures") || len(l.at) > 0 {
		t.Fatalf("it went on:\n%s", output)
	}
	l.checkUp(t, l.up(t))
	l.checkOnce(t, "alertPolicies", "notificationChannels", "dashboards")
	if versions := l.g.names("versions"); len(versions) != len(l.g.names("secrets")) {
		t.Errorf("of %v there are %v", l.g.names("secrets"), versions)
	}
}

// Killed again and again, each time with something that was just made and is in no
// state yet, it goes on, and ends the same. A migration that nobody waited for runs
// again.
func TestUpAfterItWasKilled(t *testing.T) {
	t.Parallel()
	l := newLaptop(t)
	l.signal, l.at = syscall.SIGKILL, []string{
		`^POST storage/b$`, `^POST iam/.*/ai-worker-build.*:setIamPolicy$`, `^POST artifactregistry/.*/repositories$`, // of bootstrap
		`^POST iam/.*/serviceAccounts$`, `^POST cloudtasks/.*/queues$`, `^POST secretmanager/.*/secrets$`,
		`^POST monitoring/.*/alertPolicies$`, `^RUN migrate$`, `^POST run/.*/services$`,
	}
	told, output := map[string]bool{}, ""
	for more := true; more; { // the last run is not killed
		left := len(l.at)
		output, more = l.up(t), left > 0
		if more && len(l.at) == left {
			t.Fatalf("nothing that it did is like one of %v", l.at)
		}
		for _, alert := range regexp.MustCompile(`gcloud alpha monitoring policies delete (\S+)`).FindAllStringSubmatch(output, -1) {
			told[alert[1]] = true
		}
	}
	if len(told) == 0 {
		t.Error("it tells of no alert that is there twice")
	}
	for alert := range told {
		l.g.remove("monitoring/" + alert)
	}
	l.checkUp(t, output)
	l.checkOnce(t, "alertPolicies")
	changes := l.g.since(0)
	served := slices.IndexFunc(changes, func(c string) bool { return strings.HasPrefix(c, "POST run/") && strings.HasSuffix(c, "/services") })
	if migrated := slices.Index(changes, "RUN migrate"); !slices.Contains(changes[migrated+1:served], "RUN migrate") {
		t.Error("the services were made, and nobody knows whether the migration succeeded")
	}
}

// Later applies have their state in the bucket. A kill leaves it locked, and the
// next run says at once how to unlock it.
func TestUpAfterALaterOneWasKilled(t *testing.T) {
	t.Parallel()
	l := newLaptop(t)
	l.up(t)
	const file = "terraform/terraform.tfvars"
	text, err := os.ReadFile(filepath.Join(l.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	l.write(t, file, strings.Replace(string(text), "rpm = 60", "rpm = 50", 1), 0o600)
	l.signal, l.at = syscall.SIGKILL, []string{`^PATCH cloudtasks/`}
	l.up(t)
	output, _, ok := l.run(t)
	unlock := regexp.MustCompile(`TF_DATA_DIR=\S+ terraform -chdir=terraform force-unlock -force \d+`).FindString(output)
	if ok || unlock == "" {
		t.Fatalf("it succeeded: %t, or does not say how to unlock the state:\n%s", ok, output)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", unlock)
	cmd.Dir, cmd.Env = l.dir, l.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", unlock, err, out)
	}
	l.checkUp(t, l.up(t))
}
