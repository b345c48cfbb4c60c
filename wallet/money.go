package wallet

import (
	"errors"
	"math"
	"math/bits"
)

// ErrOverflow is returned where an amount would leave the range of int64.
var ErrOverflow = errors.New("amount leaves the 64-bit range")

// Add adds two amounts in minor units.
func Add(a, b int64) (int64, error) {
	c := a + b
	if (c > a) != (b > 0) && b != 0 {
		return 0, ErrOverflow
	}
	return c, nil
}

// Sub subtracts b from a, both in minor units.
func Sub(a, b int64) (int64, error) {
	c := a - b
	if b != 0 && (c < a) != (b > 0) {
		return 0, ErrOverflow
	}
	return c, nil
}

// Mul multiplies a non-negative amount by a non-negative integer.
func Mul(a int64, n uint64) (int64, error) {
	if a < 0 {
		return 0, ErrOverflow
	}
	hi, lo := bits.Mul64(uint64(a), n)
	if hi != 0 || lo > math.MaxInt64 {
		return 0, ErrOverflow
	}
	return int64(lo), nil
}

// Cost gives what a round of a mode costs: stake × costX100 / 100. A cost that
// is not a whole number of minor units is refused, never rounded.
func Cost(stakeMinor int64, costX100 uint32) (int64, error) {
	product, err := Mul(stakeMinor, uint64(costX100))
	if err != nil {
		return 0, err
	}
	if product%100 != 0 {
		return 0, errors.New("stake times the mode's cost is not a whole number of minor units")
	}
	return product / 100, nil
}

// wide is a 128-bit total in two's complement.
type wide struct{ hi, lo uint64 }

func (w wide) add(v int64) wide {
	lo, carry := bits.Add64(w.lo, uint64(v), 0)
	hi, _ := bits.Add64(w.hi, uint64(v>>63), carry)
	return wide{hi, lo}
}

// narrow gives the total where it fits into 64 bits.
func (w wide) narrow() (int64, error) {
	if w.hi != uint64(int64(w.lo)>>63) {
		return 0, ErrOverflow
	}
	return int64(w.lo), nil
}
