// Package webhook tells the receivers of jobs what happened, by Standard
// Webhooks (https://www.standardwebhooks.com): it makes the body, signs it, sends
// it to whom it may, and says when to try again.
//
// One event is one webhook of the record, and each of its tries is one task of
// Cloud Tasks, so nothing runs between them. A receiver never fails a job. One
// that is slow holds up its own webhooks only.
package webhook
