package gate

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Size of a plot and of its margins, in units of its view box.
const (
	plotWidth, plotHeight                 = 720.0, 300.0
	plotLeft, plotRight, plotTop, plotEnd = 64.0, 12.0, 14.0, 44.0
)

// scale maps values to a coordinate.
type scale struct{ low, high, from, to float64 }

func (s scale) at(v float64) float64 {
	if s.high == s.low {
		return s.from
	}
	return s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from)
}

func across(low, high float64) scale { return scale{low, high, plotLeft, plotWidth - plotRight} }

func upward(low, high float64) scale { return scale{low, high, plotHeight - plotEnd, plotTop} }

// figure begins a plot that a screen reader can name.
func figure(b *strings.Builder, title string) {
	fmt.Fprintf(b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s"><title>%s</title>`, plotWidth, plotHeight,
		template.HTMLEscapeString(title), template.HTMLEscapeString(title))
}

func gridX(b *strings.Builder, x float64, label string) {
	fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/><text x="%.1f" y="%g" text-anchor="middle">%s</text>`,
		x, x, plotTop, plotHeight-plotEnd, x, plotHeight-plotEnd+16, label)
}

func gridY(b *strings.Builder, y float64, label string) {
	fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`,
		plotLeft, plotWidth-plotRight, y, y, plotLeft-6, y+4, label)
}

func axis(b *strings.Builder, x, y string) {
	fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle">%s</text><text transform="translate(12 %g) rotate(-90)" text-anchor="middle">%s</text></svg>`,
		(plotLeft+plotWidth-plotRight)/2, plotHeight-8, x, (plotTop+plotHeight-plotEnd)/2, y)
}

// plotDistribution shows how likely wins are, both on logarithmic scales: wins
// are gathered into bars of equal width there. No win stands at the left.
func plotDistribution(m *Mode) template.HTML {
	if m.Distribution == nil || len(m.Distribution.Points) == 0 {
		return ""
	}
	const perDecade = 10
	bars, low, high, none := map[int]float64{}, math.MaxInt, math.MinInt, 0.0
	for _, p := range m.Distribution.Points {
		if p.WinMinor == 0 {
			none = p.Probability
			continue
		}
		at := int(math.Floor(math.Log10(float64(p.WinMinor)/float64(m.StakeMinor))*perDecade + 1e-9))
		bars[at] += p.Probability
		low, high = min(low, at), max(high, at)
	}
	least := 1.0
	for _, p := range bars {
		least = min(least, p)
	}
	var b strings.Builder
	figure(&b, fmt.Sprintf("Distribution of the win of a round of mode %s, %s", m.Mode, m.Distribution.Source))
	bottom := math.Floor(math.Log10(least))
	y := upward(bottom, 0)
	for d := bottom; d <= 0; d++ {
		if -bottom <= 10 || math.Mod(-d, 2) == 0 {
			gridY(&b, y.at(d), fmt.Sprintf("10<tspan dy=\"-5\" font-size=\"8\">%g</tspan>", d))
		}
	}
	if len(bars) > 0 {
		x := across(float64(low)-2, float64(high)+1)
		for d := int(math.Ceil(float64(low) / perDecade)); d*perDecade <= high+1; d++ {
			gridX(&b, x.at(float64(d*perDecade)), fmt.Sprintf("%g", math.Pow10(d)))
		}
		for at := low; at <= high; at++ {
			if p := bars[at]; p > 0 {
				top := y.at(math.Log10(p))
				fmt.Fprintf(&b, `<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>from %.3g stakes: %.4g</title></rect>`,
					x.at(float64(at))+0.5, top, max(1, x.at(1)-x.at(0)-1), max(0.5, plotHeight-plotEnd-top), math.Pow(10, float64(at)/perDecade), p)
			}
		}
		if none > 0 {
			top := y.at(math.Log10(none))
			fmt.Fprintf(&b, `<rect class="none" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>no win: %.6g</title></rect>`,
				x.at(float64(low)-2)+0.5, top, max(1, x.at(1)-x.at(0)-1), plotHeight-plotEnd-top, none)
		}
	}
	axis(&b, "win of a round in stakes (leftmost: no win)", "probability")
	return template.HTML(b.String()) //nolint:gosec // numbers, and a name that was escaped
}

// plotConvergence shows the return after more and more rounds within its 99 %
// band, beside what is declared.
func plotConvergence(m *Mode) template.HTML {
	if m.Simulated == nil || len(m.Simulated.Convergence) == 0 {
		return ""
	}
	list := m.Simulated.Convergence
	var target float64
	if m.Exact != nil && m.Exact.Countable {
		target = m.Exact.RTP
	} else if _, err := fmt.Sscan(m.Declared.RTP, &target); err != nil {
		target = 0
	}
	low, high := target, target
	for _, p := range list {
		low, high = min(low, p.RTP-p.Half99), max(high, p.RTP+p.Half99)
	}
	low = max(0, low)
	first, last := math.Log10(float64(list[0].Rounds)), math.Log10(float64(list[len(list)-1].Rounds))
	x, y := across(first, max(last, first+0.01)), upward(low, high)
	var b strings.Builder
	figure(&b, fmt.Sprintf("Return of mode %s after more and more simulated rounds", m.Mode))
	for i := range 6 {
		v := low + float64(i)*(high-low)/5
		gridY(&b, y.at(v), fmt.Sprintf("%.2f %%", 100*v))
	}
	for d := math.Ceil(first); d <= last; d++ {
		gridX(&b, x.at(d), fmt.Sprintf("10<tspan dy=\"-5\" font-size=\"8\">%g</tspan>", d))
	}
	var band, line, back strings.Builder
	for _, p := range list {
		at := x.at(math.Log10(float64(p.Rounds)))
		fmt.Fprintf(&band, "%.1f,%.1f ", at, y.at(p.RTP+p.Half99))
		fmt.Fprintf(&line, "%.1f,%.1f ", at, y.at(p.RTP))
	}
	for i := len(list) - 1; i >= 0; i-- {
		fmt.Fprintf(&back, "%.1f,%.1f ", x.at(math.Log10(float64(list[i].Rounds))), y.at(max(low, list[i].RTP-list[i].Half99)))
	}
	fmt.Fprintf(&b, `<polygon class="band" points="%s%s"/><polyline class="line" points="%s"/>`, band.String(), back.String(), line.String())
	fmt.Fprintf(&b, `<line class="target" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, plotLeft, plotWidth-plotRight, y.at(target), y.at(target))
	axis(&b, "rounds (band: 99 % interval, dashed: exact or declared return)", "return")
	return template.HTML(b.String()) //nolint:gosec // numbers, and a name that was escaped
}
