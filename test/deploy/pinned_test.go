package deploy_test

import (
	"regexp"
	"testing"
)

// What is named by a tag alone may be another program tomorrow. So images are
// pinned by digest and actions by commit, with the version beside it for people
// and for renovate.json.
func TestImagesAndActionsArePinned(t *testing.T) {
	t.Parallel()
	const image = `^\S+:\S+@sha256:[0-9a-f]{64}( #.*)?$`
	for file, tt := range map[string]struct{ uses, pinned string }{
		"../../compose.yaml":               {`(?m)^ +image: (.*)$`, image},
		"../../cloudbuild.yaml":            {`(?m)^ +name: (.*)$`, image},
		"../../Dockerfile":                 {`(?m)^ARG \w+_IMAGE=(.*)$`, image},
		"../../.github/workflows/test.yml": {`(?m)uses: (.*)$`, `^\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`},
	} {
		all := found(tt.uses, read(t, file))
		if len(all) == 0 {
			t.Errorf("%s names nothing", file)
		}
		for _, name := range all {
			if !regexp.MustCompile(tt.pinned).MatchString(name) {
				t.Errorf("%s: %s is not pinned", file, name)
			}
		}
	}
}
