package deploy_test

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

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/test/programs"
)

// An account stands in for the accounts at Google, Cloudflare and the service
// itself, as scripts/up.sh sees them, and for Terraform.
type account struct {
	mu      sync.Mutex
	answers map[string]string // by the beginning of a call; "!" makes it fail
	calls   []string          // all of them
	made    map[string]int    // what was made, and how often
	secrets string            // what the last apply was handed
	keys    map[string]bool   // idempotency keys of pictures
	ends    string            // how a picture ends
	// killed is which of the calls that make something kills the script after
	// it is done; 0 is none.
	killed int
	script *os.Process
}

func newAccount() *account {
	return &account{made: map[string]int{}, keys: map[string]bool{}, ends: "succeeded", answers: map[string]string{
		"terraform version":                              "Terraform v1.11.4\n",
		"gcloud auth list":                               "me@example.com\n",
		"gcloud auth application-default":                "token\n",
		"gcloud projects describe my-project":            "ACTIVE\n",
		"gcloud billing projects describe my-project":    "True,billingAccounts/0X0X0X-0X0X0X-0X0X0X\n",
		"gcloud billing accounts describe 0X0X0X-0X0X0X": "EUR\n",
		"gcloud resource-manager org-policies describe":  "",
		"gcloud auth print-access-token":                 "token\n",
		"terraform -chdir=terraform state pull":          "{}\n",
		"ai-worker doctor --keys":                        "✓ all\n",
		"curl":                                           "200",
	}}
}

// makes are the calls that make something, by what it is.
var makes = []struct {
	what string
	call *regexp.Regexp
}{
	{"bootstrap's init", regexp.MustCompile(`^terraform -chdir=terraform/bootstrap init$`)},
	{"bootstrap", regexp.MustCompile(`^terraform -chdir=terraform/bootstrap apply -auto-approve -no-color -lock-timeout=15m -state=\S+/bootstrap.tfstate -var=project=my-project -var=region=europe-west1 -var=name=ai-worker$`)},
	{"bootstrap's state", regexp.MustCompile(`^gcloud storage cp \S+/bootstrap.tfstate gs://my-project-ai-worker-state/up/bootstrap.tfstate --project=my-project$`)},
	{"r2's init", regexp.MustCompile(`^terraform -chdir=terraform/r2 init$`)},
	{"r2", regexp.MustCompile(`^terraform -chdir=terraform/r2 apply -auto-approve -state=\S+/r2.tfstate -var=account_id=[0-9a-f]{32} -var=bucket=ai-worker-pictures$`)},
	{"r2's state", regexp.MustCompile(`^gcloud storage cp \S+/r2.tfstate gs://my-project-ai-worker-state/up/r2.tfstate --project=my-project$`)},
	{"the image", regexp.MustCompile(`^gcloud builds submit --project=my-project --config=cloudbuild.yaml --gcs-source-staging-dir=gs://my-project-ai-worker-source/source --substitutions=_DEPLOY=false,_TEST=false,_REGION=europe-west1,_REPOSITORY=ai-worker,_BUILD_ACCOUNT=ai-worker-build$`)},
	{"the service's init", regexp.MustCompile(`^terraform -chdir=terraform init -reconfigure$`)},
	{"the service", regexp.MustCompile(`^terraform -chdir=terraform apply -auto-approve -no-color -lock-timeout=\w+ -var=secrets_file=(\S+)$`)},
	{"the init of its bucket", regexp.MustCompile(`^terraform -chdir=terraform init -reconfigure -backend-config=bucket=my-project-ai-worker-state -backend-config=prefix=ai-worker$`)},
	{"the service's state", regexp.MustCompile(`^terraform -chdir=terraform state push -no-color \S+/service.tfstate$`)},
	{"doctor's look", regexp.MustCompile(`^gcloud run jobs execute ai-worker-doctor --wait --project=my-project --region=europe-west1 --quiet$`)},
	{"the picture", regexp.MustCompile(`^curl .*https://api.example.com/api/generate-images .*Idempotency-Key: (\S+) `)},
}

