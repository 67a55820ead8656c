package gemini

import (
	"encoding/json"
	"net/http"
	"strings"
)

// replies returns every HTTP error that the real service is known to give, by
// its fault. The texts are the real ones, as far as they have been seen.
func replies(req Request) map[Fault]reply {
	const (
		depleted = "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing."
		report   = " Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
	)
	perMinute := violation{
		Metric: "generativelanguage.googleapis.com/generate_requests_per_model",
		ID:     "GenerateRequestsPerMinutePerProjectPerModel",
		Model:  req.Model, Value: "60",
	}
	perDay, none := perMinute, perMinute
	perDay.ID, perDay.Value = "GenerateRequestsPerDayPerProjectPerModel", "1500"
	none.ID, none.Value = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "0"

	return map[Fault]reply{
		"400":          errorReply(400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
		"400-image":    errorReply(400, "INVALID_ARGUMENT", "Unable to process input image."+report),
		"400-fetch":    errorReply(400, "INVALID_ARGUMENT", "Cannot fetch content from the provided URL."),
		"400-file":     errorReply(400, "FAILED_PRECONDITION", "The File abc123 is not in an ACTIVE state and usage is not allowed."),
		"400-key":      errorReply(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", errorInfo("API_KEY_INVALID")),
		"400-location": errorReply(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
		"400-billing":  errorReply(400, "FAILED_PRECONDITION", "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio."),
		"401":          errorReply(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", errorInfo("ACCESS_TOKEN_TYPE_UNSUPPORTED")),
		"402":          errorReply(402, "FAILED_PRECONDITION", depleted),
		"403-no-key":   errorReply(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API."),
		"403-leaked":   errorReply(403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key."),
		// The real one repeats the key, too.
		"403-suspended": errorReply(403, "PERMISSION_DENIED", "Permission denied: Consumer 'api_key:"+req.Key+"' has been suspended.", errorInfo("CONSUMER_SUSPENDED")),
		"403-disabled":  errorReply(403, "PERMISSION_DENIED", "Generative Language API has not been used in project 123456789 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/generativelanguage.googleapis.com/overview?project=123456789 then retry.", errorInfo("SERVICE_DISABLED")),
		"403-blocked":   errorReply(403, "PERMISSION_DENIED", "Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent are blocked.", errorInfo("API_KEY_SERVICE_BLOCKED")),
		"403-file":      errorReply(403, "PERMISSION_DENIED", "You do not have permission to access the File abc123 or it may not exist."),
		"404-file":      errorReply(404, "NOT_FOUND", "Requested entity was not found: files/abc123."),
		"404-model":     errorReply(404, "NOT_FOUND", "models/"+req.Model+" is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods."),
		"408":           errorReply(408, "DEADLINE_EXCEEDED", "The request took too long to arrive."),
		"413":           errorReply(413, "", "Request payload size exceeds the limit: 104857600 bytes."),
		"499":           errorReply(499, "CANCELLED", "The operation was cancelled."),
		"500":           errorReply(500, "INTERNAL", "An internal error has occurred."+report),
		"502":           {status: 502, header: map[string]string{"Content-Type": "text/html"}, body: "<!DOCTYPE html><title>Error 502 (Server Error)!!1</title><p>The server encountered a temporary error."},
		"503":           errorReply(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
		"503-later":     errorReply(503, "UNAVAILABLE", "The model is overloaded. Please try again later.").with("Retry-After", "7"),
		"504":           errorReply(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
		"429-minute":    quotaReply("34.074824224s", perMinute),
		"429-day":       quotaReply("", perMinute, perDay),
		"429-zero":      quotaReply("59.953424872s", none),
		"429-spend":     errorReply(429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap. Please go to AI Studio at https://ai.studio/spend to manage your project spend cap."),
		"429-rate":      errorReply(429, "RESOURCE_EXHAUSTED", "You exceeded your spend-based rate limit. Your spending rate has exceeded the allowed limit for your account's billing history and tier."),
		"429-prepaid":   errorReply(429, "RESOURCE_EXHAUSTED", depleted),
		"429-capacity":  errorReply(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
	}
}

// with returns a with one more header.
func (a reply) with(name, value string) reply {
	a.header = map[string]string{name: value}
	return a
}

// errorReply returns an error in Google's form: google.rpc.Status in JSON.
func errorReply(code int, status, message string, details ...any) reply {
	body := map[string]any{"code": code, "message": message}
	if status != "" {
		body["status"] = status
	}
	if len(details) > 0 {
		body["details"] = details
	}
	raw, err := json.MarshalIndent(map[string]any{"error": body}, "", "  ")
	if err != nil { // only a detail that is no JSON could do that
		return reply{status: http.StatusInternalServerError, body: err.Error()}
	}
	return reply{status: code, body: string(raw) + "\n"}
}

func invalidArgument(message string) reply {
	return errorReply(400, "INVALID_ARGUMENT", message)
}

func errorInfo(reason string) map[string]any {
	return map[string]any{
		"@type":    "type.googleapis.com/google.rpc.ErrorInfo",
		"reason":   reason,
		"domain":   "googleapis.com",
		"metadata": map[string]string{"service": "generativelanguage.googleapis.com"},
	}
}

// A violation is one quota that is exceeded.
type violation struct{ Metric, ID, Model, Value string }

// quotaReply returns the answer to a request over a quota. delay is what
// RetryInfo says, such as "34.07s"; "" leaves RetryInfo out.
func quotaReply(delay string, violations ...violation) reply {
	var message strings.Builder
	message.WriteString("You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.")
	var listed []any
	for _, v := range violations {
		message.WriteString("\n* Quota exceeded for metric: " + v.Metric + ", limit: " + v.Value + ", model: " + v.Model)
		listed = append(listed, map[string]any{
			"quotaMetric":     v.Metric,
			"quotaId":         v.ID,
			"quotaDimensions": map[string]string{"location": "global", "model": v.Model},
			"quotaValue":      v.Value,
		})
	}
	details := []any{
		map[string]any{
			"@type": "type.googleapis.com/google.rpc.Help",
			"links": []any{map[string]string{"description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/gemini-api/docs/rate-limits"}},
		},
		map[string]any{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": listed},
	}
	if delay != "" {
		message.WriteString("\nPlease retry in " + delay + ".")
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
	}
	return errorReply(429, "RESOURCE_EXHAUSTED", message.String(), details...)
}
