package cloudtasks

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	betapb "cloud.google.com/go/cloudtasks/apiv2beta3/cloudtaskspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/cloud/location"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

// newServer returns the gRPC server, with health checks and reflection.
func newServer(e *Emulator) *grpc.Server {
	s := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage))
	e.Register(s)
	betapb.RegisterCloudTasksServer(s, &beta{v2: e.Service()})
	location.RegisterLocationsServer(s, e.locations())
	longrunningpb.RegisterOperationsServer(s, e.operations())
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	reflection.Register(s)
	return s
}

// Register adds the Cloud Tasks service to the caller's gRPC server.
func (e *Emulator) Register(s grpc.ServiceRegistrar) {
	cloudtaskspb.RegisterCloudTasksServer(s, e.Service())
}

// Service returns the Cloud Tasks service itself, for callers that need no gRPC.
func (e *Emulator) Service() cloudtaskspb.CloudTasksServer { return &service{engine: e.engine} }

// Serve serves gRPC and REST without TLS on lis until Close, and then returns nil.
func (e *Emulator) Serve(lis net.Listener) error {
	e.setAddr(lis)
	if err := e.http.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// setAddr remembers the first address that the emulator serves on.
func (e *Emulator) setAddr(lis net.Listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.addr == "" {
		e.addr = lis.Addr().String()
	}
}

// Addr returns the host and port that the emulator serves on, or an empty string.
func (e *Emulator) Addr() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addr
}

// Dial connects to the emulator without leaving the process. The caller closes the
// connection; option.WithGRPCConn hands it to the official client.
func (e *Emulator) Dial(context.Context) (*grpc.ClientConn, error) {
	e.inProcess.Do(func() {
		go func() {
			if err := e.server.Serve(e.local); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				e.engine.log.Error("cloud tasks: serve in process", slog.Any("error", err))
			}
		}()
	})
	return grpc.NewClient("passthrough:///cloudtasks",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return e.local.DialContext(ctx) }))
}
