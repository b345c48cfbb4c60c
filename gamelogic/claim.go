package gamelogic

import (
	"fmt"
	"math"
)

// Claim marks the draws as those of one step of the game with this digest. A
// game that is no module calls it before it draws, once it has refused what it
// refuses; a module's host does so itself. ErrBadDraws when they are missing,
// have served a step already, or are keyed for another game.
func (d *Draws) Claim(game [32]byte) error {
	if err := d.serves(&game); err != nil {
		return err
	}
	d.used = true
	return nil
}

// serves tells whether a step of this game may use the draws.
func (d *Draws) serves(game *[32]byte) error {
	switch {
	case d == nil:
		return fmt.Errorf("%w: none given", ErrBadDraws)
	case d.used:
		return fmt.Errorf("%w: they have served a step already", ErrBadDraws)
	case d.bound && d.module != *game:
		return fmt.Errorf("%w: they are keyed for another module", ErrBadDraws)
	}
	return nil
}

// Draw gives one uniform value below bound, which is at least 1, and logs it.
// ErrBadDraws before Claim, for bound 0, and when scripted draws do not fit.
func (d *Draws) Draw(bound uint32) (uint32, error) {
	if !d.used || bound == 0 {
		return 0, fmt.Errorf("%w: a draw of bound %d, claimed %t", ErrBadDraws, bound, d.used)
	}
	v, err := d.take(bound)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrBadDraws, err)
	}
	return v, nil
}

// Draw64 gives one uniform value below bound, which is at least 1, out of
// logged draws: its digits to the base 2³¹, the highest first. When they make a
// number that is not below bound, all are drawn anew, so every value owns
// equally many draws; that takes less than 1.5 rounds on average. Errors are
// those of Draw.
func (d *Draws) Draw64(bound uint64) (uint64, error) {
	if bound == 0 {
		return 0, fmt.Errorf("%w: a draw of bound 0", ErrBadDraws)
	}
	return compose(bound, wideDigits, d.Draw)
}

// digits is how a wide value is put together: low digits of so many bits below
// one that is at most highest.
type digits struct {
	bits    uint
	highest uint64 // greatest bound of the first draw
}

var wideDigits = digits{bits: 31, highest: math.MaxUint32}

// split gives the bound of the first digit and the number of the others: as few
// as there can be.
func (w digits) split(bound uint64) (first uint64, others uint) {
	for {
		shift := w.bits * others
		if first = (bound-1)>>shift + 1; first <= w.highest {
			return first, others
		}
		others++
	}
}

// compose draws a value below bound (≥ 1) digit by digit.
func compose(bound uint64, w digits, draw func(bound uint32) (uint32, error)) (uint64, error) {
	first, others := w.split(bound)
	for {
		v, err := draw(uint32(first))
		x := uint64(v)
		for i := uint(0); i < others && err == nil; i++ {
			v, err = draw(1 << w.bits)
			x = x<<w.bits | uint64(v)
		}
		if err != nil {
			return 0, err
		}
		if x < bound {
			return x, nil
		}
	}
}
