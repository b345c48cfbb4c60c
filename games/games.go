// Package games carries the reference slots as built modules with their PAR
// sheets. It promises that the bytes are what the source beside them builds; it
// runs nothing.
package games

import "embed"

//go:embed harbor-lines/harbor-lines.wasm harbor-lines/par.json
//go:embed comet-spins/comet-spins.wasm comet-spins/par.json
var files embed.FS

// Game is one reference slot. The slices are the caller's own.
type Game struct {
	ID   string
	Wasm []byte // module, ABI v1
	Par  []byte // PAR sheet, JSON of par.Sheet
}

// All returns the reference games, always in the same order.
func All() []Game {
	ids := []string{"harbor-lines", "comet-spins"}
	out := make([]Game, 0, len(ids))
	for _, id := range ids {
		out = append(out, Game{ID: id, Wasm: read(id + "/" + id + ".wasm"), Par: read(id + "/par.json")})
	}
	return out
}

func read(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic("games: " + err.Error()) // the compiler put it there
	}
	return b
}
