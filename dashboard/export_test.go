package dashboard

// A Called is what calls a route.
type Called struct {
	Method, Path string
	Least        Role
}

// Routes returns all routes, for tests.
func Routes() []Called {
	var all []Called
	for _, r := range (*Dashboard)(nil).table() {
		all = append(all, Called{r.method, r.path, r.least})
	}
	return all
}

// Asset returns where a file is served, for tests.
func Asset(name string) string { return loadAssets().path(name) }

// What has an exported name for tests only.
var (
	ClientAddress = clientAddress
	Span          = span
	Ago           = ago
	LocalPath     = localPath
	Number        = number
	Forecast      = forecast
	DrawDays      = drawDays
	WriteCSV      = writeCSV
	Money         = money
)

// ParseSearch is parseSearch, for tests.
var ParseSearch = parseSearch

// With is with, for tests.
func (s *search) With(key, value string) string { return s.with(key, value) }

// SetCompare sets what compares a password with a hash, for tests.
func (d *Dashboard) SetCompare(compare func(hash, password []byte) error) { d.compare = compare }
