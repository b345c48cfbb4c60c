//go:build wasip1 || wasm_unknown

package edgereel

import "unsafe"

//go:wasmimport edgereel draw
func hostDraw(bound uint32) uint32

//go:wasmimport edgereel draw_many
func hostDrawMany(bounds, values unsafe.Pointer, n uint32)

type hostDraws struct{}

func (hostDraws) Draw(bound uint32) uint32 { return hostDraw(bound) }

func (hostDraws) DrawMany(bounds []uint32) {
	p := unsafe.Pointer(unsafe.SliceData(bounds))
	hostDrawMany(p, p, uint32(len(bounds)))
}

// A module is one game, so here they are: written while it starts, then only read.
var (
	block    Block
	exported Game
	draws    Draws = hostDraws{}
)

// Export makes the game the one of this module. Call it once, from init.
func Export(g Game) { exported = g }

//go:wasmexport edgereel_abi_1
func edgereelABI1() int32 { return 1 }

//go:wasmexport edgereel_io
func edgereelIO() uint32 { return uint32(uintptr(unsafe.Pointer(&block.words))) }

//go:wasmexport edgereel_manifest
func edgereelManifest() int32 { return block.WriteManifest(exported) }

//go:wasmexport edgereel_play
func edgereelPlay(length int32) int32 { return int32(block.PlayStep(exported, draws, length)) }

//go:wasmexport edgereel_advise
func edgereelAdvise(length int32) int32 { return int32(block.AskAdvice(exported, length)) }
