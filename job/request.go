package job

// A Request is what one call of a model needs; one request is one picture.
type Request struct {
	Model       string
	Prompt      string
	AspectRatio string // empty lets the model choose
	ImageSize   string // empty lets the model choose
	Seed        *int32
	Sources     []Source
}

// A Source is an input picture as the model gets it: by reference, so that its
// bytes never pass through this process, or inline where the model could not
// reach the reference. Exactly one of URL and Data is set.
type Source struct {
	URL         string
	Data        []byte
	ContentType string // may be empty with URL
}
