package topology

import (
	"math"
	"testing"
)

func TestKilometres(t *testing.T) {
	for name, c := range map[string]struct {
		p, q Point
		want float64
	}{
		"a place and itself":            {Point{50.11, 8.68}, Point{50.11, 8.68}, 0},
		"a degree along the equator":    {Point{0, 0}, Point{0, 1}, 111.19},
		"pole to pole":                  {Point{90, 0}, Point{-90, 0}, 20015.09},
		"across the date line":          {Point{0, 179.5}, Point{0, -179.5}, 111.19},
		"the other side of the equator": {Point{0, 0}, Point{0, 180}, 20015.09},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.p.Kilometres(c.q); math.Abs(got-c.want) > 0.01 {
				t.Errorf("got %.2f km, want %.2f", got, c.want)
			}
			if a, b := c.p.Kilometres(c.q), c.q.Kilometres(c.p); a != b {
				t.Errorf("%v one way and %v the other", a, b)
			}
		})
	}
}
