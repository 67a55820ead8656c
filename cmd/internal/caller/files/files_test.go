package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/files"
)

func TestPath(t *testing.T) {
	for name, tt := range map[string]struct {
		template string
		values   files.Values
		want     string
	}{
		"all placeholders": {"out/{id}_{index}_{prompt}.{ext}", files.Values{ID: "01a2-b", Index: 3, ContentType: "image/jpeg", Prompt: "A red fox!"}, "out/01a2-b_3_a-red-fox.jpg"},
		"a folder":         {"out/", files.Values{ID: "j", ContentType: "image/png"}, "out/j_0.png"},
		"no placeholder":   {"../fox.png", files.Values{}, "../fox.png"},
		"values that would lead elsewhere": {
			"{id}/{prompt}.{ext}", files.Values{ID: "../../etc/passwd", ContentType: "../sh", Prompt: "../..//\x00 {id}\\..\n"}, "______etc_passwd/id.bin",
		},
		"a prompt without letters":     {"{prompt}", files.Values{Prompt: "../.. ☃"}, "picture"},
		"a long prompt":                {"{prompt}", files.Values{Prompt: "the quick brown fox jumps over the lazy dog"}, "the-quick-brown-fox-jumps-over-the-lazy"},
		"a prompt of one long word":    {"{prompt}", files.Values{Prompt: "ééééééééééééééééééééééééééééééééééééééééééééééééé"}, "éééééééééééééééééééééééééééééééééééééééé"},
		"a prompt in another alphabet": {"{prompt}", files.Values{Prompt: "Красная лиса"}, "красная-лиса"},
	} {
		template, err := files.Parse(tt.template, 1)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := template.Path(tt.values); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	dir := t.TempDir()
	if got, err := files.Parse(dir, 2); err != nil || string(got) != filepath.Join(dir, files.DefaultName) {
		t.Errorf("a folder that there is: %q, %v", got, err)
	}
	for _, bad := range []string{"", " ", "{name}.png", "{}", "{id}.png"} {
		if got, err := files.Parse(bad, 2); err == nil {
			t.Errorf("%q is %q", bad, got)
		}
	}
}

// there returns what a folder has.
func there(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(text)
	}
	return all
}

// A file is saved whole, once, and nothing else is left or replaced.
func TestSave(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "er")
	path := filepath.Join(dir, "fox.png")
	for _, step := range []struct {
		data  string
		force bool
		want  error
		left  string
	}{
		{"one", false, nil, "one"},
		{"one", false, nil, "one"},
		{"two", false, files.ErrExists, "one"},
		{"two!", false, files.ErrExists, "one"},
		{"two", true, nil, "two"},
	} {
		if err := files.Save(path, []byte(step.data), step.force); !errors.Is(err, step.want) {
			t.Errorf("%+v: %v", step, err)
		}
		if diff := cmp.Diff(map[string]string{"fox.png": step.left}, there(t, dir)); diff != "" {
			t.Errorf("%+v: %s", step, diff)
		}
	}
}

// Of two that save to one path at the same time, one is told that the other was first.
func TestSaveReplacesNothingThatComesMeanwhile(t *testing.T) {
	for round := range 200 {
		path := filepath.Join(t.TempDir(), "fox.png")
		errs := make(chan error, 2)
		for _, data := range []string{"one", "two"} {
			go func() { errs <- files.Save(path, []byte(data), false) }()
		}
		if a, b := <-errs, <-errs; (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), files.ErrExists) {
			t.Fatalf("round %d: %v, %v", round, a, b)
		}
	}
}

// A link that leads elsewhere is another file, and is not followed.
func TestSaveFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "precious")
	if err := os.WriteFile(target, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "fox.png")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	if err := files.Save(path, []byte("mine"), false); !errors.Is(err, files.ErrExists) {
		t.Errorf("%v", err)
	}
	if err := files.Save(path, []byte("new"), true); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]string{"fox.png": "new", "precious": "mine"}, there(t, dir)); diff != "" {
		t.Error(diff)
	}
}
