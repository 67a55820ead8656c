package postgres

// Tasks move from image to image, and where one is can only be told while
// nothing moves it: two exchanges that share an image, each seeing the other's
// half only, would leave a waiting image with a task that is used up. Counters
// and turns are shared by all images of a model. So who moves tasks, or looks
// for the image that holds one, or changes how many wait, takes the lock of the
// model first. It is held for one round trip at most, and the statement after
// it sees everything that its last holder did. A claim's success or failure
// does nothing of that, and takes none.
//
// Nothing deadlocks, because all lock in this order: models, by the lock's
// number; images, by key; jobs, by key; turns and tenants, which are their
// model's; lanes, by name. Who does not wait for a lock need not heed it.
//
// The lock belongs to the transaction, so it works behind a transaction pooler.
