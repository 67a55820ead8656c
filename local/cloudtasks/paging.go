package cloudtasks

import (
	"encoding/base64"
	"sort"
	"strings"
)

// page returns the part of sorted names that a request asks for, and the token
// of the next part. A token is valid only for its scope: the same list with the
// same filter.
func page(names []string, scope string, size int32, limit int, token string) ([]string, string, error) {
	if size < 0 {
		return nil, "", invalid("page_size cannot be negative.")
	}
	n := int(size)
	if n == 0 || n > limit {
		n = limit
	}
	if token != "" {
		last, ok := readToken(token, scope)
		if !ok {
			return nil, "", invalid("page_token is not valid for this list.")
		}
		names = names[sort.Search(len(names), func(i int) bool { return names[i] > last }):]
	}
	if len(names) <= n {
		return names, "", nil
	}
	return names[:n], makeToken(names[n-1], scope), nil
}

func makeToken(last, scope string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(scope + "\n" + last))
}

func readToken(token, scope string) (last string, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(string(text), scope+"\n")
}
