package cloudtasks

import (
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// newQueueConfig returns a queue as the service stores it: checked, with
// output-only fields reset and defaults filled in. Zero means "not set" (proto3),
// so a rate of 0 is the default rate, never a standstill.
func newQueueConfig(in *cloudtaskspb.Queue) (*cloudtaskspb.Queue, error) {
	q := proto.Clone(in).(*cloudtaskspb.Queue)
	q.State, q.PurgeTime = cloudtaskspb.Queue_RUNNING, nil
	return finishConfig(q)
}

// finishConfig checks q and fills in what is not set.
func finishConfig(q *cloudtaskspb.Queue) (*cloudtaskspb.Queue, error) {
	if q.RateLimits == nil {
		q.RateLimits = &cloudtaskspb.RateLimits{}
	}
	if q.RetryConfig == nil {
		q.RetryConfig = &cloudtaskspb.RetryConfig{}
	}
	if err := checkRates(q.GetRateLimits()); err != nil {
		return nil, err
	}
	if err := checkRetry(q.GetRetryConfig()); err != nil {
		return nil, err
	}
	fillRates(q.GetRateLimits())
	fillRetry(q.GetRetryConfig(), defaultRetry())
	if r := q.GetAppEngineRoutingOverride(); r != nil { // output only
		path, _ := parseQueue(q.GetName())
		r.Host = appEngineHost(path.project, r)
	}
	if o := q.GetHttpTarget().GetUriOverride(); o != nil && o.Host != nil && o.GetHost() == "" {
		return nil, invalid("UriOverride.host cannot be empty.")
	}
	if r := q.GetStackdriverLoggingConfig().GetSamplingRatio(); r < 0 || r > 1 {
		return nil, invalid("StackdriverLoggingConfig.samplingRatio must be between 0 and 1.")
	}
	return q, checkBackoffOrder(q.GetRetryConfig())
}

// checkRates refuses what the service was seen to refuse, in its words where they
// are recorded. checkRetry does the same.
func checkRates(r *cloudtaskspb.RateLimits) error {
	switch {
	case !(r.GetMaxDispatchesPerSecond() >= 0): // NaN too
		return invalid("RateLimits.maxDispatchesPerSecond cannot be negative.")
	case r.GetMaxDispatchesPerSecond() > maxRate:
		return invalid("RateLimits.maxDispatchesPerSecond must be less than or equal to 500.")
	case r.GetMaxConcurrentDispatches() < 0:
		return invalid("RateLimits.maxConcurrentDispatches cannot be negative.")
	case r.GetMaxConcurrentDispatches() > maxConcurrent:
		return invalid("RateLimits.maxConcurrentDispatches must be less than or equal to 5000.")
	}
	return nil
}

func checkRetry(c *cloudtaskspb.RetryConfig) error {
	switch {
	case c.GetMaxAttempts() < unlimitedAttempts:
		return invalid("RetryConfig.maxAttempts must be greater or equal to -1.")
	case c.GetMaxDoublings() < 0:
		return invalid("RetryConfig.maxDoublings cannot be negative.")
	case c.GetMinBackoff().AsDuration() < 0:
		return invalid("RetryConfig.minBackoff cannot be negative.")
	case c.GetMaxBackoff().AsDuration() < 0:
		return invalid("RetryConfig.maxBackoff cannot be negative.")
	case c.GetMaxRetryDuration().AsDuration() < 0:
		return invalid("RetryConfig.maxRetryDuration cannot be negative.")
	}
	return nil
}

func checkBackoffOrder(c *cloudtaskspb.RetryConfig) error {
	if c.GetMinBackoff().AsDuration() > c.GetMaxBackoff().AsDuration() {
		return invalid("RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.")
	}
	return nil
}

// fillRates sets the defaults and the burst size, which callers cannot set.
func fillRates(r *cloudtaskspb.RateLimits) {
	if r.MaxDispatchesPerSecond == 0 {
		r.MaxDispatchesPerSecond = defaultRate
	}
	if r.MaxConcurrentDispatches == 0 {
		r.MaxConcurrentDispatches = defaultConcurrent
	}
	r.MaxBurstSize = burstSize(r.MaxDispatchesPerSecond)
}

func defaultRetry() *cloudtaskspb.RetryConfig {
	return &cloudtaskspb.RetryConfig{
		MaxAttempts: defaultMaxAttempts, MaxDoublings: defaultMaxDoublings,
		MinBackoff: durationpb.New(defaultMinBackoff), MaxBackoff: durationpb.New(defaultMaxBackoff),
	}
}

// fillRetry takes from d what c leaves out. It cuts max_retry_duration to seconds
// (documented), and drops one of zero, as the service does (Terraform's provider
// counts on it). It does not cut the backoffs, although that is documented too,
// because the default of 0.1 s would become 0.
func fillRetry(c, d *cloudtaskspb.RetryConfig) {
	if c.MaxAttempts == 0 {
		c.MaxAttempts = d.GetMaxAttempts()
	}
	if c.MaxDoublings == 0 {
		c.MaxDoublings = d.GetMaxDoublings()
	}
	if c.MinBackoff == nil {
		c.MinBackoff = proto.CloneOf(d.GetMinBackoff())
	}
	if c.MaxBackoff == nil {
		c.MaxBackoff = proto.CloneOf(d.GetMaxBackoff())
	}
	if c.MaxRetryDuration == nil && d.GetMaxRetryDuration() != nil {
		c.MaxRetryDuration = proto.CloneOf(d.GetMaxRetryDuration())
	}
	if d := c.GetMaxRetryDuration().AsDuration().Truncate(time.Second); d > 0 {
		c.MaxRetryDuration = durationpb.New(d)
	} else {
		c.MaxRetryDuration = nil
	}
}

// updatedConfig returns old with the fields of the mask taken from in. An empty
// mask names all fields (documented). Output-only fields stay as they are.
func updatedConfig(old, in *cloudtaskspb.Queue, mask *fieldmaskpb.FieldMask) (*cloudtaskspb.Queue, error) {
	q, from := proto.CloneOf(old), proto.CloneOf(in)
	paths := mask.GetPaths()
	if len(paths) == 0 {
		paths = []string{"app_engine_routing_override", "http_target", "rate_limits", "retry_config", "stackdriver_logging_config"}
	}
	if _, err := fieldmaskpb.New(q, paths...); err != nil {
		return nil, invalid("update_mask: %v.", err)
	}
	for _, path := range paths {
		copyField(q.ProtoReflect(), from.ProtoReflect(), strings.Split(path, "."))
	}
	q.Name, q.State, q.PurgeTime = old.GetName(), old.GetState(), old.GetPurgeTime()
	noDoublings := q.GetRetryConfig().GetMaxDoublings() == 0 && !slices.Contains(paths, "retry_config")
	if _, err := finishConfig(q); err != nil {
		return nil, err
	}
	if noDoublings { // the only zero that means something; only a mask of its own can set it
		q.RetryConfig.MaxDoublings = 0
	}
	return q, nil
}

// copyField copies the field at path from src to dst, or clears it.
func copyField(dst, src protoreflect.Message, path []string) {
	field := dst.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	switch {
	case len(path) > 1:
		copyField(dst.Mutable(field).Message(), src.Get(field).Message(), path[1:])
	case src.Has(field):
		dst.Set(field, src.Get(field))
	default:
		dst.Clear(field)
	}
}
