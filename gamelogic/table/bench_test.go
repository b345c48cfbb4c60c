package table_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/table"
)

// BenchmarkPlay plays rows at random out of 100,000 books of about 600 bytes, so
// that nearly every step unpacks a block of its own.
func BenchmarkPlay(b *testing.B) {
	const rows = 100_000
	random := rand.New(rand.NewPCG(1, 2))
	var books, weights strings.Builder
	for id := range rows {
		fmt.Fprintf(&books, `{"id":%d,"payoutMultiplier":%d,"events":[{"index":0,"type":"reveal","board":[`, id, id%15*10)
		for i := range 15 {
			fmt.Fprintf(&books, `%s{"name":"S%d","x":%d}`, strings.Repeat(",", min(i, 1)), random.IntN(12), random.IntN(90))
		}
		fmt.Fprintf(&books, "]},{\"index\":1,\"type\":\"finalWin\",\"amount\":%d}]}\n", id%15*10)
		fmt.Fprintf(&weights, "%d,%d,%d\n", id, 1+random.Uint64N(1<<40), id%15*10)
	}
	file, err := imported(b, fstest.MapFS{
		"index.json": {Data: []byte(`{"modes":[{"name":"base","cost":1,"events":"e","weights":"w"}]}`)},
		"e":          {Data: pack(b, books.String())},
		"w":          {Data: []byte(weights.String())},
	})
	if err != nil {
		b.Fatal(err)
	}
	g := open(b, file)
	stream := gamelogic.NewStream([32]byte{1}, g.Digest(), 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Play(b.Context(), gamelogic.Step{Mode: "base", Action: table.ActionPlay, StakeMinor: 100, Draws: stream.Step()}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(file))/rows, "file-bytes/row")
}
