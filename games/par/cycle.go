package par

// Cycle is the exact distribution of one spin: how many of all combinations of
// stops pay how many units, split by whether they start the feature.
type Cycle struct {
	Combinations uint64
	Plain        map[int64]uint64 // units → combinations without the feature
	Triggered    map[int64]uint64 // units, without the scatter pay → combinations with it
}

// alive is a line whose run from the left has not ended.
type alive struct {
	line   int
	symbol int
}

type walker struct {
	d      *Design
	strips [][]int
	below  [Reels + 1]uint64 // combinations of the reels from here on
	out    Cycle
}

// Walk goes through every combination of stops. A subtree in which no line is
// alive any more and no scatter can appear is counted at once.
func (d *Design) Walk(strips [][]int) Cycle {
	w := &walker{d: d, strips: strips, out: Cycle{Plain: map[int64]uint64{}, Triggered: map[int64]uint64{}}}
	w.below[Reels] = 1
	for r := Reels - 1; r >= 0; r-- {
		w.below[r] = w.below[r+1] * uint64(len(strips[r]))
	}
	w.out.Combinations = w.below[0]
	w.reel(0, nil, 0, 0)
	return w.out
}

func (w *walker) reel(r int, lines []alive, units int64, scatters int) {
	if r == Reels {
		for _, l := range lines {
			units += w.d.Symbols[l.symbol].Pays[Reels]
		}
		w.count(units, scatters, 1)
		return
	}
	if r > 0 && len(lines) == 0 && w.d.Feature == nil {
		w.count(units, scatters, w.below[r])
		return
	}
	var buffer [16]alive
	strip := w.strips[r]
	for stop := range strip {
		next, won, seen := buffer[:0], units, scatters
		for row := range Rows {
			if w.d.isScatter(strip[(stop+row)%len(strip)]) {
				seen++
			}
		}
		if r == 0 {
			for n, line := range w.d.Lines {
				next = append(next, alive{n, strip[(stop+line[0])%len(strip)]})
			}
		}
		for _, l := range lines {
			if x := strip[(stop+w.d.Lines[l.line][r])%len(strip)]; x == l.symbol || w.d.isWild(x) {
				next = append(next, l)
			} else {
				won += w.d.Symbols[l.symbol].Pays[r]
			}
		}
		w.reel(r+1, next, won, seen)
	}
}

func (w *walker) count(units int64, scatters int, n uint64) {
	if f := w.d.Feature; f != nil && scatters >= f.Scatters {
		w.out.Triggered[units] += n
		return
	}
	w.out.Plain[units] += n
}

// triggers is the number of combinations that start the feature.
func (c *Cycle) triggers() (n uint64) {
	for _, k := range c.Triggered {
		n += k
	}
	return n
}
