package deploy_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ai-worker/ai-worker/test/programs"
)

// A revision is one version of a service, as `gcloud run services update` makes
// it.
type revision struct {
	name, image, rpm string
	secret           string // version of the secret that it reads
	created          int    // in the order in which all revisions were made
}

// A service is a service of Cloud Run.
type service struct {
	revisions []revision
	pinned    string // the revision that has all traffic; empty if the latest one has it
	tagged    string // the revision with the tag candidate
	canary    string // percent of the traffic that the latest revision has besides the pinned one
	split     bool   // somebody has split the traffic by hand
	plan      string // of a roll-back, in an annotation
}

func (s *service) latest() revision { return s.revisions[len(s.revisions)-1] }

func (s *service) serving() revision {
	i := slices.IndexFunc(s.revisions, func(r revision) bool { return r.name == s.pinned })
	if i < 0 {
		return s.latest()
	}
	return s.revisions[i]
}

// A jobSpec says what a job of Cloud Run would run.
type jobSpec struct {
	image, rpm string
}

// A cloud stands in for the part of Google Cloud that the script sees. A gcloud
// and a curl of its own ask it. It knows only the calls that the script should
// make.
type cloud struct {
	mu       sync.Mutex
	services map[string]*service
	jobs     map[string]*jobSpec
	tags     map[string]string
	rate     string            // of the queue
	settings string            // of all revisions, besides GEMINI_RPM
	made     int               // revisions
	secrets  map[string]string // state by version
	errors   map[string]int    // in the log, by revision
	gone     string            // an image that the registry has deleted

	calls []string // the calls that change, run or request something
	// failing has calls that fail. Each fails only the first time.
	failing []string
	// health and refusal are the answers of candidates. health has headers,
	// too.
	health, refusal string
	// terminated is the call during which the script gets a SIGTERM.
	terminated string
	// killed is which of the calls that change something kills the script,
	// after it is done; 0 is none.
	killed int
	script *os.Process
}

const (
	project    = "p"
	region     = "europe-west1"
	repository = region + "-docker.pkg.dev/p/r/ai-worker"
	imageNow   = repository + "@sha256:0000"
	imageNew   = repository + "@sha256:1111"
	queue      = "ai-worker-default-v1"
)

// newCloud returns the cloud as it is after a deploy of imageNow.
func newCloud() *cloud {
	c := &cloud{
		services: map[string]*service{}, jobs: map[string]*jobSpec{},
		tags:     map[string]string{"live": "sha256:0000", "build-7": "sha256:1111"},
		rate:     "1.0",
		settings: "ROLE,worker\nCLOUD_TASKS_QUEUE,projects/p/locations/europe-west1/queues/" + queue,
		secrets:  map[string]string{"1": "ENABLED", "2": "ENABLED"},
		errors:   map[string]int{},
		health:   healthy("v7"),
		refusal:  "401 application/problem+json",
	}
	for _, name := range []string{"ai-worker", "ai-worker-api"} {
		c.made++
		c.services[name] = &service{revisions: []revision{{name: name + "-1", image: imageNow, rpm: "60", secret: "1", created: c.made}}}
	}
	c.jobs["ai-worker-migrate"] = &jobSpec{image: imageNow}
	c.jobs["ai-worker-doctor"] = &jobSpec{image: imageNow, rpm: "60"}
	return c
}

// programs returns a directory with programs that ask c.
func (c *cloud) programs(t *testing.T) string {
	t.Helper()
	return programs.Dir(t, []string{"gcloud", "curl", "sleep"}, func(args []string) (string, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.call(args)
	})
}

// secret matches a token in a flag.
var secret = regexp.MustCompile(`Bearer \S+`)

// reads matches calls that change nothing.
var reads = regexp.MustCompile(` (describe|list|read|print-identity-token) `)

