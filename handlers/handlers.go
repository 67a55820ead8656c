// Package handlers translates between HTTP and the service: decode, one call,
// encode. It decides what a caller sees of a job, of an error and of a
// delivery's verdict, and nothing else.
package handlers

import (
	"context"
	"time"
)

// A Tenant is who sent a request.
type Tenant struct {
	Name   string
	Weight float64 // share of turns, against 1
	Limits Limits
}

// Limits are what a tenant may ask for, where that is not what any may.
type Limits struct {
	MaxWaiting    int   // pictures; 0 for as many as of any tenant
	MaxCostMicros int64 // of one job, in millionths of a US dollar; 0 for no bound
	MaxHeld       int   // requests that wait for jobs or follow them in one process at once; 0 for no bound
}

type tenantKey struct{}

// WithTenant returns a context whose requests belong to the tenant.
func WithTenant(ctx context.Context, t Tenant) context.Context {
	return context.WithValue(ctx, tenantKey{}, t)
}

// TenantName returns the name of the tenant whose request ctx belongs to.
func TenantName(ctx context.Context) string { return tenant(ctx).Name }

// tenant returns the tenant whose request ctx belongs to.
func tenant(ctx context.Context) Tenant {
	t, _ := ctx.Value(tenantKey{}).(Tenant)
	return t
}

const (
	// MaxBody bounds a request's body, in bytes: a prompt, and input pictures
	// as data URIs.
	MaxBody = 12 << 20

	// maxWait bounds `Prefer: wait`.
	maxWait = 60 * time.Second
)
