package main

import edgereel "github.com/edgereel/edgereel/sdk/go"

// stopList is a bound, a value or a stop per reel.
type stopList [reels]uint32

func (s *stopList) fill(v uint32) {
	for r := range s {
		s[r] = v
	}
}

// screen is three windows, reel by reel from the top.
type screen [reels][rows]uint8

// What a step works on. They hold nothing from one step to the next; as
// variables they spare the garbage collector work.
var (
	bounds stopList
	shown  screen
)

// at shows the windows of the strips and counts the lanterns.
func (s *screen) at(from *stopList) (lanterns uint32) {
	for r := range s {
		for row := range s[r] {
			x := strips[r][(from[r]+uint32(row))%stops]
			s[r][row] = x
			if x == lantern {
				lanterns++
			}
		}
	}
	return lanterns
}

// paid is the symbol that a line pays for, if it does.
func (s *screen) paid(line *[reels]uint8) (symbol uint8, ok bool) {
	symbol = moon
	for r, row := range line {
		x := s[r][row]
		if x == lantern || x != moon && symbol != moon && x != symbol {
			return 0, false
		}
		if x != moon {
			symbol = x
		}
	}
	return symbol, true
}

// write tells what is seen and returns what it wins.
func (s *screen) write(in *edgereel.Input, out *edgereel.Output, lanterns, left, multiplier uint32) int64 {
	lineBet := in.StakeMinor / int64(len(lines))
	out.Text(`{"v":1,"grid":[`)
	for r := range s {
		if r > 0 {
			out.Text(",")
		}
		for row, x := range s[r] {
			if row == 0 {
				out.Text("[")
			} else {
				out.Text(",")
			}
			out.Quoted(names[x])
		}
		out.Text("]")
	}
	out.Text(`],"lines":[`)
	win := int64(0)
	for l := range lines {
		symbol, ok := s.paid(&lines[l])
		if !ok {
			continue
		}
		if win > 0 {
			out.Text(",")
		}
		pay := pays[symbol] * int64(multiplier) * lineBet
		out.Text(`{"line":`)
		out.Number(uint64(l) + 1)
		out.Text(`,"symbol":`)
		out.Quoted(names[symbol])
		out.Text(`,"win":`)
		out.Amount(pay)
		out.Text("}")
		win += pay
	}
	out.Text(`],"lanterns":`)
	out.Number(uint64(lanterns))
	out.Text(`,"multiplier":`)
	out.Number(uint64(multiplier))
	out.Text(`,"spins_left":`)
	out.Number(uint64(left))
	out.Text(`,"win":`)
	out.Amount(win)
	out.Text("}")
	return win
}