func (c *cloud) call(args []string) (string, error) {
	line := secret.ReplaceAllString(strings.Join(args, " "), "Bearer …")
	if args[0] == "gcloud" && args[1] != "auth" {
		var err error
		if line, err = placed(line); err != nil {
			return "", err
		}
	}
	if args[0] == "sleep" {
		return "", nil
	}
	changes := !reads.MatchString(line)
	if changes {
		c.calls = append(c.calls, strings.TrimPrefix(line, "gcloud "))
	}
	if changes && args[0] == "gcloud" && c.killed > 0 {
		if c.killed--; c.killed == 0 {
			out, err := c.gcloud(line)
			return out, errors.Join(err, c.script.Kill())
		}
	}
	if i := slices.IndexFunc(c.failing, func(f string) bool { return strings.Contains(line, f) }); i >= 0 {
		c.failing = slices.Delete(c.failing, i, i+1)
		return "", fmt.Errorf("failing as asked: %s", line)
	}
	if c.terminated != "" && strings.Contains(line, c.terminated) {
		c.terminated = ""
		if err := c.script.Signal(syscall.SIGTERM); err != nil {
			return "", err
		}
	}
	if args[0] == "curl" {
		return c.curl(line)
	}
	return c.gcloud(line)
}

// placed removes the flags that say where, and --quiet. It fails if the project
// is missing.
func placed(line string) (string, error) {
	for _, flags := range []string{" --project=" + project, " --region=" + region, " --location=" + region, " --quiet"} {
		found := strings.Contains(line, flags)
		line = strings.Replace(line, flags, "", 1)
		if !found && strings.HasPrefix(flags, " --project") {
			return "", fmt.Errorf("no project: %s", line)
		}
	}
	return line, nil
}

// A route is a call of gcloud. do gets the groups of its pattern.
type route struct {
	pattern string
	do      func(c *cloud, m []string) (string, error)
}

// routes returns the calls that the script may make. The describe commands
// print what gcloud 578 printed.
func routes() []route {
	const serviceOrJob = `(ai-worker[a-z-]*)`
	return []route{
		{`artifacts docker tags list ` + repository + ` --format=csv\[no-heading\]\(tag.basename\(\),version.basename\(\)\)`, (*cloud).listTags},
		{`artifacts tags (create|update) live --version=(\S+) --package=ai-worker --repository=r`, (*cloud).tag},
		{`run services describe ` + serviceOrJob + ` --flatten=status.traffic\[\] --format=csv\[no-heading\]\(status.traffic.(percent|tag),status.traffic.(revisionName|url)\)`, (*cloud).traffic},
		{`run services describe ` + serviceOrJob + ` --format=value\(status.url\)`, (*cloud).url},
		{`run services describe ` + serviceOrJob + ` --format=value\(status.latestCreatedRevisionName\)`, (*cloud).latestName},
		{`run services describe ` + serviceOrJob + ` --format=value\(metadata.annotations.rollbackPlan\)`, (*cloud).planOf},
		{`run services describe ` + serviceOrJob + ` --format=yaml\(metadata.name,metadata.annotations,metadata.labels\)`, (*cloud).metadata},
		{`run services list --format=value\(metadata.name\)`, (*cloud).listServices},
		{`run services replace (.*)`, (*cloud).replace},
		{`run services update-traffic ` + serviceOrJob + ` --to-revisions=LATEST=(\d+)`, (*cloud).share},
		{`run revisions list --service=` + serviceOrJob + ` --sort-by=~metadata.creationTimestamp --limit=200 --format=csv\[no-heading\]\(metadata.creationTimestamp,metadata.name,status.imageDigest,status.conditions.filter\("type=Ready"\).extract\("status"\).flatten\(\)\)`, (*cloud).history},
		{`run revisions delete (\S+)`, (*cloud).forget},
		{`run revisions describe (\S+) --format=yaml\(metadata.annotations,metadata.labels,spec\)`, (*cloud).template},
		{`artifacts versions describe (\S+) --format=value\(name\) --package=ai-worker --repository=r`, (*cloud).inRegistry},
		{`secrets versions describe (\d+) --secret=ai-worker-database-url --format=value\(state\)`, func(c *cloud, m []string) (string, error) { return c.secrets[m[1]] + "\n", nil }},
		{`logging read --limit=1000 --format=value\(timestamp\) resource.type="cloud_run_revision" resource.labels.revision_name="(\S+)" timestamp>="[^"]+" (.*)`, (*cloud).log},
		{`run revisions describe ` + `(\S+)` + ` --format=value\(status.imageDigest\)`, (*cloud).image},
		{`run revisions describe ` + `(\S+)` + ` --flatten=spec.containers\[\].env\[\] --format=csv\[no-heading\]\(spec.containers.env.name,spec.containers.env.value\)`, (*cloud).env},
		{`run services update ` + serviceOrJob + ` --image=(\S+)( --no-traffic)?(?: --(update|remove)-env-vars=GEMINI_RPM=?(\d*))?`, (*cloud).update},
		{`run services update-traffic ` + serviceOrJob + ` --update-tags=candidate=LATEST`, (*cloud).tagLatest},
		{`run services update-traffic ` + serviceOrJob + ` --to-latest --remove-tags=candidate`, (*cloud).toLatest},
		{`run jobs update ` + serviceOrJob + ` --image=(\S+)(?: --(update|remove)-env-vars=GEMINI_RPM=?(\d*))?`, (*cloud).updateJob},
		{`run jobs execute (ai-worker-migrate|ai-worker-doctor --args=doctor,--setup) --wait`, func(*cloud, []string) (string, error) { return "", nil }},
		{`tasks queues describe ` + queue + ` --format=value\(rateLimits.maxDispatchesPerSecond\)`, func(c *cloud, _ []string) (string, error) { return c.rate + "\n", nil }},
		{`tasks queues update ` + queue + ` --max-dispatches-per-second=([\d.]+)`, func(c *cloud, m []string) (string, error) { c.rate = m[1]; return "", nil }},
		{`auth print-identity-token --audiences=https://` + serviceOrJob + `-1.run.app`, func(*cloud, []string) (string, error) { return "token\n", nil }},
	}
}

