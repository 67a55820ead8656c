package cloudtasks

import (
	"context"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/cloud/location"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// locations implements the methods about locations, which the service mixes in. An
// emulator has every location that somebody names.
type locations struct {
	location.UnimplementedLocationsServer
	engine *engine
}

func (e *Emulator) locations() location.LocationsServer { return &locations{engine: e.engine} }

// ListLocations lists the locations of a project that have a queue.
func (s *locations) ListLocations(_ context.Context, in *location.ListLocationsRequest) (*location.ListLocationsResponse, error) {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	found := make(map[string]bool)
	for name := range s.engine.queues {
		if parent, _, _ := strings.Cut(name, "/queues/"); strings.HasPrefix(parent, in.GetName()+"/locations/") {
			found[parent] = true
		}
	}
	names, next, err := page(sortedKeys(found), in.GetName(), in.GetPageSize(), maxTaskPageSize, in.GetPageToken())
	if err != nil {
		return nil, err
	}
	out := &location.ListLocationsResponse{NextPageToken: next}
	for _, name := range names {
		out.Locations = append(out.Locations, newLocation(name))
	}
	return out, nil
}

// locationsDesc describes the service for REST. The generated package has its own
// description, and keeps it to itself.
func locationsDesc(s location.LocationsServer) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{ServiceName: "google.cloud.location.Locations", Methods: []grpc.MethodDesc{
		{MethodName: "ListLocations", Handler: func(_ any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := new(location.ListLocationsRequest)
			if err := read(in); err != nil {
				return nil, err
			}
			return s.ListLocations(ctx, in)
		}},
		{MethodName: "GetLocation", Handler: func(_ any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := new(location.GetLocationRequest)
			if err := read(in); err != nil {
				return nil, err
			}
			return s.GetLocation(ctx, in)
		}},
	}}
}

// GetLocation returns any location whose name is well formed.
func (s *locations) GetLocation(_ context.Context, in *location.GetLocationRequest) (*location.Location, error) {
	if !parseLocation(in.GetName()) {
		return nil, invalid(msgResource)
	}
	return newLocation(in.GetName()), nil
}

func newLocation(name string) *location.Location {
	id := name[strings.LastIndex(name, "/")+1:]
	return &location.Location{Name: name, LocationId: id, Labels: map[string]string{"cloud.googleapis.com/region": id}}
}

// operations implements the one method about operations that the service mixes in.
type operations struct {
	longrunningpb.UnimplementedOperationsServer
	engine *engine
}

func (e *Emulator) operations() longrunningpb.OperationsServer { return &operations{engine: e.engine} }

// GetOperation returns the operation that a batch was answered with.
func (s *operations) GetOperation(_ context.Context, in *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if op := s.engine.operations[in.GetName()]; op != nil {
		return proto.CloneOf(op), nil
	}
	return nil, notFound(msgNotFound)
}
