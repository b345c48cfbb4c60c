//go:build wasip1

// Command goguest is a game in plain Go for the tests of ProfileWASI. The
// choice of a step says what it does besides its five draws.
package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
	"os"
	"runtime"
	"time"
	"unsafe"
)

const manifest = `{"manifest":1,"id":"go-reel","version":"1.0.0","name":"Go Reel","max_draws":5,"max_state":16,"stake_multiple_minor":1,` +
	`"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.95","hit_frequency":"0.5","max_win_x":100}],` +
	`"actions":[{"id":1,"name":"spin","choices":101},{"id":2,"name":"pick"}]}`

// block is the I/O block; uint64 aligns it.
var block [8192]uint64

func io() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&block[0])), len(block)*8) }

//go:wasmimport edgereel draw
func draw(bound uint32) uint32

//go:wasmimport edgereel draw_many
func drawMany(bounds, values unsafe.Pointer, n uint32)

//go:wasmexport edgereel_abi_1
func abi() int32 { return 0 }

//go:wasmexport edgereel_io
func address() int32 { return int32(uintptr(unsafe.Pointer(&block[0]))) }

//go:wasmexport edgereel_manifest
func describe() int32 { return int32(copy(io()[16384:], manifest)) }

var (
	steps int            // remembered by nobody
	seen  map[string]int // grows by a key a step
	nan   = math.NaN()
	zero  float64
)

//go:wasmexport edgereel_play
func play(length int32) int32 {
	in := io()[:length]
	le := binary.LittleEndian
	stake, choice := int64(le.Uint64(in[16:])), le.Uint32(in[12:])
	var reels [5]uint32
	for i := range reels {
		reels[i] = 20
	}
	drawMany(unsafe.Pointer(&reels[0]), unsafe.Pointer(&reels[0]), 5)
	text := act(choice, reels[0])
	win := int64(0)
	if reels[0] == reels[1] {
		win = stake * int64(1+reels[2])
	}
	steps++
	out := io()[16384:]
	clear(out[:32])
	le.PutUint64(out, uint64(win))
	le.PutUint32(out[8:], 1)
	le.PutUint32(out[20:], uint32(len(text)))
	return 32 + int32(copy(out[32:], text))
}

func act(choice, first uint32) string {
	switch choice {
	case 1: // garbage, and its collection
		seen[fmt.Sprint(steps, first)]++
		sum := 0
		for i := range 20 {
			sum += len(make([]byte, 1000+i)) + len(seen)
		}
		runtime.GC()
		return fmt.Sprint(sum, len(seen), steps)
	case 2: // other goroutines, one of which never ends
		c := make(chan uint32)
		go func() { c <- first + 1 }()
		go func() {
			for {
				runtime.Gosched()
			}
		}()
		return fmt.Sprint(<-c, runtime.NumGoroutine())
	case 3: // what the system says
		host, err := os.Hostname()
		m := map[int]bool{}
		for i := range 20 {
			m[i] = true
		}
		order := ""
		for k := range m {
			order += fmt.Sprint(k, " ")
		}
		println("nobody reads this")
		return fmt.Sprint(time.Now().UnixNano(), os.Args, os.Environ(), host, err, rand.Int63(), order)
	case 4: // bits of what is no number
		inf := 1 / zero
		values := []float64{inf - inf, zero / zero, math.Sqrt(-1 - zero), nan + 1, -nan + 1, 0 * inf, math.Copysign(1, inf-inf), math.Max(nan, 1), math.Mod(inf, 2)}
		text := ""
		for _, v := range values {
			text += fmt.Sprintf("%016x %08x ", math.Float64bits(v), math.Float32bits(float32(v)))
		}
		return text + fmt.Sprintf("%016x", math.Float64bits(math.Float64frombits(0xfff1234512345123)))
	case 5:
		panic("on purpose")
	case 6:
		os.Exit(0)
	case 7:
		for {
			steps++
		}
	case 8:
		return fmt.Sprint(deeper(1))
	case 9: // more memory than there is
		var keep [][]byte
		for {
			keep = append(keep, make([]byte, 1<<20))
			seen[fmt.Sprint(len(keep))] = len(keep[0])
		}
	case 10:
		time.Sleep(time.Second)
		return "slept"
	}
	return fmt.Sprint(reelsText(first), steps, len(seen))
}

func reelsText(n uint32) string { return fmt.Sprintf("%d %.3f", n, float64(n)/7) }

func deeper(n int) int { return deeper(n+1) + steps }

func init() { seen = map[string]int{"init": 1} }

func main() {}
