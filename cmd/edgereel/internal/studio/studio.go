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
)

// ErrNo ends a verb whose question was answered, and the answer is no. The
// report was printed.
var ErrNo = errors.New("the answer is no")

// load starts a module from a file on a host of its own.
func load(ctx context.Context, path string) (*gamelogic.Module, *gamelogic.Host, error) {
	wasm, err := read(path)
	if err != nil {
		return nil, nil, err
	}
	host, err := gamelogic.NewHost(ctx, gamelogic.HostConfig{Allow: [][32]byte{sha256.Sum256(wasm)}})
	if err != nil {
		return nil, nil, err
	}
	m, err := host.Load(ctx, wasm)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), host.Close())
	}
	return m, host, nil
}

// read takes in no more of a file than tells that it is too long.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the module: %w", err)
	}
	wasm, err := io.ReadAll(io.LimitReader(f, 16<<20))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	return wasm, nil
}

// stake is the asked one, or the smallest that the module takes in the mode.
func stake(m *gamelogic.Module, mode string, asked int64) (int64, error) {
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
