package dashboard

import "slices"

// A Role says what an operator may do. Each may do what the one before may.
type Role string

const (
	// anybody is who has not logged in.
	anybody Role = ""
	// Viewer sees every page.
	Viewer Role = "viewer"
	// Operator also pauses and resumes lanes, cancels, retries and draws jobs, and ignores
	// errors.
	Operator Role = "operator"
	// Admin also deletes jobs and raises budgets.
	Admin Role = "admin"
)

// may reports whether the role includes another one. An unknown role includes
// none.
func (r Role) may(least Role) bool {
	order := []Role{Viewer, Operator, Admin}
	return slices.Contains(order, r) && slices.Index(order, r) >= slices.Index(order, least)
}

// A User logs in with a password.
type User struct {
	Name string
	Role Role
	Hash string // of the password, by bcrypt; a secret
}

// A visitor is who comes with a request.
type visitor struct {
	Name    string
	Role    Role
	session session // of a login; zero without one
}
