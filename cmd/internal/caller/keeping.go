package caller

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/files"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/terminal"
	"github.com/ai-worker/ai-worker/picture"
)

// Keeping has the flags that say what becomes of pictures here.
type Keeping struct {
	Download  string  `short:"d" placeholder:"PATH" help:"Save each picture as it lands. {id}, {index}, {ext} and {prompt} in PATH are replaced; a folder will do."`
	Force     bool    `help:"Replace files that are there already."`
	Preview   Preview `help:"Show the pictures in the terminal: with =kitty, =iterm2 or =sixel, if it does not say itself that it can."`
	NoPreview bool    `help:"Show none."`
}

// Preview is the flag --preview, which may have a value.
type Preview struct {
	given bool
	how   terminal.Protocol
}

// IsBool says that the flag needs no value. It implements kong.BoolMapperValue.
func (*Preview) IsBool() bool { return true }

// Decode implements kong.MapperValue.
func (p *Preview) Decode(ctx *kong.DecodeContext) error {
	p.given = true
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	p.how = terminal.Protocol(ctx.Scan.Pop().String())
	switch p.how {
	case terminal.Kitty, terminal.ITerm2, terminal.Sixel:
		return nil
	default:
		return fmt.Errorf("it must be kitty, iterm2 or sixel, and is %q", p.how)
	}
}

// A keeper saves pictures, if they are to be saved.
type keeper struct {
	template files.Template // empty if nothing is saved
	text     string         // as it was given
	force    bool
	protocol terminal.Protocol // how pictures are shown
}

// keeper returns the keeper that the flags describe. count is how many pictures a job
// may have.
func (k Keeping) keeper(s *session, count int) (*keeper, error) {
	protocol, err := k.protocol(s)
	if err != nil {
		return nil, usage(err)
	}
	keep := &keeper{text: k.Download, force: k.Force, protocol: protocol}
	if k.Download == "" {
		return keep, nil
	}
	if keep.template, err = files.Parse(k.Download, count); err != nil {
		return nil, usage(fmt.Errorf("--download: %w", err))
	}
	return keep, nil
}

// words returns the flags again, for a command that is proposed.
func (k *keeper) words() []string {
	var words []string
	if k.text != "" {
		words = append(words, "--download", k.text)
	}
	if k.force {
		words = append(words, "--force")
	}
	return words
}

// vacant fails if a file is where a picture would go, so that nothing is paid for that
// cannot be saved. It passes a template with {id}: no id is known before there is a job.
func (k *keeper) vacant(prompt string, count int) error {
	if k.template == "" || k.force || strings.Contains(string(k.template), "{id}") {
		return nil
	}
	for index := range min(count, mostPictures) { // the service refuses more
		for _, contentType := range picture.Types() {
			path := k.template.Path(files.Values{Index: index, ContentType: contentType, Prompt: prompt})
			if _, err := os.Lstat(path); err == nil {
				return usage(fmt.Errorf("--download: %s: %w", path, files.ErrExists))
			}
		}
	}
	return nil
}

// path returns where a picture goes.
func (k *keeper) path(j client.Job, i client.Image) string {
	return k.template.Path(files.Values{ID: j.ID, Index: i.Index, ContentType: i.ContentType, Prompt: j.Input.Prompt})
}

// protocol returns how pictures are shown, or terminal.None.
func (k Keeping) protocol(s *session) (terminal.Protocol, error) {
	if k.Preview.given && k.NoPreview {
		return terminal.None, errors.New("--preview and --no-preview exclude each other")
	}
	if k.NoPreview || !terminal.IsTerminal(s.Stderr) || !terminal.IsTerminal(s.Stdout) {
		return terminal.None, nil
	}
	found := terminal.Detect(s.Getenv)
	switch {
	case k.Preview.how != terminal.None:
		return k.Preview.how, nil
	case found == terminal.None && k.Preview.given:
		return found, errors.New("--preview: the terminal does not say that it shows pictures; if it does, say how: " +
			"--preview=kitty, --preview=iterm2 or --preview=sixel")
	default:
		return found, nil
	}
}
