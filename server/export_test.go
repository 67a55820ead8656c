package server

import "net/http"

// LimitBodies calls limitBodies.
func LimitBodies(next http.Handler) http.Handler { return limitBodies(next) }
