// Package games carries the reference slots as built modules with their PAR
// sheets. It promises that the bytes are what the source beside them builds; it
// runs nothing.
package games

import (
	"embed"
	"strings"
)

//go:embed harbor-lines/harbor-lines.wasm harbor-lines/par.json
//go:embed comet-spins/comet-spins.wasm comet-spins/par.json
//go:embed lantern-ways/lantern-ways.wasm lantern-ways/par.json
//go:embed lantern-ways/94/lantern-ways-94.wasm lantern-ways/94/par.json
//go:embed lantern-ways/92/lantern-ways-92.wasm lantern-ways/92/par.json
//go:embed ember-vault/ember-vault.wasm ember-vault/par.json
//go:embed quarry-falls/quarry-falls.wasm quarry-falls/par.json
var files embed.FS

// Game is one reference slot. The slices are the caller's own.
type Game struct {
	ID   string // of a variant: the family's and the variant's
	Wasm []byte // module, ABI v1
	Par  []byte // PAR sheet, JSON of par.Sheet
}

// All returns the reference games, always in the same order.
func All() []Game {
	folders := []string{"harbor-lines", "comet-spins", "lantern-ways", "lantern-ways/94", "lantern-ways/92", "ember-vault", "quarry-falls"}
	out := make([]Game, 0, len(folders))
	for _, folder := range folders {
		id := strings.ReplaceAll(folder, "/", "-")
		out = append(out, Game{ID: id, Wasm: read(folder + "/" + id + ".wasm"), Par: read(folder + "/par.json")})
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
