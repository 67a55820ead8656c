package caller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/terminal"
)

// Jobs has the commands about jobs that there are.
type Jobs struct {
	List   List   `cmd:"" help:"List jobs, the newest first."`
	Get    Get    `cmd:"" help:"Show a job."`
	Watch  Watch  `cmd:"" help:"Follow a job until it has ended."`
	Cancel Cancel `cmd:"" help:"End a job. What waits is never drawn; pictures that there are stay."`
	Retry  Retry  `cmd:"" help:"Draw those pictures of a job again that failed or were canceled, as a new job."`
	Delete Delete `cmd:"" help:"Remove a job that has ended, and its pictures."`
}

// Help implements kong.HelpProvider.
func (Jobs) Help() string { return ExitCodes }

// One is the job that a command is about.
type One struct {
	ID string `arg:"" help:"The job's id."`
}

// check refuses an empty id.
func (o One) check() error {
	if strings.TrimSpace(o.ID) == "" {
		return usage(errors.New("the id of the job is empty"))
	}
	return nil
}

// openFor opens the session of a command about one job.
func (c Connection) openFor(one One, env *Environment, out Output) (*session, error) {
	s, err := c.open(env, out)
	if err != nil {
		return nil, err
	}
	return s, one.check()
}

// mostPictures is how many pictures a job has at most.
const mostPictures = 16

// Get is the command that shows a job.
type Get struct {
	One
	Keeping
	Output
	Connection
}

// Help implements kong.HelpProvider.
func (*Get) Help() string { return "With --download it saves the pictures that there are so far." }

// Run implements the command.
func (g *Get) Run(ctx context.Context, env *Environment) error {
	s, j, keep, err := begin(ctx, env, g.One, g.Keeping, g.Output, g.Connection)
	if err != nil {
		return err
	}
	if !s.asJSON {
		if err := s.describeJob(j); err != nil {
			return err
		}
	}
	return s.explain(s.show(ctx, j, keep))
}

// begin opens a session and gets the job that a command is about.
func begin(ctx context.Context, env *Environment, one One, k Keeping, out Output, c Connection) (s *session, j client.Job, keep *keeper, err error) {
	if s, err = c.openFor(one, env, out); err != nil {
		return nil, j, nil, err
	}
	if keep, err = k.keeper(s, mostPictures); err != nil {
		return nil, j, nil, err
	}
	err = s.run(ctx, func(ctx context.Context) error {
		j, err = s.client.Get(ctx, one.ID)
		return err
	})
	return s, j, keep, s.explain(err)
}

// show prints a job as it is, and saves the pictures that there are.
func (s *session) show(ctx context.Context, j client.Job, keep *keeper) error {
	f := newFollow(s, keep, following{isShown: true})
	err := f.run(ctx, j)
	s.screen.Close()
	if err != nil {
		return f.resumable(err)
	}
	if err := f.printJob(); err != nil {
		return err
	}
	return f.saved()
}

// describeJob prints a job for people, but for where its pictures are.
func (s *session) describeJob(j client.Job) error {
	clean := terminal.Clean
	lines := []string{
		"id        " + clean(j.ID),
		"status    " + clean(j.Status),
		fmt.Sprintf("pictures  %d of %d", j.Progress.Succeeded, j.Progress.Total),
		"model     " + clean(j.Input.Model),
		"prompt    " + clean(j.Input.Prompt),
		"created   " + j.CreatedAt.Local().Format(time.DateTime) + ", " + terminal.Duration(time.Since(j.CreatedAt)) + " ago",
		"cost      " + terminal.Money(j.CostUSD),
	}
	if j.RetryOf != nil {
		lines = append(lines, "retry of  "+clean(*j.RetryOf))
	}
	return s.print(lines...)
}

// Watch is the command that follows a job.
type Watch struct {
	One
	Keeping
	Output
	Connection
}

// Help implements kong.HelpProvider.
func (*Watch) Help() string {
	return "It goes on where another command was interrupted. As JSON it prints one line for each version of the job. " +
		"Ctrl-C leaves, and the job goes on.\n\n" + ExitCodes
}

