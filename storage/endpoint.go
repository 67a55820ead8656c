package storage

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyauth "github.com/aws/smithy-go/auth"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
)

// oneEndpoint resolves the endpoint of requests once, since for one bucket it
// is always the same. The SDK's own resolver goes through the rules of AWS'
// regions for each request and compiles their patterns. For a signed URL that
// is most of the work.
type oneEndpoint struct {
	next s3.EndpointResolverV2

	once     sync.Once
	endpoint smithyendpoints.Endpoint
	err      error
}

// ResolveEndpoint implements s3.EndpointResolverV2. It returns a copy each
// time, because the SDK writes into it.
func (o *oneEndpoint) ResolveEndpoint(ctx context.Context, params s3.EndpointParameters) (smithyendpoints.Endpoint, error) {
	o.once.Do(func() { o.endpoint, o.err = o.next.ResolveEndpoint(ctx, params) })
	if o.err != nil {
		return smithyendpoints.Endpoint{}, o.err
	}
	endpoint := smithyendpoints.Endpoint{URI: o.endpoint.URI, Headers: o.endpoint.Headers.Clone()}
	endpoint.Properties.SetAll(&o.endpoint.Properties)
	if options, ok := smithyauth.GetAuthOptions(&o.endpoint.Properties); ok {
		own := make([]*smithyauth.Option, len(options))
		for i, option := range options {
			own[i] = new(*option)
		}
		smithyauth.SetAuthOptions(&endpoint.Properties, own)
	}
	return endpoint, nil
}
