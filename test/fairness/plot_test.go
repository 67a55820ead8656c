//go:build !race

package fairness_test

import (
	"fmt"
	"strings"
	"time"
)

// draw returns a plot, as SVG, of how many pictures each tenant had started at
// each time.
func draw(starts []start) []byte {
	const width, height, left, bottom = 720, 360, 60, 40
	const span = 20 * time.Minute
	most := 0
	counts := map[string]int{}
	points := map[string][]string{}
	for _, s := range starts {
		counts[s.tenant]++
		most = max(most, counts[s.tenant])
	}
	most = (most/200 + 1) * 200 // so that the lines of the grid are round numbers
	clear(counts)
	for _, s := range starts {
		counts[s.tenant]++
		x := left + float64(width-left-20)*s.at.Seconds()/span.Seconds()
		y := float64(height-bottom) - float64(height-bottom-20)*float64(counts[s.tenant])/float64(most)
		points[s.tenant] = append(points[s.tenant], fmt.Sprintf("%.1f,%.1f", x, y))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	for minute := 0; minute <= 20; minute += 5 {
		x := left + (width-left-20)*minute/20
		fmt.Fprintf(&b, `<line x1="%d" y1="20" x2="%d" y2="%d" stroke="#ddd"/>`, x, x, height-bottom)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%d min</text>`+"\n", x, height-bottom+18, minute)
	}
	for _, share := range []int{0, 1, 2, 3, 4} {
		y := height - bottom - (height-bottom-20)*share/4
		fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#ddd"/>`, left, y, width-20, y)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%d</text>`+"\n", left-8, y+4, most*share/4)
	}
	for i, line := range []struct{ tenant, label, color string }{
		{"bignormal", "5,000 pictures, weight 1", "#4c78a8"},
		{"doublenormal", "500 pictures, weight 2", "#f58518"},
		{"smallnormal", "2 pictures, weight 1", "#e45756"},
	} {
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2.5" points="%s"/>`+"\n",
			line.color, strings.Join(points[line.tenant], " "))
		for _, p := range points[line.tenant][:min(2, len(points[line.tenant]))] {
			x, y, _ := strings.Cut(p, ",")
			fmt.Fprintf(&b, `<circle cx="%s" cy="%s" r="4" fill="%s"/>`+"\n", x, y, line.color)
		}
		y := 38 + 20*i
		fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="3"/>`, left+14, y, left+34, y, line.color)
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", left+42, y+5, line.label)
	}
	fmt.Fprintf(&b, `<text x="%d" y="14">pictures started</text></svg>`+"\n", left-40)
	return []byte(b.String())
}
