package caller

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
	"github.com/ai-worker/ai-worker/cmd/internal/caller/terminal"
)

// Generate is the command that asks for pictures.
type Generate struct {
	Request
	Keeping
	Output
	Connection

	Async          bool   `help:"Print the job as soon as it is accepted, and leave."`
	IdempotencyKey string `placeholder:"KEY" help:"Names the request: with the same one, the same request is one job, paid for once. A new one if absent."`
}

// Help implements kong.HelpProvider.
func (*Generate) Help() string {
	return "Standard output has the pictures' addresses, or files; it has the job as JSON where it is no terminal. " +
		"What happens meanwhile is on standard error. Ctrl-C asks whether to cancel the job; a second one leaves at once, " +
		"and the job goes on.\n\n" + ExitCodes
}

// Run implements the command.
func (g *Generate) Run(ctx context.Context, env *Environment) error {
	s, err := g.open(env, g.Output)
	if err != nil {
		return err
	}
	return s.explain(g.run(ctx, s))
}

func (g *Generate) run(ctx context.Context, s *session) error {
	keep, err := g.keeper(s, g.pictures())
	if err != nil {
		return err
	}
	if g.Async && g.Download != "" {
		return usage(errors.New("--download: there is nothing to save yet with --async"))
	}
	if err := checkKey(g.IdempotencyKey); err != nil {
		return err
	}
	req, inputs, err := g.read(ctx, s)
	if err != nil {
		return err
	}
	if g.DryRun {
		return s.quote(ctx, req, inputs)
	}
	if err := keep.vacant(req.Prompt, g.pictures()); err != nil {
		return err
	}
	job, err := g.submit(ctx, s, req, inputs)
	if err != nil {
		return err
	}
	if g.Async {
		return s.accepted(job)
	}
	return s.follow(ctx, job, keep, following{isOwner: true})
}

// read returns the request and its input pictures. What they come from, such as a
// terminal or a pipe, may have nothing for long: a signal ends the wait.
func (g *Generate) read(ctx context.Context, s *session) (req client.Request, inputs []input, err error) {
	type result struct {
		req    client.Request
		inputs []input
		err    error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		if r.req, r.err = g.build(s.Stdin); r.err == nil {
			r.inputs, r.err = g.inputs()
		}
		done <- r
	}()
	select {
	case r := <-done:
		return r.req, r.inputs, r.err
	case <-s.Signals:
		return req, nil, errInterrupted
	case <-ctx.Done():
		return req, nil, context.Cause(ctx)
	}
}

// submit uploads the input pictures, and asks for the job: under one key and with one
// body, however often that is sent.
func (g *Generate) submit(ctx context.Context, s *session, req client.Request, inputs []input) (job client.Job, err error) {
	key := cmp.Or(g.IdempotencyKey, uuid.NewString())
	err = s.run(ctx, func(ctx context.Context) error {
		again := []string{"--idempotency-key " + key}
		for _, in := range inputs {
			name := in.name
			if in.data != nil {
				if name, err = s.client.Upload(ctx, in.contentType, in.data); err != nil {
					return fmt.Errorf("--input: %s: %w", in.name, s.explain(err))
				}
				again = append(again, fmt.Sprintf("--input %s in place of %s", name, shellQuote(in.name)))
			}
			req.InputImages = append(req.InputImages, name)
		}
		body, err := json.Marshal(req)
		if err != nil {
			return err
		}
		job, err = s.client.Generate(ctx, key, body)
		if mayBeAccepted(err) {
			return with(s.explain(err), "The job may have been accepted all the same. The same command with "+strings.Join(again, ", ")+
				" has it for an answer, and pays for nothing twice.")
		}
		return err
	})
	return job, err
}

// quote prints what a request would cost. Files are not uploaded for that: they are no
// part of the price.
func (s *session) quote(ctx context.Context, req client.Request, inputs []input) error {
	for _, in := range inputs {
		if in.data == nil {
			req.InputImages = append(req.InputImages, in.name)
		}
	}
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	return s.run(ctx, func(ctx context.Context) error {
		q, err := s.client.Quote(ctx, body)
		if err != nil {
			return err
		}
		if s.asJSON {
			return s.print(string(q.Raw))
		}
		lines := []string{fmt.Sprintf("%s of %s: %s, %s each", terminal.Count(q.Count), terminal.Clean(q.Model), terminal.Money(q.CostUSD), terminal.Money(q.PriceUSD))}
		if q.WaitingFor != "turn" {
			lines = append(lines, "would wait for "+terminal.Clean(q.WaitingFor))
		}
		if q.QueuePosition != nil {
			lines = append(lines, terminal.Count(*q.QueuePosition)+" ahead")
		}
		if at := q.EstimatedStartAt; at != nil {
			lines = append(lines, "would start in "+terminal.Duration(time.Until(*at)))
		}
		if at := q.EstimatedCompletionAt; at != nil {
			lines = append(lines, "would be done in "+terminal.Duration(time.Until(*at)))
		}
		return s.print(lines...)
	})
}

// accepted prints a job that nobody waits for.
func (s *session) accepted(j client.Job) error {
	if s.asJSON {
		return s.print(string(j.Raw))
	}
	s.screen.Print("accepted; follow it with: " + s.command("jobs", "watch", j.ID))
	return s.print(terminal.Clean(j.ID))
}

// maxKey is how many characters an Idempotency-Key has at most.
const maxKey = 255

// checkKey refuses what no Idempotency-Key can be. An empty one would be none: each
// try would be a job.
func checkKey(key string) error {
	if len(key) > maxKey || strings.TrimSpace(key) != key || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return usage(errors.New("--idempotency-key must have up to 255 characters of ASCII, and no space at its ends"))
	}
	return nil
}
