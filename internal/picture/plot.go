package picture

import (
	"image/color"
	"math"
	"slices"
	"time"

	"rollbackbot/runbook"
)

// The card, in pixels: three times what a phone shows.
const (
	width, height = 1200, 800
	plotLeft      = 150
	plotRight     = width - 40
	plotTop       = 260
	plotBottom    = height - 130
)

var (
	paper    = color.RGBA{255, 255, 255, 255}
	edge     = color.RGBA{150, 150, 155, 255}
	ink      = color.RGBA{29, 28, 29, 255}
	grey     = color.RGBA{90, 90, 96, 255}
	grid     = color.RGBA{225, 225, 229, 255}
	rateInk  = color.RGBA{184, 28, 40, 255}
	baseInk  = color.RGBA{18, 100, 163, 255}
	floorInk = color.RGBA{122, 81, 149, 255}
	backTint = color.RGBA{214, 240, 226, 255} // where the rate counts as back
)

// card draws the paper and the title.
func (c *canvas) card(title string) {
	c.rectangle(0, 0, width, height, edge)
	c.rectangle(3, 3, width-3, height-3, paper)
	c.text(c.bold, 40, 70, fitted(c.bold, title, width-80), ink, left)
}

// plot draws the axes, the lines and the curve.
func (c *canvas) plot(parts []part, j runbook.RateJudgement, b *runbook.Baseline) {
	known := b != nil && b.Problem == ""
	top := j.Floor
	for _, s := range j.Curve {
		top = max(top, s.Rate)
	}
	if known {
		top = max(top, b.Rate, j.Limit)
	}
	step := tick(top)
	top = min(1, step*math.Ceil(top*1.1/step))
	y := func(rate float64) float64 { return plotBottom - (plotBottom-plotTop)*rate/top }
	if known {
		c.rectangle(plotLeft, y(min(j.Limit, top)), plotRight, plotBottom, backTint)
	}
	for n := 0; float64(n)*step <= top*1.0001; n++ {
		rate := float64(n) * step
		c.line(plotLeft, y(rate), plotRight, y(rate), 2, grid)
		c.text(c.label, plotLeft-14, y(rate)+13, runbook.Percent(rate), grey, right)
	}
	c.legend(j, b, known)
	place(parts)
	for i, p := range parts {
		c.moments(p, i == 0, parts[len(parts)-1].until)
	}
	c.dashes(plotLeft, plotRight, y(j.Floor), 6, 10, floorInk)
	if known {
		c.dashes(plotLeft, plotRight, y(b.Rate), 28, 14, baseInk)
	}
	for _, p := range parts {
		c.curve(p, y)
	}
}

// legend says what the lines are, with their values.
func (c *canvas) legend(j runbook.RateJudgement, b *runbook.Baseline, known bool) {
	x, y := 40.0, 135.0
	entry := func(on, off float64, ink color.RGBA, text string) {
		c.dashes(x, x+60, y-13, on, off, ink)
		x = c.text(c.label, x+74, y, text, grey, left) + 40
	}
	now := "rate"
	if j.Readings > 0 {
		now = "rate, in the end " + runbook.Percent(j.Median)
	}
	entry(60, 0, rateInk, now)
	x, y = 40, 190
	baseline := "no baseline"
	if known {
		baseline = "baseline " + runbook.Percent(b.Rate)
	}
	entry(28, 14, baseInk, baseline)
	entry(6, 10, floorInk, "floor "+runbook.Percent(j.Floor))
	if known {
		c.rectangle(x, y-30, x+50, y+4, backTint)
		c.text(c.label, x+64, y, "back: to "+runbook.Percent(j.Limit), grey, left)
	}
}

// place gives each part its place on the axis.
func place(parts []part) {
	shares := []float64{shareBefore, shareDuring, shareAfter}[3-len(parts):]
	sum := 0.0
	for _, share := range shares {
		sum += share
	}
	x := float64(plotLeft)
	for i := range parts {
		parts[i].left = x
		x += (plotRight - plotLeft) * shares[i] / sum
		parts[i].right = x
	}
}

// moments draws the end of a part, its caption, and the times.
func (c *canvas) moments(p part, first bool, now time.Time) {
	lasted := " " + length(p.length())
	room := p.right - p.left - 20
	name := fitted(c.label, p.name, room-widthOf(c.label, lasted))
	c.text(c.label, (p.left+p.right)/2, plotTop-18, name+lasted, grey, middle)
	if first {
		c.text(c.label, p.left, plotBottom+48, clock(p, p.from, p.from), ink, left)
		if day := p.from.UTC().Format("Jan 2"); day != now.UTC().Format("Jan 2") {
			c.text(c.label, p.left, plotBottom+98, day, ink, left)
		}
	}
	c.line(p.right, plotTop-50, p.right, plotBottom, 3, grey)
	align := middle
	if p.until.Equal(now) {
		align = right
	}
	c.text(c.label, p.right, plotBottom+48, clock(p, p.until, p.until), ink, align)
	c.text(c.bold40, p.right, plotBottom+98, fitted(c.bold40, p.end, room-widthOf(c.bold40, p.happened))+p.happened, ink, align)
}

// curve draws what was read in a part. Where nothing was read for much longer than usual, the line is broken.
func (c *canvas) curve(p part, y func(float64) float64) {
	if len(p.samples) == 0 {
		return
	}
	x := func(t time.Time) float64 {
		return p.left + (p.right-p.left)*min(1, float64(t.Sub(p.from))/float64(p.length()))
	}
	usual := spacing(p.samples)
	for i, s := range p.samples {
		c.dot(x(s.At), y(s.Rate), 4, rateInk)
		if i > 0 && s.At.Sub(p.samples[i-1].At) <= 4*usual {
			c.line(x(p.samples[i-1].At), y(p.samples[i-1].Rate), x(s.At), y(s.Rate), 7, rateInk)
		}
	}
}

// spacing is how far apart samples usually are.
func spacing(samples []runbook.Sample) time.Duration {
	if len(samples) < 2 {
		return 0
	}
	var gaps []time.Duration
	for i := 1; i < len(samples); i++ {
		gaps = append(gaps, samples[i].At.Sub(samples[i-1].At))
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// tick is how far apart the lines of the grid are, so that there are two to five of them.
func tick(top float64) float64 {
	for _, step := range []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2} {
		if top <= 4*step {
			return step
		}
	}
	return 0.25
}
