package caller_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/cmd/internal/caller"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/handlers"
)

// fields returns the names of a struct's fields in JSON.
func fields(of any) []string {
	var names []string
	for f := range reflect.TypeOf(of).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Each field of the API's request can be asked for, by a flag of that name.
func TestEveryFieldHasAFlag(t *testing.T) {
	want := fields(handlers.GenerateRequest{})
	if diff := cmp.Diff(want, fields(client.Request{})); diff != "" {
		t.Errorf("client.Request has (-want +got):\n%s", diff)
	}
	parser, err := kong.New(&caller.Generate{})
	if err != nil {
		t.Fatal(err)
	}
	flags := []string{"the prompt"}
	for _, f := range parser.Model.Flags {
		flags = append(flags, "--"+f.Name)
	}
	for _, name := range want {
		if flag := caller.FlagOf("body." + name); !slices.Contains(flags, flag) {
			t.Errorf("%s has no flag %s", name, flag)
		}
	}
}

func TestMetadataOf(t *testing.T) {
	got, err := caller.MetadataOf([]string{"order=17", `{"n": 1, "deep": {"a": [1]}}`, "url=a=b,c"})
	if want := `{"deep":{"a":[1]},"n":1,"order":"17","url":"a=b,c"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := caller.MetadataOf(nil); got != nil || err != nil {
		t.Errorf("without a flag: %s, %v", got, err)
	}
	for _, bad := range []string{"order", "=17", "{", "[1]"} {
		if got, err := caller.MetadataOf([]string{bad}); err == nil {
			t.Errorf("%q is %s", bad, got)
		}
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]int64{"3600": 3600, "90m": 5400, "7d": 604800, "1.5h": 5400, "-5": -5} {
		if got, err := caller.SecondsOf(text); err != nil || *got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-25T10:00:00+02:00": time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC),
		"2026-11-25":                time.Date(2026, 11, 25, 0, 0, 0, 0, time.Local),
		"90m":                       now.Add(-90 * time.Minute),
		"7d":                        now.AddDate(0, 0, -7),
	} {
		if got, err := caller.TimeOf(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"soon", "7x", "d"} {
		if _, err := caller.TimeOf(bad, now); err == nil {
			t.Errorf("%q is a time", bad)
		}
		if _, err := caller.SecondsOf(bad); err == nil {
			t.Errorf("%q is a number of seconds", bad)
		}
	}
}

func TestFlagOf(t *testing.T) {
	for location, want := range map[string]string{
		"body.prompt": "the prompt", "body.max_cost_usd": "--max-cost-usd", "body.input_images[3]": "--input",
		"body.webhook_events[0]": "--webhook-event", "body.metadata.a": "--metadata", "query.status": "query.status", "": "",
	} {
		if got := caller.FlagOf(location); got != want {
			t.Errorf("%q: %q, want %q", location, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"jobs": "jobs", "./out/{id}.png": "'./out/{id}.png'", "it's": `'it'\''s'`, "": "''", "$HOME": "'$HOME'", "http://localhost:8080": "http://localhost:8080",
	} {
		if got := caller.ShellQuote(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
