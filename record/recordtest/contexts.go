package recordtest

import (
	"context"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var contextTests = []contractTest{
	{"that is over fails every call and changes nothing", contextCanceled},
}

func contextCanceled(f *fixture) {
	tasks := f.create(2)
	c := f.claim(tasks[0], never)
	before := f.get(c.Job.ID)
	s := submission(1)
	s.IdempotencyKey = "key"
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()

	calls := map[string]func() error{
		"Create":   func() error { _, _, err := f.record.Create(ctx, s); return err },
		"Recorded": func() error { _, err := f.record.Recorded(ctx, s); return err },
		"List":     func() error { _, err := f.record.List(ctx, record.Query{Tenant: tenant, Limit: 1}); return err },
		"Get":      func() error { _, err := f.record.Get(ctx, before.ID); return err },
		"Outlook":  func() error { _, err := f.record.Outlook(ctx, s); return err },
		"Enqueued": func() error { return f.record.Enqueued(ctx, tasks...) },
		"Claim": func() error {
			_, err := f.record.Claim(ctx, record.ClaimRequest{Model: model, Task: tasks[1], Lease: never})
			return err
		},
		"Renew":   func() error { return f.record.Renew(ctx, c, gone) },
		"Succeed": func() error { _, err := f.record.Succeed(ctx, c, stored); return err },
		"Fail":    func() error { _, err := f.record.Fail(ctx, c, blocked); return err },
		"Requeue": func() error { _, _, err := f.record.Requeue(ctx, c, record.Requeue{Lane: lane}); return err },

		"Postpone": func() error {
			_, err := f.record.Postpone(ctx, tasks[1], model, record.Place{Lane: spare, Model: model})
			return err
		},
		"Park": func() error { return f.record.Park(ctx, tasks[1], model) },
		"Unpark": func() error {
			_, err := f.record.Unpark(ctx, model, []record.Place{{Lane: lane, Model: model}})
			return err
		},
		"RetireAttempts": func() error {
			_, err := f.record.RetireAttempts(ctx, plenty)
			return err
		},
		"TasksOn":       func() error { _, err := f.record.TasksOn(ctx, lane, model, 1); return err },
		"Models":        func() error { _, err := f.record.Models(ctx); return err },
		"Cancel":        func() error { _, err := f.record.Cancel(ctx, before.ID); return err },
		"LaneStates":    func() error { _, err := f.record.LaneStates(ctx); return err },
		"Pause":         func() error { return f.record.Pause(ctx, []string{lane}, record.Pause{For: never, Reason: busy}) },
		"Resume":        func() error { return f.record.Resume(ctx, lane, time.Time{}) },
		"Overview":      func() error { _, err := f.record.Overview(ctx); return err },
		"PauseByHand":   func() error { return f.record.PauseByHand(ctx, lane, record.Act{}) },
		"ResumeByHand":  func() error { return f.record.ResumeByHand(ctx, lane, record.Act{}) },
		"Audit":         func() error { _, err := f.record.Audit(ctx, record.AuditQuery{Limit: 1}); return err },
		"RetireAudit":   func() error { _, err := f.record.RetireAudit(ctx, plenty); return err },
		"BeginLogin":    func() error { return f.record.BeginLogin(ctx, record.LoginTry{ID: newID()}) },
		"EndLogin":      func() error { return f.record.EndLogin(ctx, record.LoginTry{ID: newID()}, record.Act{}) },
		"EndSession":    func() error { return f.record.EndSession(ctx, "one", never, record.Act{}) },
		"IgnoreError":   func() error { return f.record.IgnoreError(ctx, record.Ignore{Above: 1}, record.Act{}) },
		"NoticeError":   func() error { return f.record.NoticeError(ctx, record.ErrorName{}, record.Act{}) },
		"IgnoredErrors": func() error { _, err := f.record.IgnoredErrors(ctx); return err },
		"SessionEnded":  func() error { _, err := f.record.SessionEnded(ctx, "one"); return err },
		"Inspect":       func() error { _, err := f.record.Inspect(ctx, before.ID); return err },
		"CancelByHand":  func() error { _, err := f.record.CancelByHand(ctx, before.ID, record.Act{}); return err },
		"DeleteByHand":  func() error { return f.record.DeleteByHand(ctx, before.ID, record.Act{}) },
		"ReplayWebhookByHand": func() error {
			_, err := f.record.ReplayWebhookByHand(ctx, before.ID, "msg_1", record.Act{})
			return err
		},

		"Unsent":    func() error { _, err := f.record.Unsent(ctx, gone, plenty); return err },
		"Unheard":   func() error { _, err := f.record.Unheard(ctx, gone, plenty); return err },
		"Reap":      func() error { _, _, err := f.record.Reap(ctx, gone, plenty); return err },
		"Expire":    func() error { _, err := f.record.Expire(ctx, timedOut, plenty); return err },
		"ExpireJob": func() error { _, err := f.record.ExpireJob(ctx, before.ID, timedOut); return err },
		"Retired":   func() error { _, err := f.record.Retired(ctx, gone, plenty); return err },
		"Known":     func() error { _, err := f.record.Known(ctx, before.ID); return err },
		"Delete":    func() error { return f.record.Delete(ctx, before.ID) },
		"Backlog":   func() error { _, err := f.record.Backlog(ctx, gone); return err },
		"Outcomes":  func() error { _, err := f.record.Outcomes(ctx, never); return err },
		"Search":    func() error { _, err := f.record.Search(ctx, record.SearchQuery{Limit: 1}); return err },
		"Count":     func() error { _, err := f.record.Count(ctx, record.SearchQuery{}); return err },
		"Pictures":  func() error { _, err := f.record.Pictures(ctx, record.PictureQuery{Limit: 1}); return err },
		"Activity":  func() error { _, err := f.record.Activity(ctx); return err },
		"Slots":     func() error { _, err := f.record.Slots(ctx, "", time.Time{}); return err },
		"Errors":    func() error { _, err := f.record.Errors(ctx, time.Time{}, 1); return err },
		"LaneFailures": func() error {
			_, err := f.record.LaneFailures(ctx, lane, time.Time{}, 1)
			return err
		},
	}
	for name, call := range calls {
		if err := call(); err == nil {
			f.Errorf("%s succeeded", name)
		} else {
			f.Logf("%s: %v", name, err)
			f.wantErr(err, context.Canceled)
		}
	}
	f.wantEqual("the job", f.get(before.ID), before)
	f.wantEqual("the lane", f.lanes()[lane], record.LaneState{Name: lane, Waiting: 1})
	_, err := f.record.Recorded(f.ctx, s)
	f.wantErr(err, record.ErrNotFound)
	f.wantEqual("what the record does afterwards", f.succeed(c).Images[0].Status, job.StatusSucceeded)
}
