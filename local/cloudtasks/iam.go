package cloudtasks

import (
	"context"
	"crypto/sha256"
	"strings"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// GetIamPolicy returns the queue's policy, an empty one when none was set
// (documented). Policies are kept and shown. Nothing is enforced, because callers
// have no identity here.
func (s *service) GetIamPolicy(_ context.Context, in *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	e, unlock := s.lock()
	defer unlock()
	q, err := e.find(in.GetResource())
	if err != nil {
		return nil, err
	}
	return q.currentPolicy(), nil
}

func (q *queue) currentPolicy() *iampb.Policy {
	if q.policy == nil {
		return withEtag(&iampb.Policy{})
	}
	return proto.CloneOf(q.policy)
}

// withEtag sets the etag that distinguishes this policy from the next.
func withEtag(p *iampb.Policy) *iampb.Policy {
	p.Etag = nil
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(p)
	if err != nil {
		panic("cloudtasks: marshal a policy: " + err.Error())
	}
	sum := sha256.Sum256(text)
	p.Etag = sum[:8]
	return p
}

// SetIamPolicy replaces the policy. It refuses when the caller's etag belongs to
// an older policy.
func (s *service) SetIamPolicy(_ context.Context, in *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	e, unlock := s.lock()
	defer unlock()
	q, err := e.find(in.GetResource())
	if err != nil {
		return nil, err
	}
	if in.GetPolicy() == nil {
		return nil, invalid("SetIamPolicyRequest.policy is required.")
	}
	if etag := in.GetPolicy().GetEtag(); len(etag) > 0 && string(etag) != string(q.currentPolicy().GetEtag()) {
		return nil, status.Error(codes.Aborted, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
	}
	policy := withEtag(proto.CloneOf(in.GetPolicy()))
	if err := e.keep(messageEntry(opPolicy, q.name(), policy, e.clock.Now())); err != nil {
		return nil, err
	}
	q.policy = policy
	return q.currentPolicy(), nil
}

// TestIamPermissions grants all permissions that are asked for. On a queue that
// does not exist it grants none (documented: no NotFound).
func (s *service) TestIamPermissions(_ context.Context, in *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	e, unlock := s.lock()
	defer unlock()
	if e.queues[in.GetResource()] == nil {
		return &iampb.TestIamPermissionsResponse{}, nil
	}
	return &iampb.TestIamPermissionsResponse{Permissions: in.GetPermissions()}, nil
}

// UpdateCmekConfig remembers a location's key while the process lives. Nothing is
// encrypted.
func (s *service) UpdateCmekConfig(_ context.Context, in *cloudtaskspb.UpdateCmekConfigRequest) (*cloudtaskspb.CmekConfig, error) {
	name := in.GetCmekConfig().GetName()
	if location, ok := strings.CutSuffix(name, "/cmekConfig"); !ok || !parseLocation(location) {
		return nil, invalid(msgResource)
	}
	e, unlock := s.lock()
	defer unlock()
	e.cmek[name] = proto.CloneOf(in.GetCmekConfig())
	return proto.CloneOf(in.GetCmekConfig()), nil
}

// GetCmekConfig returns a location's key, none by default (documented).
func (s *service) GetCmekConfig(_ context.Context, in *cloudtaskspb.GetCmekConfigRequest) (*cloudtaskspb.CmekConfig, error) {
	if location, ok := strings.CutSuffix(in.GetName(), "/cmekConfig"); !ok || !parseLocation(location) {
		return nil, invalid(msgResource)
	}
	e, unlock := s.lock()
	defer unlock()
	if c := e.cmek[in.GetName()]; c != nil {
		return proto.CloneOf(c), nil
	}
	return &cloudtaskspb.CmekConfig{Name: in.GetName()}, nil
}
