package e2e_test

import (
	"image"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var readyAt = regexp.MustCompile(`ready at (http://localhost:\d+)`)

// startDev starts cmd/dev in dir, and returns it once it is ready.
func startDev(t *testing.T, dir string, env ...string) (*process, api) {
	t.Helper()
	p := start(t, build(t, "dev"), dir, append([]string{"PORT=0", "CLOUD_TASKS_EMULATOR_PORT=0", "GEMINI_RPM=600"}, env...))
	a := api{t: t}
	await(t, "dev being ready", startTimeout, func() bool {
		if m := readyAt.FindStringSubmatch(p.out.String()); m != nil {
			a.base = m[1]
		}
		return a.base != ""
	})
	return p, a
}

// A new user starts like this: no settings, one command, one curl.
func TestDevDrawsAPicture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, a := startDev(t, dir)
	j := a.generate(`{"prompt":"A lighthouse at dusk","aspect_ratio":"16:9","count":2}`)
	j = a.poll(j.ID, "succeeded")
	if len(j.Output) != 2 {
		t.Fatalf("%d pictures, want 2", len(j.Output))
	}
	format, size := a.picture(j.Output[0])
	if want := (image.Point{X: j.Images[0].Width, Y: j.Images[0].Height}); format != "png" || size != want || size.X <= size.Y {
		t.Errorf("got %s of %v, want png of %v", format, size, want)
	}
	for _, row := range []string{"Postgres", "Redis", "Gemini", "R2", "Cloud Tasks"} {
		if !regexp.MustCompile(row + ` +embedded`).MatchString(p.out.String()) {
			t.Errorf("it does not say that %s is embedded", row)
		}
	}

	// Jobs and pictures survive a restart.
	p.stop()
	_, a = startDev(t, dir)
	again := a.get(j.ID)
	if again.Status != "succeeded" {
		t.Errorf("after a restart the job is %s", again.Status)
	}
	if format, _ := a.picture(again.Output[1]); format != "png" {
		t.Errorf("after a restart the picture is %q", format)
	}
}

// The jobs that were accepted are done even if the process is killed first.
func TestDevGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := "PORT=" + freePort(t) // the address of the tasks that are left has it
	p, a := startDev(t, dir, port, "GEMINI_RPM=60", "WORKER_CONCURRENCY=1")
	j := a.generate(`{"prompt":"A fox","count":3}`)
	p.kill()
	<-p.done
	_, a = startDev(t, dir, port)
	if j = a.poll(j.ID, "succeeded"); len(j.Output) != 3 {
		t.Errorf("%d pictures, want 3", len(j.Output))
	}
}

func TestDevUsesWhatIsSet(t *testing.T) {
	t.Parallel()
	p, a := startDev(t, t.TempDir(), "API_KEYS=web:0123456789abcdef")
	var problem struct{ Status int }
	if _, err := a.call(http.MethodGet, "/api/jobs/x", "", &problem); err != nil || problem.Status != http.StatusUnauthorized {
		t.Errorf("without the key: %d, %v", problem.Status, err)
	}
	if !strings.Contains(p.out.String(), "Authorization: Bearer") {
		t.Error("the example does not show where the key goes")
	}
}

func TestDevRefusesHalfAService(t *testing.T) {
	t.Parallel()
	p := start(t, build(t, "dev"), t.TempDir(), []string{"R2_BUCKET=pictures", "GEMINI_RPM=many"})
	if err := <-p.done; err == nil {
		t.Fatal("it started")
	}
	for _, setting := range []string{"GEMINI_RPM", "R2_ACCESS_KEY_ID", "R2_ACCOUNT_ID", "R2_SECRET_ACCESS_KEY"} {
		if !strings.Contains(p.out.String(), setting) {
			t.Errorf("it does not name %s: %s", setting, p.out)
		}
	}
}
