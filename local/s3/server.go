// Package s3 is an S3 server in this process, for development and tests: the
// real S3 client talks to it over a real connection, as it would to R2.
//
// It is gofakes3 with its own store on disk. It checks neither signatures nor the
// expiry of a presigned URL, and no more than the access key that they name. So
// it listens on the loopback interface and is never part of a shipped binary.
package s3

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/johannesboyne/gofakes3"
)

const (
	// anyPort is where a server without an address listens.
	anyPort = "127.0.0.1:0"
	// metadataLimit is R2's, in bytes. gofakes3 counts every X-Amz header of
	// the request, so an object here may hold a little less than on R2.
	metadataLimit = 8 << 10
	// readHeaderTimeout bounds how long a connection may stay silent.
	readHeaderTimeout = 10 * time.Second
)

// Options say where a Server listens and where it keeps its objects.
type Options struct {
	Addr string // host:port; empty is any free port of 127.0.0.1
	// Dir is where the objects are kept; a server that is started on it later
	// has them again. One server at a time may use it. Empty means a temporary
	// directory, which Close removes.
	Dir    string
	Bucket string // the only bucket; created if it does not exist
	// AccessKeyID is the access key that every request must name. Empty lets
	// everybody in.
	AccessKeyID string
}

// A Server is a running S3 server.
type Server struct {
	http   *http.Server
	addr   net.Addr
	served chan error
	temp   string // directory to remove, or empty
	decide atomic.Pointer[func(*http.Request) Fault]
}

// Start starts a server, which answers from the moment Start returns until
// Close.
func Start(opts Options) (_ *Server, err error) {
	s := &Server{served: make(chan error, 1)}
	if opts.Dir == "" {
		if opts.Dir, err = os.MkdirTemp("", "s3-"); err != nil {
			return nil, fmt.Errorf("s3: %w", err)
		}
		s.temp = opts.Dir
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.removeTemp())
		}
	}()
	store, err := openBucket(opts.Bucket, filepath.Join(opts.Dir, opts.Bucket))
	if err != nil {
		return nil, err
	}
	if opts.Addr == "" {
		opts.Addr = anyPort
	}
	listener, err := net.Listen("tcp", opts.Addr)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	fake := gofakes3.New(store, gofakes3.WithMetadataSizeLimit(metadataLimit))
	s.serve(listener, withAccess(opts.AccessKeyID, withCacheControl(fake.Server())))
	return s, nil
}

func (s *Server) serve(listener net.Listener, objects http.Handler) {
	s.addr = listener.Addr()
	s.http = &http.Server{
		Handler:           s.withFaults(withCORS(objects)),
		ReadHeaderTimeout: readHeaderTimeout,
	}
	go func() {
		defer close(s.served)
		s.served <- s.http.Serve(listener)
	}()
}

// URL returns the endpoint for an S3 client, without a trailing slash. Buckets
// are in the path, not in the host name.
func (s *Server) URL() string { return "http://" + s.addr.String() }

// Close cuts every connection and stops the server. A second Close does nothing.
func (s *Server) Close() error {
	err := s.http.Close()
	if served, first := <-s.served; first && !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, s.removeTemp())
}

func (s *Server) removeTemp() error {
	if s.temp == "" {
		return nil
	}
	return os.RemoveAll(s.temp)
}
