package gate

import "strconv"

// tidy keeps twelve digits of every double in a report. Processors differ in
// the last bit of what is summed or taken a logarithm of; reports may not.
func (r *Report) tidy() {
	for i := range r.Modes {
		m := &r.Modes[i]
		if x := m.Exact; x != nil {
			twelve(&x.RTP, &x.HitFrequency, &x.SD, &x.MaxWinX)
		}
		if x := m.Simulated; x != nil {
			twelve(&x.RTP, &x.RTPCI99[0], &x.RTPCI99[1], &x.RTPCI999[0], &x.RTPCI999[1], &x.HitFrequency, &x.SD, &x.MaxWinX, &x.FeatureFrequency)
			for k := range x.Convergence {
				twelve(&x.Convergence[k].RTP, &x.Convergence[k].Half99)
			}
		}
		if d := m.Distribution; d != nil {
			for k := range d.Points {
				twelve(&d.Points[k].Probability)
			}
		}
	}
}

func twelve(list ...*float64) {
	for _, v := range list {
		if rounded, err := strconv.ParseFloat(strconv.FormatFloat(*v, 'g', 12, 64), 64); err == nil {
			*v = rounded
		}
	}
}
