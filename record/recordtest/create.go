package recordtest

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var createTests = []contractTest{
	{"gives back the whole job", createWhole},
	{"gives back what was left out as left out", createBare},
	{"keeps metadata byte for byte", createMetadata},
	{"keeps any prompt", createPrompts},
	{"refuses an id twice", createTwice},
	{"gives the first job again for its idempotency key", createAgain},
	{"gives the job again in its present state", createAgainLater},
	{"refuses an idempotency key for another request", createMismatch},
	{"keeps tenants' idempotency keys apart", createTenants},
	{"takes an empty idempotency key as none", createNoKey},
	{"records once what is created at the same time", createAtOnce},
	{"does not find what is not there", getUnknown},
}

func createWhole(f *fixture) {
	seed := int32(-7)
	s := submission(3)
	s.Input = job.Input{
		Prompt: "a \"lighthouse\" <in> 海\n", Model: model, Count: 3, AspectRatio: "16:9", ImageSize: "2K", Seed: &seed,
		MaxCostMicros: 1_500_000, CostLimitMicros: 5_000_000,
		InputImages: []job.InputImage{
			{URL: "https://example.com/a.png?b=c&d=%20"},
			{Key: "inputs/1", ContentType: "image/webp"},
		},
	}
	s.Metadata = json.RawMessage(`{"order":7}`)
	s.ExpiresIn = 90*time.Minute + time.Microsecond
	s.Priority, s.Weight, s.Lanes = job.PriorityLow, 0.1, []string{lane, spare, lane}

	j, tasks, err := f.record.Create(f.ctx, s)
	if err != nil {
		f.Fatal(err)
	}
	f.check(j)
	if j.CreatedAt.IsZero() || j.CreatedAt.Location() != time.UTC {
		f.Errorf("created at %v, want a time in UTC", j.CreatedAt)
	}
	f.wantEqual("the job", j, job.Job{
		ID: s.ID, Tenant: s.Tenant, Version: 1, Status: job.StatusQueued, Priority: job.PriorityLow,
		Input: s.Input, Metadata: s.Metadata,
		Images: []job.Image{
			{Index: 0, Status: job.StatusQueued}, {Index: 1, Status: job.StatusQueued}, {Index: 2, Status: job.StatusQueued},
		},
		CreatedAt: j.CreatedAt, ExpiresAt: j.CreatedAt.Add(s.ExpiresIn),
	})
	f.wantEqual("the tasks", tasks, []job.Task{
		{JobID: s.ID, Index: 0, Dispatch: 1, Lane: lane},
		{JobID: s.ID, Index: 1, Dispatch: 1, Lane: spare},
		{JobID: s.ID, Index: 2, Dispatch: 1, Lane: lane},
	})
}

func createBare(f *fixture) {
	s := submission(1)
	f.submit(s)
	j := f.get(s.ID)
	f.wantEqual("the input", j.Input, s.Input)
	if j.Metadata != nil {
		f.Errorf("metadata is %q, want nil", j.Metadata)
	}
}

func createMetadata(f *fixture) {
	for _, metadata := range []string{
		`{}`, `null`, " {\n\t\"b\" : 1 , \"a\":1.0, \"b\":2 } ", `{"html":"<a & b>","u":"\u00e9é\u0000","n":12345678901234567890e-5}`,
	} {
		s := submission(1)
		s.Metadata = json.RawMessage(metadata)
		f.submit(s)
		if got := f.get(s.ID).Metadata; string(got) != metadata {
			f.Errorf("metadata %q came back as %q", metadata, got)
		}
	}
}

func createPrompts(f *fixture) {
	for _, prompt := range []string{"", "\x00 and \u2028", "it's $1 @id \\ %", "👩‍🚀"} {
		s := submission(1)
		s.Input.Prompt = prompt
		f.submit(s)
		f.wantEqual("the prompt", f.get(s.ID).Input.Prompt, prompt)
	}
}

func createTwice(f *fixture) {
	s := submission(1)
	f.submit(s)
	if _, _, err := f.record.Create(f.ctx, s); err == nil {
		f.Error("created a second job of one id")
	}
}

func createAgain(f *fixture) {
	first, again := submission(2), submission(2)
	first.IdempotencyKey, again.IdempotencyKey = "key", "key"

	_, err := f.record.Recorded(f.ctx, first)
	f.wantErr(err, record.ErrNotFound)
	tasks := f.submit(first)

	j, err := f.record.Recorded(f.ctx, again)
	f.wantErr(err, nil)
	f.wantEqual("the job by its key", j, f.get(first.ID))
	j, pending, err := f.record.Create(f.ctx, again)
	f.wantErr(err, nil)
	f.wantEqual("the job created again", j, f.get(first.ID))
	f.wantEqual("its tasks", pending, tasks)
	_, err = f.record.Get(f.ctx, again.ID)
	f.wantErr(err, record.ErrNotFound)
}

func createAgainLater(f *fixture) {
	s := submission(2)
	s.IdempotencyKey = "key"
	tasks := f.submit(s)
	want := f.succeed(f.claim(tasks[0], never))

	j, pending, err := f.record.Create(f.ctx, s)
	f.wantErr(err, nil)
	f.wantEqual("the job created again", j, want)
	f.wantEqual("its tasks", pending, tasks[1:])
}

func createMismatch(f *fixture) {
	s := submission(1)
	s.IdempotencyKey = "key"
	f.submit(s)
	s.ID, s.Fingerprint = newID(), "another"

	_, err := f.record.Recorded(f.ctx, s)
	f.wantErr(err, record.ErrIdempotencyMismatch)
	_, _, err = f.record.Create(f.ctx, s)
	f.wantErr(err, record.ErrIdempotencyMismatch)
	_, err = f.record.Get(f.ctx, s.ID)
	f.wantErr(err, record.ErrNotFound)
}

func createTenants(f *fixture) {
	mine, theirs := submission(1), submission(1)
	mine.IdempotencyKey, theirs.IdempotencyKey = "key", "key"
	theirs.Tenant, theirs.Fingerprint = rival, "another"
	f.submit(mine)

	_, err := f.record.Recorded(f.ctx, theirs)
	f.wantErr(err, record.ErrNotFound)
	f.submit(theirs)
	f.wantEqual("their job's tenant", f.get(theirs.ID).Tenant, rival)
}

func createNoKey(f *fixture) {
	one, two := submission(1), submission(1)
	f.submit(one)
	f.submit(two)
	_, err := f.record.Recorded(f.ctx, one)
	f.wantErr(err, record.ErrNotFound)
	f.get(one.ID)
	f.get(two.ID)
}

func createAtOnce(f *fixture) {
	const callers = 8
	ids := make([]string, callers)
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			s := submission(2)
			s.IdempotencyKey = "key"
			j, _, err := f.record.Create(f.ctx, s)
			if err != nil {
				f.Errorf("Create: %v", err)
			}
			ids[i] = j.ID
		})
	}
	group.Wait()
	for _, id := range ids {
		f.wantEqual("the job of every caller", id, ids[0])
	}
	f.check(f.get(ids[0]))
}

func getUnknown(f *fixture) {
	f.create(1)
	for _, id := range []string{newID(), "", "no-such-id", "0", "' OR 1=1"} {
		_, err := f.record.Get(f.ctx, id)
		f.wantErr(err, record.ErrNotFound)
	}
}
