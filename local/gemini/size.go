package gemini

import "fmt"

// size1K is the size in pixels of each aspect ratio at 1K, measured on the
// real service; the other sizes are exact multiples of it.
var size1K = map[string][2]int{
	"1:1":  {1024, 1024},
	"1:4":  {512, 2064},
	"1:8":  {352, 2928},
	"2:3":  {848, 1264},
	"3:2":  {1264, 848},
	"3:4":  {896, 1200},
	"4:1":  {2064, 512},
	"4:3":  {1200, 896},
	"4:5":  {928, 1152},
	"5:4":  {1152, 928},
	"8:1":  {2928, 352},
	"9:16": {768, 1376},
	"16:9": {1376, 768},
	"21:9": {1584, 672},
}

// halves is each image size in halves of 1K. The K is a capital.
var halves = map[string]int{"512": 1, "1K": 2, "2K": 4, "4K": 8}

// pixels returns the width and height of a picture. Its errors have the words
// of the real service.
func pixels(aspectRatio, imageSize string) (width, height int, err error) {
	size, ok := size1K[aspectRatio]
	if !ok {
		return 0, 0, invalid(fmt.Sprintf("Invalid value at 'generation_config.image_config.aspect_ratio': %q", aspectRatio))
	}
	n, ok := halves[imageSize]
	if !ok {
		return 0, 0, invalid(fmt.Sprintf("Invalid value at 'generation_config.image_config.image_size': %q", imageSize))
	}
	return size[0] * n / 2, size[1] * n / 2, nil
}
