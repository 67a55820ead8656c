package chart

import (
	"fmt"
	"strconv"
	"time"
)

const sparkHeight = 26 // pixels

// Spark draws how often something was in each of the hours until a time, the
// longest ago first.
func Spark(id, title string, until time.Time, hours []int) Drawing {
	d := Drawing{ID: id, Title: title, Height: sparkHeight, Table: Table{Head: []string{"Hour from (UTC)", "How often"}}}
	top, sum := 0, 0
	for _, n := range hours {
		top, sum = max(top, n), sum+n
	}
	width := share(1, float64(len(hours)))
	for i, n := range hours {
		begin := until.Add(time.Duration(i-len(hours)) * time.Hour)
		bar := Bar{X: float64(i)*width + 0.1*width, W: 0.8 * width, Y: sparkHeight - 1, H: 1, Kind: Idle}
		if n > 0 {
			bar.H, bar.Kind = 2+float64(n)*(sparkHeight-2)/float64(top), Plain
			bar.H = min(bar.H, sparkHeight)
			bar.Y = sparkHeight - bar.H
			d.Table.Rows = append(d.Table.Rows, []string{begin.UTC().Format("2 Jan 15:04"), strconv.Itoa(n)})
		}
		d.Groups = append(d.Groups, Group{Hint: fmt.Sprintf("%s: %d", begin.UTC().Format("2 Jan 15:04"), n), Bars: []Bar{bar}})
	}
	d.Desc = fmt.Sprintf("%d in %d hours, at most %d in one.", sum, len(hours), top)
	return d
}
