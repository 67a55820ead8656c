package gemini

import "strings"

// pictureTokens returns how many tokens a picture is charged as.
func pictureTokens(req Request) int {
	if strings.Contains(req.Model, "pro") {
		return map[string]int{"512": 1120, "1K": 1120, "2K": 1120, "4K": 2000}[req.ImageSize]
	}
	return map[string]int{"512": 747, "1K": 1120, "2K": 1680, "4K": 3780}[req.ImageSize]
}

// thoughtTokens returns how many tokens a model thinks of a request. Some models
// think unless they are told not to.
func thoughtTokens(model string) int {
	if strings.Contains(model, "pro") || strings.Contains(model, "2.1") {
		return 600
	}
	return 0
}
