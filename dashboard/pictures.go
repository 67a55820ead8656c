package dashboard

// Pictures say where callers' pictures are, and who sees them.
type Pictures struct {
	// URL returns where a browser finds the picture under a key, and Download where
	// it saves the picture as a file of a name. They ask nobody.
	URL      func(key string) (string, error)
	Download func(key, name string) (string, error)
	Origin   string // of these URLs, such as https://img.example.com; the only one that pages may load images from
	Least    Role   // who sees pictures; others are not told where they are
}

// sees reports whether the visitor may see pictures. Nobody does without a role
// for it.
func (p Pictures) sees(role Role) bool {
	return p.Least != anybody && p.URL != nil && role.may(p.Least)
}
