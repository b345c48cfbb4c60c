package par

// Screen is what the player sees: the symbol in each row of each reel.
type Screen [Reels][Rows]int

// LineWin is one paying line.
type LineWin struct {
	Line   int // from 1
	Symbol int
	Count  int
	Units  int64 // without multiplier
}

// ScreenAt reads the windows of strips that start at the stops.
func ScreenAt(strips [][]int, stops [Reels]int) (s Screen) {
	for r, strip := range strips {
		for row := range Rows {
			s[r][row] = strip[(stops[r]+row)%len(strip)]
		}
	}
	return s
}

// Evaluate pays a screen from the rules: on each line the best run of one
// symbol, wilds included, from the left; and it counts the scatters. It tries
// every symbol on every line and is written to be read, not to be fast.
func (d *Design) Evaluate(s Screen) (wins []LineWin, units int64, scatters int) {
	for n, line := range d.Lines {
		best := LineWin{Line: n + 1}
		for symbol, info := range d.Symbols {
			if d.isWild(symbol) || d.isScatter(symbol) {
				continue
			}
			count := 0
			for count < Reels && (s[count][line[count]] == symbol || d.isWild(s[count][line[count]])) {
				count++
			}
			if pay := info.Pays[count]; pay > best.Units {
				best.Symbol, best.Count, best.Units = symbol, count, pay
			}
		}
		if best.Units > 0 {
			wins = append(wins, best)
			units += best.Units
		}
	}
	for _, reel := range s {
		for _, x := range reel {
			if d.isScatter(x) {
				scatters++
			}
		}
	}
	return wins, units, scatters
}
