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
// One that takes an image from one model to another takes both locks. What goes by
// jobs looks up the models of their images, takes the locks of these, and needs the
// images to stay with them meanwhile. So before that it takes a lock that keeps
// them there, which they share (lock_labels), and which a change of models does not
// (lock_relabel).
//
// Nothing deadlocks, because all statements lock in this order: a tenant;
// lock_labels or lock_relabel; models, by the lock's number; images, by key; jobs,
// by key; turns and tenants, which belong
// to their model; lanes, by name. A statement that does not wait for a lock may
// take it out of order.
//
// The lock belongs to the transaction, so it works behind a transaction pooler.
