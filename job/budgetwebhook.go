package job

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// A BudgetReached says how a period of a budget reached a level. Money is in millionths
// of a US dollar.
type BudgetReached struct {
	Scope          BudgetScope
	From, To       time.Time
	LimitMicros    int64
	RaisedMicros   int64 // what an operator added to the limit
	SpentMicros    int64
	ReservedMicros int64
	Percent        int // the level, one of BudgetLevels
}

// BudgetWebhookPrefix returns what the names of all webhooks of a period begin with. It
// has letters, digits and "_" only, whatever the scope is called.
func BudgetWebhookPrefix(scope BudgetScope, from, to time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", scope, from.UnixMicro(), to.UnixMicro()))
	return "msg_budget_" + hex.EncodeToString(sum[:12])
}

// BudgetWebhookID returns the name of the webhook of a level: the same for the same
// level of the same period, as long as the same is allowed in it.
func BudgetWebhookID(b BudgetReached) string {
	return fmt.Sprintf("%s_%d_%d", BudgetWebhookPrefix(b.Scope, b.From, b.To), b.Percent, b.LimitMicros+b.RaisedMicros)
}