func (c *cloud) gcloud(line string) (string, error) {
	for _, r := range routes() {
		if m := regexp.MustCompile(`^gcloud ` + r.pattern + `$`).FindStringSubmatch(line); m != nil {
			return r.do(c, m)
		}
	}
	return "", fmt.Errorf("no such call: %s", line)
}

func (c *cloud) listTags([]string) (string, error) {
	var b strings.Builder
	for name, digest := range c.tags {
		fmt.Fprintf(&b, "%s,%s\n", name, digest)
	}
	return b.String(), nil
}

func (c *cloud) tag(m []string) (string, error) {
	if _, there := c.tags["live"]; there != (m[1] == "update") {
		return "", fmt.Errorf("cannot %s: the tag's being there is %v", m[1], there)
	}
	c.tags["live"] = m[2]
	return "", nil
}

func (c *cloud) traffic(m []string) (string, error) {
	s := c.services[m[1]]
	if m[2] == "percent" && s.split {
		return "50,one\n50,other\n", nil
	}
	if m[2] == "percent" && s.canary != "" {
		return fmt.Sprintf("%s,%s\n1,%s\n", s.canary, s.latest().name, s.pinned), nil
	}
	if m[2] == "percent" {
		return fmt.Sprintf(",%s\n100,%s\n", s.tagged, s.serving().name), nil
	}
	out := ",\n"
	if s.tagged != "" {
		out += "candidate,https://candidate---" + m[1] + ".run.app\n"
	}
	return out, nil
}

func (c *cloud) url(m []string) (string, error) { return "https://" + m[1] + "-1.run.app\n", nil }

func (c *cloud) find(name string) (revision, error) {
	for _, s := range c.services {
		for _, r := range s.revisions {
			if r.name == name {
				return r, nil
			}
		}
	}
	return revision{}, fmt.Errorf("no revision %q", name)
}

func (c *cloud) image(m []string) (string, error) {
	r, err := c.find(m[1])
	return r.image + "\n", err
}