// Run implements the command.
func (w *Watch) Run(ctx context.Context, env *Environment) error {
	s, j, keep, err := begin(ctx, env, w.One, w.Keeping, w.Output, w.Connection)
	if err != nil {
		return err
	}
	return s.explain(s.follow(ctx, j, keep, following{isStream: true}))
}

// Cancel is the command that ends a job.
type Cancel struct {
	One
	Output
	Connection
}

// Run implements the command.
func (c *Cancel) Run(ctx context.Context, env *Environment) error {
	s, err := c.openFor(c.One, env, c.Output)
	if err != nil {
		return err
	}
	return s.explain(s.run(ctx, func(ctx context.Context) error {
		j, err := s.client.Cancel(ctx, c.ID)
		if err != nil {
			return err
		}
		if s.asJSON {
			return s.print(string(j.Raw))
		}
		return s.print(s.screen.Summary(j))
	}))
}

// Retry is the command that draws what failed again.
type Retry struct {
	One
	Wait           bool   `help:"Wait for the pictures, as generate does."`
	IdempotencyKey string `placeholder:"KEY" help:"Names the request: with the same one the answer is the same retry. A new one if absent."`
	Keeping
	Output
	Connection
}

// Help implements kong.HelpProvider.
func (*Retry) Help() string { return ExitCodes }

// Run implements the command.
func (r *Retry) Run(ctx context.Context, env *Environment) error {
	s, err := r.open(env, r.Output)
	if err != nil {
		return err
	}
	return s.explain(r.run(ctx, s))
}

func (r *Retry) run(ctx context.Context, s *session) error {
	if err := errors.Join(r.check(), checkKey(r.IdempotencyKey)); err != nil {
		return err
	}
	keep, err := r.keeper(s, mostPictures)
	if err != nil {
		return err
	}
	if r.Download != "" && !r.Wait {
		return usage(errors.New("--download: there is nothing to save yet; add --wait"))
	}
	key := cmp.Or(r.IdempotencyKey, uuid.NewString())
	var j client.Job
	err = s.run(ctx, func(ctx context.Context) error {
		if j, err = s.client.Retry(ctx, key, r.ID); mayBeAccepted(err) {
			return with(s.explain(err), "The retry may have been accepted all the same: the same command with --idempotency-key "+key+" has it for an answer.")
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.Wait {
		return s.follow(ctx, j, keep, following{isOwner: true})
	}
	return s.accepted(j)
}

// Delete is the command that removes a job.
type Delete struct {
	One
	Yes bool `short:"y" help:"Do not ask. Needed where nobody can be asked."`
	Output
	Connection
}

// Run implements the command.
func (d *Delete) Run(ctx context.Context, env *Environment) error {
	s, err := d.openFor(d.One, env, d.Output)
	if err != nil {
		return err
	}
	if !d.Yes {
		if !s.isPerson() {
			return usage(errors.New("nobody can be asked whether to remove the job: say --yes"))
		}
		if err := s.confirm(ctx, "Remove the job "+terminal.Clean(d.ID)+" and its pictures? They cannot be brought back. [y/N] "); err != nil {
			return err
		}
	}
	return s.explain(s.run(ctx, func(ctx context.Context) error {
		if err := s.client.Delete(ctx, d.ID); err != nil {
			return err
		}
		if s.asJSON {
			return s.print(fmt.Sprintf(`{"id":%q,"deleted":true}`, d.ID))
		}
		return s.print("removed " + terminal.Clean(d.ID))
	}))
}

// confirm asks, and fails unless the answer is yes.
func (s *session) confirm(ctx context.Context, question string) error {
	s.screen.Ask(question)
	answer := make(chan bool, 1)
	go func() { answer <- terminal.ReadYes(s.Stdin) }()
	select {
	case yes := <-answer:
		s.screen.Answered(false)
		if !yes {
			return &exit{ExitInterrupted, errors.New("nothing was removed")}
		}
		return nil
	case <-s.Signals:
		s.screen.Answered(true)
		return errInterrupted
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
