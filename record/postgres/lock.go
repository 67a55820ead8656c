package postgres

// Tasks move from image to image. Which image holds a task can only be told
// while nothing moves it: two exchanges that share an image, each seeing only
// the other's half, would leave a waiting image with a task that is used up.
// All images of a model share counters and turns. So a statement first takes
// the lock of the model if it moves tasks, looks for the image that holds one,
// or changes how many wait. The lock is held for one round trip at most, and
// the statement after it sees everything that its last holder did. A claim's
// success or failure does none of these, and takes no lock.
//
// A new job first takes the lock of its tenant, whose images of all models count
// against one bound. Nothing else does.
//
// A try to log in takes the locks of its user and its address, by the lock's
// number, and nothing else. Who ignores errors takes one lock (lock_ignored), and
// nothing else.
//
// A statement that takes an image from one model to another takes the locks of
// both. A statement that goes by jobs looks up the models of their images, and
// takes the locks of these. No image may change its model in between. So both first
// take one more lock: the second kind shares it (lock_labels), and the first kind
// has it alone (lock_relabel).
//
// Nothing deadlocks, because all statements lock in this order: a tenant;
// lock_labels or lock_relabel; models, by the lock's number; images, by key;
// jobs, by key; turns and tenants, which belong to their model; periods of budgets, by
// scope and time; lanes, by name; sums of hours. A statement that does not wait for a
// lock may take it out of order.
//
// Who reserves looks for room first, so it takes the locks of the periods with a
// statement before (make_budgets, lock_budgets): without them, two could take the same
// room. Requeue takes those of its image and job before that (lock_claimed). Create and
// Release have the lock of the model, and nobody else moves their images.
//
// The lock belongs to the transaction, so it works behind a transaction pooler.