func (c *cloud) env(m []string) (string, error) {
	r, err := c.find(m[1])
	out := c.settings + "\nDATABASE_URL,\n"
	if r.rpm != "" {
		out += "GEMINI_RPM," + r.rpm + "\n"
	}
	return out, err
}

// update makes a revision. Cloud Run gives it the traffic unless the traffic is
// pinned, which --no-traffic does.
func (c *cloud) update(m []string) (string, error) {
	s := c.services[m[1]]
	if m[3] != "" {
		s.pinned = s.serving().name
	}
	c.make(m[1], revision{image: m[2], rpm: setTo(m[4], m[5], s.latest().rpm), secret: s.latest().secret})
	return "", nil
}

// make adds a revision to a service.
func (c *cloud) make(name string, r revision) {
	c.made++
	r.created = c.made
	r.name = fmt.Sprintf("%s-%d", name, c.made)
	c.services[name].revisions = append(c.services[name].revisions, r)
}

func (c *cloud) tagLatest(m []string) (string, error) {
	c.services[m[1]].tagged = c.services[m[1]].latest().name
	return "", nil
}

func (c *cloud) toLatest(m []string) (string, error) {
	c.services[m[1]].pinned, c.services[m[1]].tagged = "", ""
	c.services[m[1]].canary = ""
	return "", nil
}

func (c *cloud) updateJob(m []string) (string, error) {
	j := c.jobs[m[1]]
	j.image, j.rpm = m[2], setTo(m[3], m[4], j.rpm)
	return "", nil
}

// setTo returns a setting's value after a command. The flag updates it, removes
// it, or is not there.
func setTo(flag, value, before string) string {
	if flag == "" {
		return before
	}
	return value
}

func (c *cloud) share(m []string) (string, error) {
	s := c.services[m[1]]
	if s.pinned == "" {
		return "", errors.New("every target with traffic is updated but 100% of traffic has not been specified")
	}
	s.canary = m[2]
	return "", nil
}

func (c *cloud) latestName(m []string) (string, error) {
	return c.services[m[1]].latest().name + "\n", nil
}

func (c *cloud) planOf(m []string) (string, error) { return c.services[m[1]].plan + "\n", nil }

func (c *cloud) listServices([]string) (string, error) {
	return strings.Join(slices.Sorted(maps.Keys(c.services)), "\n") + "\nanother\n", nil
}

func (c *cloud) history(m []string) (string, error) {
	var b strings.Builder
	for _, r := range slices.Backward(c.services[m[1]].revisions) {
		fmt.Fprintf(&b, "2026-11-26T10:%02d:00.5Z,%s,%s,True\n", r.created, r.name, r.image)
	}
	return b.String(), nil
}

func (c *cloud) forget(m []string) (string, error) {
	for _, s := range c.services {
		if s.latest().name == m[1] || s.serving().name == m[1] {
			return "", fmt.Errorf("%s is the latest, or serves", m[1])
		}
		s.revisions = slices.DeleteFunc(s.revisions, func(r revision) bool { return r.name == m[1] })
	}
	return "", nil
}

func (c *cloud) inRegistry(m []string) (string, error) {
	if m[1] == c.gone {
		return "", errors.New("NOT_FOUND")
	}
	return "name\n", nil
}

func (c *cloud) log(m []string) (string, error) {
	if m[2] != "severity>=ERROR" {
		return strings.Repeat("2026-11-26T10:00:00Z\n", 40), nil
	}
	return strings.Repeat("2026-11-26T10:00:00Z\n", c.errors[m[1]]), nil
}

// curl answers a request to a candidate.
func (c *cloud) curl(line string) (string, error) {
	if !strings.Contains(line, `--config header = "X-Serverless-Authorization: Bearer …`) {
		return "", fmt.Errorf("no token: %s", line)
	}
	if strings.Contains(line, ".run.app/health ") {
		return c.health, nil
	}
	return c.refusal, nil
}

// healthy returns a version's answer to GET /health.
func healthy(version string) string {
	return "HTTP/2 200 \r\ncontent-type: application/json\r\nx-version: " + version + "\r\n\r\n" + `{"status":"healthy"}` + "\n"
}
