package s3

import (
	"crypto/subtle"
	"net/http"
	"strings"
)

// withAccess refuses every request that does not name the access key, as a
// signed request and a presigned URL do. Whoever does not know the key can
// neither read nor write, and list nothing. It lets everybody in if there is no
// key.
func withAccess(key string, next http.Handler) http.Handler {
	if key == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(accessKey(r)), []byte(key)) == 1 {
			next.ServeHTTP(w, r)
			return
		}
		writeError(w, http.StatusForbidden, "AccessDenied", "Sign the request with the bucket's access key.")
	})
}

// accessKey returns the access key that a request names, or "". A credential is
// KEY/DATE/REGION/s3/aws4_request, see
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html.
func accessKey(r *http.Request) string {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if credential == "" {
		_, credential, _ = strings.Cut(r.Header.Get("Authorization"), "Credential=")
	}
	key, _, _ := strings.Cut(credential, "/")
	return key
}
