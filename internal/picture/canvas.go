package picture

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"rollbackbot/runbook"
)

// canvas is a picture in the making. Places are in pixels from the top left.
type canvas struct {
	image               *image.RGBA
	bold, bold40, label font.Face
}

func newCanvas() (*canvas, error) {
	c := &canvas{image: image.NewRGBA(image.Rect(0, 0, width, height))}
	for _, f := range []struct {
		face *font.Face
		ttf  []byte
		size float64
	}{{&c.bold, gobold.TTF, 54}, {&c.bold40, gobold.TTF, 40}, {&c.label, goregular.TTF, 38}} {
		parsed, err := opentype.Parse(f.ttf)
		if err != nil {
			return nil, err
		}
		if *f.face, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: f.size, DPI: 72}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// alignment is which part of a text stands at its place.
type alignment int

const (
	left alignment = iota
	middle
	right
)

// text writes a line on a base line, moved as much as it takes to stay on the card, and gives where it ends.
func (c *canvas) text(face font.Face, x, y float64, text string, ink color.Color, at alignment) (end float64) {
	wide := widthOf(face, text)
	switch at {
	case middle:
		x -= wide / 2
	case right:
		x -= wide
	}
	x = max(8, min(x, width-8-wide))
	d := font.Drawer{Dst: c.image, Src: image.NewUniform(ink), Face: face, Dot: fixed.Point26_6{X: fixed.Int26_6(x * 64), Y: fixed.Int26_6(y * 64)}}
	d.DrawString(text)
	return x + wide
}

// fitted cuts a text to what so many pixels hold.
func fitted(face font.Face, text string, room float64) string {
	for n := len([]rune(text)); n > 1 && widthOf(face, text) > room; n-- {
		text = runbook.Truncate(text, n)
	}
	return text
}

func widthOf(face font.Face, text string) float64 {
	return float64(font.MeasureString(face, text)) / 64
}

func (c *canvas) rectangle(left, top, right, bottom float64, ink color.Color) {
	c.fill(ink, [2]float64{left, top}, [2]float64{right, top}, [2]float64{right, bottom}, [2]float64{left, bottom})
}

// line draws a straight line of a thickness.
func (c *canvas) line(x1, y1, x2, y2, thickness float64, ink color.Color) {
	long := math.Hypot(x2-x1, y2-y1)
	if long == 0 {
		return
	}
	dx, dy := (y2-y1)/long*thickness/2, -(x2-x1)/long*thickness/2
	c.fill(ink, [2]float64{x1 + dx, y1 + dy}, [2]float64{x2 + dx, y2 + dy}, [2]float64{x2 - dx, y2 - dy}, [2]float64{x1 - dx, y1 - dy})
}

// dashes draws a level line, on for so many pixels and off for so many.
func (c *canvas) dashes(from, to, y, on, off float64, ink color.Color) {
	for x := from; x < to; x += on + off {
		c.line(x, y, min(x+on, to), y, 6, ink)
	}
}

func (c *canvas) dot(x, y, radius float64, ink color.Color) {
	var corners [12][2]float64
	for i := range corners {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(len(corners)))
		corners[i] = [2]float64{x + radius*cos, y + radius*sin}
	}
	c.fill(ink, corners[:]...)
}

// fill fills a polygon, smooth at its edges. Only the box around it is gone over.
func (c *canvas) fill(ink color.Color, corners ...[2]float64) {
	low, high := corners[0], corners[0]
	for _, p := range corners {
		low, high = [2]float64{min(low[0], p[0]), min(low[1], p[1])}, [2]float64{max(high[0], p[0]), max(high[1], p[1])}
	}
	box := image.Rect(int(math.Floor(low[0])), int(math.Floor(low[1])), int(math.Ceil(high[0]))+1, int(math.Ceil(high[1]))+1).Intersect(c.image.Bounds())
	if box.Empty() {
		return
	}
	r := vector.NewRasterizer(box.Dx(), box.Dy())
	for i, p := range corners {
		x, y := float32(p[0]-float64(box.Min.X)), float32(p[1]-float64(box.Min.Y))
		if i == 0 {
			r.MoveTo(x, y)
		} else {
			r.LineTo(x, y)
		}
	}
	r.ClosePath()
	r.DrawOp = draw.Over
	r.Draw(c.image, box, image.NewUniform(ink), image.Point{})
}
