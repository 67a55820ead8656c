package deploy_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// metadata prints a service as gcloud does, with what a replacement must not
// have.
func (c *cloud) metadata(m []string) (string, error) {
	plan := ""
	if p := c.services[m[1]].plan; p != "" {
		plan = "    rollbackPlan: " + p + "\n"
	}
	return `metadata:
  annotations:
` + plan + `    run.googleapis.com/description: Draws pictures. Cloud Tasks calls it, one request
      per picture.
    run.googleapis.com/ingress: all
    run.googleapis.com/operation-id: op
    run.googleapis.com/urls: '["https://one",
      "https://two"]'
    serving.knative.dev/creator: me@example.com
  labels:
    app: ai-worker
    cloud.googleapis.com/location: europe-west1
  name: ` + m[1] + "\n", nil
}

// template prints a revision as gcloud does.
func (c *cloud) template(m []string) (string, error) {
	r, err := c.find(m[1])
	return `metadata:
  annotations:
    autoscaling.knative.dev/maxScale: '10'
    serving.knative.dev/creator: me@example.com
  labels:
    serving.knative.dev/service: ai-worker
spec:
  containerConcurrency: 40
  containers:
  - env:
    - name: GEMINI_RPM
      value: '` + r.rpm + `'
    - name: DATABASE_URL
      valueFrom:
        secretKeyRef:
          key: '` + r.secret + `'
          name: ai-worker-database-url
    image: ` + r.image + "\n", err
}

// replacement is what a service is replaced with, line by line.
var replacement = regexp.MustCompile(`^apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  annotations:
    rollbackPlan: (.+)
    run.googleapis.com/description: Draws pictures. Cloud Tasks calls it, one request
      per picture.
    run.googleapis.com/ingress: all
  labels:
    app: ai-worker
  name: (\S+)
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/maxScale: '10'
    spec:
      containerConcurrency: 40
      containers:
      - env:
        - name: GEMINI_RPM
          value: '(\d*)'
        - name: DATABASE_URL
          valueFrom:
            secretKeyRef:
              key: '(\d)'
              name: ai-worker-database-url
        image: (\S+)
  traffic:
  - latestRevision: true
    percent: 100
$`)

func (c *cloud) replace(m []string) (string, error) {
	text := strings.ReplaceAll(m[1], "|", "\n")
	r := replacement.FindStringSubmatch(text)
	if r == nil {
		return "", fmt.Errorf("not what a service is replaced with:\n%s", text)
	}
	if c.secrets[r[4]] != "ENABLED" {
		return "", errors.New("the revision cannot start: secret " + r[4])
	}
	s := c.services[r[2]]
	s.plan, s.pinned, s.tagged, s.canary = r[1], "", "", ""
	c.make(r[2], revision{image: r[5], rpm: r[3], secret: r[4]})
	return "", nil
}