func (a *account) call(args []string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	line := strings.Join(args, " ")
	a.calls = append(a.calls, line)
	for _, beginning := range slices.Backward(slices.Sorted(maps.Keys(a.answers))) { // the longest first
		if strings.HasPrefix(line, beginning) && !strings.Contains(line, "api.example.com") {
			if text, fails := strings.CutPrefix(a.answers[beginning], "!"); fails {
				return "", errors.New(text)
			}
			return a.answers[beginning], nil
		}
	}
	for _, m := range makes {
		if found := m.call.FindStringSubmatch(line); found != nil {
			return a.make(m.what, found, args)
		}
	}
	switch {
	case args[0] == "sleep":
		return "", nil
	case strings.HasPrefix(line, "gcloud storage ls gs://my-project-ai-worker-state/** "):
		if a.made["the service's state"] > 0 {
			return "gs://my-project-ai-worker-state/ai-worker/default.tfstate\n", nil
		}
		return "gs://my-project-ai-worker-state/up/bootstrap.tfstate\n", nil
	case strings.HasPrefix(line, "gcloud storage cp gs://"):
		return "", errors.New("there is no such object")
	case strings.HasPrefix(line, "gcloud artifacts docker tags list "):
		if a.made["the image"] > 0 {
			return "live,sha256:0000\n", nil
		}
		return "", nil
	case strings.HasSuffix(line, "-raw r2_credentials"):
		return "r2id:r2secret", nil
	case strings.HasSuffix(line, "terraform output -raw api_url"):
		return "https://api.example.com", nil
	case strings.Contains(line, "https://api.example.com/api/jobs/019a"):
		return "", a.respond(args, a.ends)
	}
	return "", fmt.Errorf("no such call: %s", line)
}

// make makes something, and kills the script if it is its turn.
func (a *account) make(what string, found, args []string) (string, error) {
	a.made[what]++
	var err error
	switch what {
	case "the service":
		text, e := os.ReadFile(found[1])
		a.secrets, err = string(text), e
		if a.made["the service's state"] == 0 { // it is a file, as Terraform is told in up_override.tf
			err = errors.Join(err, os.WriteFile(filepath.Join(filepath.Dir(found[1]), "service.tfstate"), []byte("{}"), 0o600))
		}
	case "bootstrap", "r2": // Terraform writes the state that it is told
		for _, arg := range args {
			if path, ok := strings.CutPrefix(arg, "-state="); ok {
				err = os.WriteFile(path, []byte("{}"), 0o600)
			}
		}
	case "the picture":
		a.keys[found[1]] = true
		err = a.respond(args, "processing")
	}
	if a.killed > 0 {
		if a.killed--; a.killed == 0 {
			// The script is a group of its own, with what it has started.
			err = errors.Join(err, syscall.Kill(-a.script.Pid, syscall.SIGKILL))
		}
	}
	return "", err
}

// respond writes a job to where curl is told.
func (a *account) respond(args []string, status string) error {
	body := `{"id": "019a", "status": "` + status + `", "images": [{"status": "succeeded", "id": "x"}],
 "output": ["https://pictures.example.com/a.png?a=1\u0026b=2"], "error": null, "cost_usd": 0.034}`
	return os.WriteFile(args[slices.Index(args, "--output")+1], []byte(body), 0o600)
}

// A laptop has a copy of the repository's scripts, and up.sh's settings.
type laptop struct{ dir, settings string }

const settings = `# for a test
PROJECT=my-project
GEMINI_API_KEY=AIza-secret
DATABASE_URL=postgres://u:dbsecret@ep-1-pooler.neon.tech/jobs?sslmode=require
MIGRATE_DATABASE_URL=postgres://u:dbsecret@ep-1.neon.tech/jobs?sslmode=require
REDIS_URL=rediss://default:redissecret@x.upstash.io:6379
R2_ACCOUNT_ID=0123456789abcdef0123456789abcdef
CLOUDFLARE_API_TOKEN=cfsecret
ALERT_EMAIL=oncall@example.com
`

