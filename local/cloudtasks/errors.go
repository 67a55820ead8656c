package cloudtasks

import (
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errShutdown cancels the deliveries that are under way when the emulator closes.
var errShutdown = errors.New("the emulator is closing")

// errDeadline cancels a delivery at its dispatch deadline.
var errDeadline = errors.New("dispatch deadline exceeded")

// What the service says in its errors, recorded word for word.
const (
	msgQueueName      = `Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>".`
	msgTaskName       = `Task name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>/tasks/<TASK_ID>".`
	msgTaskID         = `Task ID "%s" can contain only letters ([A-Za-z]), numbers ([0-9]), hyphens (-), or underscores (_). Task ID must between 1 and 500 characters.`
	msgQueueMissing   = "Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize."
	msgQueueExists    = "Queue already exists"
	msgQueueTombstone = "The queue cannot be created because a queue with this name existed too recently."
	msgQueueMismatch  = "The queue name from request ('%s') must be the same as the queue name in the named task ('%s')."
	msgNotFound       = "Requested entity was not found."
	msgTaskExists     = "Requested entity already exists"
	msgTaskEnded      = "The task no longer exists, though a task with this name existed recently. The task either successfully completed or was deleted."
	msgURLRequired    = "HttpRequest.url is required."
	msgURLScheme      = "HttpTarget.url must start with 'http://' or 'https://'."
	msgResource       = "Invalid resource field value in the request."
	helpQueueName     = "Definition of queue name"
	helpQueueNameURL  = "https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues#Queue.FIELDS.name"
	helpTaskID        = "Definition of task ID"
	helpTaskIDURL     = "https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks#Task.FIELDS.name"
)

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func notFound(message string) error { return status.Error(codes.NotFound, message) }

// withHelp returns an InvalidArgument error that links to a field's documentation,
// as the service does for names.
func withHelp(message, about, url string) error {
	s := status.New(codes.InvalidArgument, message)
	detailed, err := s.WithDetails(&errdetails.Help{Links: []*errdetails.Help_Link{{Description: about, Url: url}}})
	if err != nil {
		return s.Err()
	}
	return detailed.Err()
}

func badQueueName() error { return withHelp(msgQueueName, helpQueueName, helpQueueNameURL) }
