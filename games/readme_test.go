package games_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/games"
	"github.com/edgereel/edgereel/games/par"
)

// The table of figures in the README is that of the sheets, row by row.
func TestREADME_Figures(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "par.json -->\n")
	if !found {
		t.Fatal("the README has no figures")
	}
	table, _, _ := strings.Cut(rest, "\n\n")
	rows := strings.Split(table, "\n")[2:] // behind the head
	n := 0
	for _, g := range games.All() {
		var s par.Sheet
		if err := json.Unmarshal(g.Par, &s); err != nil {
			t.Fatal(err)
		}
		for _, m := range s.Modes {
			exactly := m.RTPFraction
			if exactly == "" {
				exactly = "–"
			}
			want := fmt.Sprintf("| %s | %s | %d.%02d | %s | %s | %s | %d | ", g.ID, m.Name, m.CostX100/100, m.CostX100%100, m.RTP, exactly, m.HitFrequency, m.MaxWinX)
			if n >= len(rows) || !strings.HasPrefix(rows[n], want) {
				t.Errorf("row %d should begin with %s", n+1, want)
			}
			n++
		}
	}
	if n != len(rows) {
		t.Errorf("%d rows for %d modes", len(rows), n)
	}
}