func newLaptop(t *testing.T, changes ...string) laptop {
	t.Helper()
	l := laptop{dir: t.TempDir()}
	for _, folder := range []string{"scripts", "terraform"} {
		if err := os.Mkdir(filepath.Join(l.dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, script := range []string{"up.sh", "up-checks.sh", "up-make.sh", "cloud.sh"} {
		l.write(t, "scripts/"+script, read(t, "../../scripts/"+script), 0o700)
	}
	l.settings = "settings"
	l.write(t, l.settings, strings.NewReplacer(changes...).Replace(settings), 0o600)
	return l
}

func (l laptop) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func (l laptop) up(t *testing.T, a *account, flags ...string) (output string, ok bool) {
	t.Helper()
	bin := programs.Dir(t, []string{"gcloud", "curl", "terraform", "ai-worker", "sleep"}, a.call)
	cmd := exec.CommandContext(t.Context(), filepath.Join(l.dir, "scripts/up.sh"), append([]string{"--settings", filepath.Join(l.dir, l.settings)}, flags...)...)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AI_WORKER=" + filepath.Join(bin, "ai-worker")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	a.mu.Lock() // no call is answered until a.script is set
	err := cmd.Start()
	a.script = cmd.Process
	a.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	return out.String(), err == nil
}

// checkUp fails unless all is there, and was made as often as it may be.
func (a *account) checkUp(t *testing.T, l laptop, output string) {
	t.Helper()
	for _, m := range makes {
		if a.made[m.what] == 0 {
			t.Errorf("%s was not made", m.what)
		}
	}
	if a.made["the image"] != 1 || len(a.keys) != 1 {
		t.Errorf("%d images were built, and %d pictures asked for", a.made["the image"], len(a.keys))
	}
	for _, want := range []string{"https://pictures.example.com/a.png?a=1&b=2\n", "it cost 0.034 US dollars"} {
		if !strings.Contains(output, want) {
			t.Errorf("it does not say %q:\n%s", want, output)
		}
	}
	tfvars := read(t, filepath.Join(l.dir, "terraform/terraform.tfvars"))
	for _, want := range []string{
		`project       = "my-project"`, `build_account = "ai-worker-build@my-project.iam.gserviceaccount.com"`, "migrate_database_url = true",
		"default = { rpm = 60, concurrency = 25 }", `bucket     = "ai-worker-pictures"`, `alert_emails = ["oncall@example.com"]`,
	} {
		if !strings.Contains(tfvars, want) {
			t.Errorf("terraform.tfvars does not say %q:\n%s", want, tfvars)
		}
	}
	for _, want := range []string{`"r2-credentials": "r2id:r2secret"`, `"gemini-api-key-default": "AIza-secret"`, `"migrate-database-url": "postgres://u:dbsecret@ep-1.neon.tech`} {
		if !strings.Contains(a.secrets, want) {
			t.Errorf("the secrets do not have %s", want)
		}
	}
}

// checkSecrets fails if a secret is in a command line, in what is printed, or in
// a file that others can read.
func (a *account) checkSecrets(t *testing.T, l laptop, output string) {
	t.Helper()
	secrets := regexp.MustCompile(`dbsecret|redissecret|cfsecret|AIza-secret|r2secret`)
	for _, call := range append(a.calls, output) {
		// The fake curl sends what is in a file that curl only has open.
		call = regexp.MustCompile(`--config header = "Authorization: Bearer [^"]*"`).ReplaceAllString(call, "")
		if s := secrets.FindString(call); s != "" {
			t.Errorf("%s is in %s", s, call)
		}
	}
	_ = filepath.Walk(filepath.Join(l.dir, ".data"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode()&0o077 != 0 {
			t.Errorf("others may use %s: %v", path, info.Mode())
		}
		return err
	})
}

func TestUpMakesAPicture(t *testing.T) {
	t.Parallel()
	l, a := newLaptop(t), newAccount()
	output, ok := l.up(t, a)
	if !ok {
		t.Fatalf("it failed:\n%s", output)
	}
	a.checkUp(t, l, output)
	a.checkSecrets(t, l, output)
	if want := "the billing account is 0X0X0X-0X0X0X-0X0X0X, in EUR"; !strings.Contains(output, want) {
		t.Errorf("it does not say %q:\n%s", want, output)
	}
}

// Killed after anything that it makes, and run again, it ends the same: one
// image is built, one picture is paid for, and the salt and the key of the API
// stay.
func TestUpAfterItWasKilled(t *testing.T) {
	t.Parallel()
	for killed := 1; killed <= len(makes); killed++ {
		t.Run(makes[killed-1].what, func(t *testing.T) {
			t.Parallel()
			l, a := newLaptop(t), newAccount()
			a.killed = killed
			if output, ok := l.up(t, a); ok {
				t.Fatalf("it was not killed:\n%s", output)
			}
			before := a.secrets
			// What it was told is kept, so that it need not be told again.
			l.write(t, l.settings, "PROJECT=my-project\n", 0o600)
			output, ok := l.up(t, a)
			if !ok {
				t.Fatalf("it failed:\n%s", output)
			}
			a.checkUp(t, l, output)
			if before != "" && before != a.secrets {
				t.Errorf("the secrets changed (-before +now):\n%s", cmp.Diff(before, a.secrets))
			}
		})
	}
}

// A picture that failed stays so under its idempotency key. Run again once that is
// mended, it asks for another one; one that is still drawn, it goes on waiting for.
func TestUpAfterAPictureThatDidNotCome(t *testing.T) {
	t.Parallel()
	for ends, want := range map[string]int{"failed": 2, "queued": 1} {
		l, a := newLaptop(t), newAccount()
		a.ends = ends
		if output, ok := l.up(t, a); ok || !strings.Contains(output, "the picture is "+ends) {
			t.Errorf("it succeeded: %t\n%s", ok, output)
		}
		a.ends = "succeeded"
		if output, ok := l.up(t, a); !ok || len(a.keys) != want {
			t.Errorf("%s: the second run succeeded: %t; %d pictures, want %d\n%s", ends, ok, len(a.keys), want, output)
		}
	}
}

// Nothing is made before all is known to be well, and all troubles are told at
// once.
func TestUpRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		changes []string
		account map[string]string
		says    []string
	}{
		"missing values":        {[]string{"GEMINI_API_KEY=AIza-secret\n", "", "REDIS_URL=", "#"}, nil, []string{"GEMINI_API_KEY is missing", "REDIS_URL is missing"}},
		"malformed values":      {[]string{"postgres://u", "mysql://u", "0123456789abcdef0123456789abcdef", "me"}, nil, []string{"DATABASE_URL must be a URL", "R2_ACCOUNT_ID must be the 32"}},
		"a project's number":    {[]string{"PROJECT=my-project", "PROJECT=1234567"}, nil, []string{"PROJECT must be the ID of a project"}},
		"an unknown setting":    {[]string{"ALERT_EMAIL", "ALERT_MAIL"}, nil, []string{"there is no setting ALERT_MAIL"}},
		"a pooler only":         {[]string{"MIGRATE_DATABASE_URL", "#"}, nil, []string{"MIGRATE_DATABASE_URL is missing: DATABASE_URL leads to a transaction pooler"}},
		"PgBouncer only":        {[]string{"@ep-1-pooler.neon.tech/", "@db.example.com:6432/", "MIGRATE_DATABASE_URL", "#"}, nil, []string{"MIGRATE_DATABASE_URL is missing: DATABASE_URL leads to a transaction pooler"}},
		"a pooler twice":        {[]string{"@ep-1.neon", "@ep-1-pooler.neon"}, nil, []string{"MIGRATE_DATABASE_URL leads to a transaction pooler as well"}},
		"an old Terraform":      {nil, map[string]string{"terraform version": "Terraform v1.9.8\n"}, []string{"Terraform is 1.9.8"}},
		"nobody signed in":      {nil, map[string]string{"gcloud auth list": "", "gcloud auth application-default": "!none"}, []string{"gcloud auth login", "gcloud auth application-default login"}},
		"no project":            {nil, map[string]string{"gcloud projects describe my-project": "!NOT_FOUND"}, []string{"there is no project my-project"}},
		"no billing":            {nil, map[string]string{"gcloud billing projects describe my-project": "False,\n"}, []string{"my-project has no billing"}},
		"another region":        {nil, map[string]string{"gcloud resource-manager org-policies describe gcp.resourceLocations": "in:us-locations\n"}, []string{"does not allow the region europe-west1"}},
		"no ingress":            {nil, map[string]string{"gcloud resource-manager org-policies describe run.allowedIngress": "internal\n"}, []string{"run.allowedIngress"}},
		"no accounts":           {nil, map[string]string{"gcloud resource-manager org-policies describe iam.disableServiceAccountCreation": "True\n"}, []string{"does not allow new service accounts"}},
		"a key that is bad":     {nil, map[string]string{"ai-worker doctor --keys": "!✗ gemini"}, []string{"✗ gemini", "what is above with ✗"}},
		"a token of Cloudflare": {nil, map[string]string{"curl": "403"}, []string{"Cloudflare answers 403"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, a := newLaptop(t, tt.changes...), newAccount()
			maps.Copy(a.answers, tt.account)
			output, ok := l.up(t, a)
			if ok {
				t.Error("it succeeded")
			}
			for _, want := range append(tt.says, "nothing was made") {
				if !strings.Contains(output, want) {
					t.Errorf("it does not say %q:\n%s", want, output)
				}
			}
			if len(a.made) > 0 {
				t.Errorf("it made %v", a.made)
			}
			a.checkSecrets(t, l, output)
		})
	}
}

func TestUpOnlyLooks(t *testing.T) {
	t.Parallel()
	l, a := newLaptop(t), newAccount()
	output, ok := l.up(t, a, "--check")
	if !ok || len(a.made) > 0 || !strings.Contains(output, "all is well; nothing was made") {
		t.Errorf("it succeeded: %v; it made %v\n%s", ok, a.made, output)
	}
}

// Supabase's session pooler holds a session's lock, so migrations need no other address.
func TestUpTakesASessionPooler(t *testing.T) {
	t.Parallel()
	l, a := newLaptop(t, "@ep-1-pooler.neon.tech/", "@aws-0-eu.pooler.supabase.com:5432/", "MIGRATE_DATABASE_URL", "#"), newAccount()
	if output, ok := l.up(t, a, "--check"); !ok {
		t.Errorf("it refuses:\n%s", output)
	}
}

// A quota that ten workers cannot draw has more of them, or Terraform would refuse it.
func TestUpHasWorkersForTheQuota(t *testing.T) {
	t.Parallel()
	l, a := newLaptop(t, "GEMINI_API_KEY", "GEMINI_RPM=1000\nGEMINI_API_KEY"), newAccount()
	output, ok := l.up(t, a)
	written := read(t, filepath.Join(l.dir, "terraform/terraform.tfvars"))
	for _, want := range []string{"{ rpm = 1000, concurrency = 417 }", "worker = { max_instances = 11 }"} {
		if !ok || !strings.Contains(written, want) {
			t.Errorf("it succeeded: %v; terraform.tfvars has no %s:\n%s\n%s", ok, want, written, output)
		}
	}
	l, a = newLaptop(t, "GEMINI_API_KEY", "GEMINI_RPM=12001\nGEMINI_API_KEY"), newAccount()
	if output, ok := l.up(t, a); ok || !strings.Contains(output, "GEMINI_RPM must be a whole number from 1 to 12000") {
		t.Errorf("it succeeded: %v\n%s", ok, output)
	}
}

func TestUpDrawsNoPicture(t *testing.T) {
	t.Parallel()
	l, a := newLaptop(t), newAccount()
	output, ok := l.up(t, a, "--no-picture")
	if !ok || a.made["the picture"] > 0 || a.made["doctor's look"] != 1 || !strings.Contains(output, "the API is https://api.example.com") {
		t.Errorf("it succeeded: %v; it made %v\n%s", ok, a.made, output)
	}
}

// Where the organisation forbids allUsers, the API is opened in another way. A
// file that others can read, and one of another service, are refused.
func TestUpKnowsOrganisationsAndNeighbours(t *testing.T) {
	t.Parallel()
	l, a := newLaptop(t), newAccount()
	a.answers["gcloud resource-manager org-policies describe iam.allowedPolicyMemberDomains"] = "C0abcdefg\n"
	if output, ok := l.up(t, a); !ok || !strings.Contains(read(t, filepath.Join(l.dir, "terraform/terraform.tfvars")), "invoker_iam_disabled = true") {
		t.Errorf("it succeeded: %v\n%s", ok, output)
	}
	l.write(t, "terraform/terraform.tfvars", "project = \"other\"\nregion = \"europe-west1\"\nname = \"ai-worker\"\n", 0o600)
	if output, ok := l.up(t, newAccount()); ok || !strings.Contains(output, "its project is not that of this service") {
		t.Errorf("it succeeded: %v\n%s", ok, output)
	}
	if err := os.Chmod(filepath.Join(l.dir, l.settings), 0o644); err != nil {
		t.Fatal(err)
	}
	if output, ok := l.up(t, newAccount()); ok || !strings.Contains(output, "others can read") {
		t.Errorf("it succeeded: %v\n%s", ok, output)
	}
}
