package chart

import (
	"fmt"
	"math"
	"strconv"
)

// A Day is what one day came to, in the parts that a bar is stacked of.
type Day struct {
	Name  string // such as 14
	Full  string // such as 14 November
	Parts []int64
}

const (
	daysHeight = 150 // pixels, with the words
	daysTop    = 16  // pixels above the highest bar
	daysBars   = 116 // pixels, of the highest bar
)

// Days draws a bar for each day, stacked of parts. The keys name the parts, the
// lowest first. unit writes an amount as people read it.
func Days(id, title string, days []Day, keys []Key, unit func(int64) string) Drawing {
	d := Drawing{ID: id, Title: title, Height: daysHeight, Legend: keys, Table: Table{Head: []string{"Day"}}}
	for _, k := range keys {
		d.Table.Head = append(d.Table.Head, k.Name)
	}
	d.Table.Head = append(d.Table.Head, "Together")
	var most, sum int64
	for _, day := range days {
		most, sum = max(most, total(day.Parts)), sum+total(day.Parts)
	}
	top := nice(most)
	width := share(1, float64(len(days)))
	for i, day := range days {
		g := Group{Hint: day.Full + ": " + unit(total(day.Parts))}
		row := []string{day.Full}
		bar := Bar{X: float64(i)*width + 0.1*width, W: 0.8 * width, Y: daysTop + daysBars}
		for j, part := range day.Parts {
			row = append(row, unit(part))
			if part > 0 {
				bar.H, bar.Kind = float64(part)*daysBars/float64(top), keys[j].Kind
				bar.Y -= bar.H
				g.Bars = append(g.Bars, bar)
			}
		}
		if len(g.Bars) > 0 {
			d.Groups = append(d.Groups, g)
		}
		d.Table.Rows = append(d.Table.Rows, append(row, unit(total(day.Parts))))
		if i == 0 || (i+1)%5 == 0 && i+1 < len(days)-1 || i == len(days)-1 {
			d.Texts = append(d.Texts, Text{X: (float64(i) + 0.5) * width, Y: daysHeight - 3, Anchor: "middle", Text: day.Name})
		}
	}
	for _, part := range []float64{0, 0.5, 1} {
		y := daysTop + daysBars*(1-part)
		d.Lines = append(d.Lines, Line{X2: 100, Y1: y, Y2: y, Class: "grid"})
		if amount := int64(part * float64(top)); amount > 0 && most > 0 {
			d.Texts = append(d.Texts, Text{Y: y - 3, Anchor: "start", Text: unit(amount)})
		}
	}
	d.Desc = fmt.Sprintf("%s on %s, %s on the day with the most.", unit(sum), count(len(days)), unit(most))
	return d
}

func count(days int) string {
	if days == 1 {
		return "1 day"
	}
	return strconv.Itoa(days) + " days"
}

func total(parts []int64) (sum int64) {
	for _, p := range parts {
		sum += p
	}
	return sum
}

// nice returns the end of an axis that holds n: 1, 2 or 5 with zeros, and at least 2.
func nice(n int64) int64 {
	if n < 2 {
		return 2
	}
	power := math.Pow(10, math.Floor(math.Log10(float64(n))))
	for _, step := range []float64{1, 2, 5, 10} {
		if float64(n) <= step*power {
			return int64(step * power)
		}
	}
	return n
}
