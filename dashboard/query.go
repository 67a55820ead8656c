package dashboard

import (
	"net/url"
	"strings"
)

// cutText returns a text of the address, without what no name has.
func cutText(text string) string {
	const most = 100 // bytes
	text = strings.ReplaceAll(strings.TrimSpace(text), "\x00", "")
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// pathWith returns a path with what it asks for. What is empty is left out.
func pathWith(path string, asked map[string]string) string {
	values := url.Values{}
	for name, value := range asked {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}
