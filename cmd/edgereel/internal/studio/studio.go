// Package studio is what a studio does with a module before anyone plays it:
// look into it, simulate it, compute it exactly.
//
// It promises to print one line of JSON with --json, and nothing else on
// standard output; progress goes to standard error. A module runs on the
// machine where the verb runs, with the rights of a sandbox without files,
// network or clock, but with nobody's permission: the verbs admit the file they
// are given, whatever its digest.
package studio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/table"
)

// ErrNo ends a verb whose question was answered, and the answer is no. The
// report was printed.
var ErrNo = errors.New("the answer is no")

// load starts the game of a file: a module on a host of its own, or a table.
// The caller closes it.
func load(ctx context.Context, path string) (gamelogic.Game, io.Closer, error) {
	file, err := read(path)
	if err != nil {
		return nil, nil, err
	}
	if table.Is(file) {
		g, err := table.OpenBytes(file)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		return g, closing(g.Close), nil
	}
	host, err := gamelogic.NewHost(ctx, gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(file)}})
	if err != nil {
		return nil, nil, err
	}
	m, err := host.Load(ctx, file)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), host.Close())
	}
	return m, host, nil
}

// closing is a Close that cannot fail.
type closing func()

func (c closing) Close() error {
	c()
	return nil
}

// Most of a file that is taken in: what tells that a module is too long, and a
// whole table.
const (
	mostModule = 16 << 20
	mostTable  = 1 << 30
)

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the module: %w", err)
	}
	file, err := io.ReadAll(io.LimitReader(f, mostModule))
	if err == nil && table.Is(file) {
		var rest []byte
		rest, err = io.ReadAll(io.LimitReader(f, mostTable-mostModule))
		file = append(file, rest...)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	return file, nil
}

// stake is the asked one, or the smallest that the module takes in the mode.
func stake(m gamelogic.Game, mode string, asked int64) (int64, error) {
	x, ok := m.Manifest().Mode(mode)
	if !ok {
		names := []string{}
		for _, x := range m.Manifest().Modes {
			names = append(names, x.Name)
		}
		return 0, fmt.Errorf("%w: %q, the module has %q", gamelogic.ErrUnknownMode, mode, names)
	}
	if asked != 0 {
		return asked, nil
	}
	unit := m.Manifest().StakeMultipleMinor
	for k := int64(1); k <= 100; k++ {
		if _, err := x.CostMinor(k * unit); err == nil {
			return k * unit, nil
		}
	}
	return 0, fmt.Errorf("%w: name one with --stake", gamelogic.ErrBadStake)
}

// Count is a number of things that may be written like 1e8.
type Count uint64

// UnmarshalText reads 100000000, 1e8 or 2.5e6.
func (c *Count) UnmarshalText(text []byte) error {
	v, ok := new(big.Rat).SetString(string(text))
	if !ok || len(text) > 20 || !v.IsInt() || v.Sign() <= 0 || !v.Num().IsUint64() {
		return fmt.Errorf("%q is no whole number above 0, like 1000000 or 1e6", text)
	}
	*c = Count(v.Num().Uint64())
	return nil
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

func digestText(d [32]byte) string { return hex.EncodeToString(d[:]) }

// float is the nearest double, for people and plots; null stands for nothing.
func float(r *big.Rat) *float64 {
	if r == nil {
		return nil
	}
	v, _ := r.Float64()
	return &v
}

func root(r *big.Rat) *float64 {
	v := float(r)
	if v != nil {
		*v = math.Sqrt(*v)
	}
	return v
}

func fraction(r *big.Rat) (num, den string) {
	if r == nil {
		return "", ""
	}
	return r.Num().String(), r.Denom().String()
}
