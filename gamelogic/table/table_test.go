package table_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/table"
)

var update = flag.Bool("update", false, "write the golden table anew")

const index = `{"modes":[
 {"name":"base","cost":1.0,"events":"books_base.jsonl.zst","weights":"lookUpTable_base_0.csv"},
 {"name":"BONUS_buy","cost":100.0,"events":"books_bonus.jsonl.zst","weights":"lookUpTable_bonus_0.csv"}]}`

func pack(t testing.TB, text string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	return w.EncodeAll([]byte(text), nil)
}

// long is a book of 40 events of about 1 KiB, three steps long.
func long(id, payout int) string {
	events := make([]string, 40)
	for i := range events {
		events[i] = fmt.Sprintf(`{"index":%d,"type":"reveal","pad":%q}`, i, strings.Repeat("x", 1000))
	}
	return fmt.Sprintf(`{"id":%d,"payoutMultiplier":%d,"events":[%s],"criteria":"freegame"}`, id, payout, strings.Join(events, ","))
}

// content is a small publication of two modes.
func content(t testing.TB) fstest.MapFS {
	t.Helper()
	base := []string{
		`{"id":1,"events":[{"index":0,"type":"reveal"}],"payoutMultiplier":0,"criteria":"0"}`,
		`{"id":2,"events":[{"index":0,"type":"win","amount":20}],"payoutMultiplier":20}`,
		`{"id":3,"events":[],"payoutMultiplier":140}`,
	}
	bonus := []string{long(2, 12500), long(1, 5000)}
	return fstest.MapFS{
		"index.json":              {Data: []byte(index)},
		"lookUpTable_base_0.csv":  {Data: []byte("1,70,0\n2,20,20\n3,10,140\n")},
		"books_base.jsonl.zst":    {Data: pack(t, strings.Join(base, "\n")+"\n")},
		"lookUpTable_bonus_0.csv": {Data: []byte("1,199895486317,5000\n2,199895486317,12500\n")},
		"books_bonus.jsonl.zst":   {Data: pack(t, strings.Join(bonus, "\n"))},
	}
}

func imported(t testing.TB, files fstest.MapFS) ([]byte, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "game.table")
	err := table.Import(path, table.ImportConfig{Content: files, ID: "copper-well", Release: "1.2.0", Name: "Copper Well"})
	file, readErr := os.ReadFile(path)
	left, globErr := filepath.Glob(filepath.Join(filepath.Dir(path), ".import-*"))
	if globErr != nil || len(left) > 0 {
		t.Fatalf("the import left %v, %v", left, globErr)
	}
	if err == nil && readErr != nil || err != nil && readErr == nil {
		t.Fatalf("import %v, file %v", err, readErr)
	}
	return file, err
}

func open(t testing.TB, file []byte) *table.Game {
	t.Helper()
	g, err := table.OpenBytes(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func game(t testing.TB) *table.Game {
	t.Helper()
	file, err := imported(t, content(t))
	if err != nil {
		t.Fatal(err)
	}
	return open(t, file)
}

func TestImport_MakesTheManifest(t *testing.T) {
	g := game(t)
	m := g.Manifest()
	if m.ID != "copper-well" || m.Release != "1.2.0" || m.Name != "Copper Well" || m.StakeMultipleMinor != 5 || g.Source() != "stake-engine" {
		t.Errorf("manifest %+v of %s", m, g.Source())
	}
	want := []gamelogic.Mode{
		{ID: 0, Name: "base", CostX100: 100, RTP: "0.180000000000", HitFrequency: "0.300000000000", MaxWinX: 2},
		{ID: 1, Name: "bonus-buy", CostX100: 10000, RTP: "0.875000000000", HitFrequency: "1.000000000000", MaxWinX: 125},
	}
	for i, mode := range want {
		if m.Modes[i] != mode {
			t.Errorf("mode %+v instead of %+v", m.Modes[i], mode)
		}
	}
	if g.Rows("base") != 3 || g.Rows("bonus-buy") != 2 || g.Rows("none") != 0 {
		t.Error("rows are missing")
	}
}

// The folder that the studio guide imports is the content of these tests.
func TestImport_ThePublicationOfTheGuide(t *testing.T) {
	folder := os.DirFS("testdata/publication")
	path := filepath.Join(t.TempDir(), "game.table")
	if err := table.Import(path, table.ImportConfig{Content: folder, ID: "copper-well", Release: "1.2.0", Name: "Copper Well"}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/copper-well-v1.table")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, golden) {
		t.Error("the folder gives another table than the tests' own content")
	}
}

func TestImport_SameContentSameFile(t *testing.T) {
	one, err := imported(t, content(t))
	if err != nil {
		t.Fatal(err)
	}
	two, err := imported(t, content(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) {
		t.Error("two imports of the same content differ")
	}
}

func TestExact_SumsUp(t *testing.T) {
	r, err := game(t).Exact("base")
	if err != nil {
		t.Fatal(err)
	}
	// By hand: returns 0, 0.2 and 1.4 at 70, 20 and 10 of 100.
	variance := new(big.Rat).Sub(big.NewRat(2*4+196, 1000), big.NewRat(324, 10000))
	if r.RTP.Cmp(big.NewRat(18, 100)) != 0 || r.HitFrequency.Cmp(big.NewRat(3, 10)) != 0 || r.Variance.Cmp(variance) != 0 ||
		r.MaxWinX.Cmp(big.NewRat(14, 10)) != 0 || r.TotalWeight != 100 || len(r.Prizes) != 3 || r.Prizes[2] != (table.Prize{PayoutX100: 140, Weight: 10}) {
		t.Errorf("%+v, variance %s instead of %s", r, r.Variance, variance)
	}
}

// Every value of the total is played once: each row comes up as often as its weight.
func TestPlay_DrawsEachRowByItsWeight(t *testing.T) {
	g := game(t)
	count := map[int64]int{}
	for v := range uint32(100) {
		out, err := g.Play(t.Context(), gamelogic.Step{
			Mode: "base", Action: table.ActionPlay, StakeMinor: 100, Draws: gamelogic.NewScriptedDraws([]uint32{v}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if !out.Closed || len(out.State) > 0 || out.NextActions != nil || out.DrawCount != 1 {
			t.Fatalf("outcome %+v", out)
		}
		count[out.WinMinor]++
	}
	if len(count) != 3 || count[0] != 70 || count[20] != 20 || count[140] != 10 {
		t.Errorf("wins %v", count)
	}
}

func TestPlay_ShowsALongBookInParts(t *testing.T) {
	g := game(t)
	seed := [32]byte{7}
	state, events, won := []byte(nil), 0, int64(0)
	for step := uint64(1); ; step++ {
		draws, err := gamelogic.NewDraws(seed, gamelogic.DrawContext{
			Algorithm: gamelogic.AlgorithmHMACChaCha20, Module: g.Digest(), RoundID: 1, StepNonce: step,
		})
		if err != nil {
			t.Fatal(err)
		}
		action := table.ActionPlay
		if step > 1 {
			action = table.ActionNext
		}
		out, err := g.Play(t.Context(), gamelogic.Step{Mode: "bonus-buy", Action: action, StakeMinor: 10, State: state, Draws: draws})
		if err != nil {
			t.Fatal(err)
		}
		var shown struct {
			ID, Part, Parts int
			Payout          *int64 `json:"payoutMultiplier"`
			Events          []struct{ Index int }
		}
		if err := json.Unmarshal(out.Presentation, &shown); err != nil {
			t.Fatal(err)
		}
		for _, e := range shown.Events {
			if e.Index != events {
				t.Fatalf("event %d comes after %d", e.Index, events-1)
			}
			events++
		}
		if uint64(shown.Part) != step || shown.Parts != 3 || out.Closed != (shown.Part == 3) || out.Closed != (shown.Payout != nil) {
			t.Fatalf("step %d shows part %d of %d, closed %v, payout %v", step, shown.Part, shown.Parts, out.Closed, shown.Payout)
		}
		if drawn := out.DrawCount > 0; drawn != (step == 1) {
			t.Fatalf("step %d drew %d times", step, out.DrawCount)
		}
		won += out.WinMinor
		if out.Closed {
			if won != *shown.Payout*10/100 {
				t.Errorf("won %d of %d hundredths", won, *shown.Payout)
			}
			break
		}
		state = out.State
	}
	if events != 40 {
		t.Errorf("%d events of 40 were shown", events)
	}
}

func TestPlay_Refuses(t *testing.T) {
	g := game(t)
	good := gamelogic.Step{Mode: "base", Action: table.ActionPlay, StakeMinor: 100}
	cases := map[string]struct {
		change func(*gamelogic.Step)
		want   error
	}{
		"mode":           {func(s *gamelogic.Step) { s.Mode = "turbo" }, gamelogic.ErrUnknownMode},
		"action":         {func(s *gamelogic.Step) { s.Action = "spin" }, gamelogic.ErrUnknownAction},
		"next too early": {func(s *gamelogic.Step) { s.Action = table.ActionNext }, gamelogic.ErrUnknownAction},
		"choice":         {func(s *gamelogic.Step) { s.Choice = 1 }, gamelogic.ErrBadInput},
		"stake":          {func(s *gamelogic.Step) { s.StakeMinor = 3 }, gamelogic.ErrBadStake},
		"overflow":       {func(s *gamelogic.Step) { s.StakeMinor = 9e16 }, gamelogic.ErrBadStake},
		"won":            {func(s *gamelogic.Step) { s.WonMinor = 1 }, gamelogic.ErrBadInput},
		"state":          {func(s *gamelogic.Step) { s.State, s.Action = []byte("x"), table.ActionNext }, gamelogic.ErrBadState},
		"finished round": {func(s *gamelogic.Step) { s.State, s.Action = []byte{1, 0, 0, 0, 0, 1, 0, 0, 0}, table.ActionNext }, gamelogic.ErrBadState},
		"row":            {func(s *gamelogic.Step) { s.State, s.Action = []byte{1, 9, 0, 0, 0, 1, 0, 0, 0}, table.ActionNext }, gamelogic.ErrBadState},
		"no draws":       {func(s *gamelogic.Step) { s.Draws = nil }, gamelogic.ErrBadDraws},
	}
	for name, c := range cases {
		s := good
		s.Draws = gamelogic.NewScriptedDraws([]uint32{1})
		c.change(&s)
		if _, err := g.Play(context.Background(), s); !errors.Is(err, c.want) {
			t.Errorf("%s: %v instead of %v", name, err, c.want)
		}
	}
}

func TestImport_SaysWhatIsWrongAndWhere(t *testing.T) {
	cases := map[string]struct {
		file, data string
		want       string
	}{
		"no JSON":         {"index.json", "{", "index.json, line 1"},
		"unknown field":   {"index.json", strings.Replace(index, `"cost"`, `"price"`, 1), "price"},
		"no modes":        {"index.json", `{"modes":[]}`, "lists no modes"},
		"cost":            {"index.json", strings.Replace(index, "1.0", "1.005", 1), `mode "base" costs "1.005"`},
		"missing file":    {"index.json", strings.Replace(index, "lookUpTable_base_0", "absent", 1), "absent.csv: cannot be read"},
		"same mode twice": {"index.json", strings.Replace(index, "BONUS_buy", "base", 1), "refused"},
		"cells":           {"lookUpTable_base_0.csv", "1,70,0\n2,20\n", "lookUpTable_base_0.csv, line 2: has 2 cells"},
		"number":          {"lookUpTable_base_0.csv", "1,70,0\n2,-20,20\n", `line 2: cell 2 is "-20"`},
		"id twice":        {"lookUpTable_base_0.csv", "1,70,0\n1,20,20\n", "line 2: id 1 is in line 1 too"},
		"weights":         {"lookUpTable_base_0.csv", "1,9223372036854775807,0\n2,1,20\n", "63-bit"},
		"no weight":       {"lookUpTable_base_0.csv", "1,0,0\n", "no row with a weight"},
		"extra book":      {"lookUpTable_base_0.csv", "1,70,0\n2,20,20\n", "line 3: book 3 has no row"},
		"missing book":    {"lookUpTable_base_0.csv", "1,70,0\n2,20,20\n3,10,140\n4,1,0\n", "has no book 4"},
		"other payout":    {"lookUpTable_base_0.csv", "1,70,0\n2,20,30\n3,10,140\n", "line 2: book 2 pays 20, its row in lookUpTable_base_0.csv 30"},
		"not zstd":        {"books_base.jsonl.zst", "plain", "books_base.jsonl.zst: breaks off after 0 books"},
		"returns above 1": {"lookUpTable_bonus_0.csv", "1,1,5000\n2,9,12500\n", "a return is above 0 and at most 1"},
	}
	for name, c := range cases {
		files := content(t)
		files[c.file] = &fstest.MapFile{Data: []byte(c.data)}
		_, err := imported(t, files)
		if e := (*table.ImportError)(nil); !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, which does not say %q", name, err, c.want)
		}
	}
	for name, line := range map[string]string{
		"no book":    `{"id":1,"events":[]}`,
		"broken":     `{"id":1,`,
		"wide event": fmt.Sprintf(`{"id":1,"payoutMultiplier":0,"events":[{"pad":%q}]}`, strings.Repeat("y", 20_000)),
	} {
		files := content(t)
		files["books_base.jsonl.zst"] = &fstest.MapFile{Data: pack(t, line)}
		if _, err := imported(t, files); err == nil || !strings.Contains(err.Error(), "books_base.jsonl.zst, line 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpen_RefusesOtherFormats(t *testing.T) {
	file, err := imported(t, content(t))
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Clone(file)
	newer[15] = 2
	if _, err := table.OpenBytes(newer); !errors.Is(err, table.ErrNewerFormat) {
		t.Errorf("format 2: %v", err)
	}
	// Its payouts are multiples of 20 hundredths, whole at a stake of 5 only.
	fractions := bytes.Replace(file, []byte(`"stake_multiple_minor":5`), []byte(`"stake_multiple_minor":1`), 1)
	for _, bad := range [][]byte{nil, fractions, []byte("\x00asm"), file[:len(file)-1], file[:100], append(bytes.Clone(file), 0)} {
		if _, err := table.OpenBytes(bad); !errors.Is(err, table.ErrFormat) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}

// A file of format 1 is played by every later version in the same way.
func TestGolden_FormatOne(t *testing.T) {
	const path = "testdata/copper-well-v1.table"
	if *update {
		file, err := imported(t, content(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g := open(t, file)
	out, err := g.Play(t.Context(), gamelogic.Step{
		Mode: "base", Action: table.ActionPlay, StakeMinor: 100, Draws: gamelogic.NewScriptedDraws([]uint32{75}),
	})
	if err != nil || out.WinMinor != 20 || string(out.Presentation) != `{"id":2,"part":1,"parts":1,"payoutMultiplier":20,"events":[{"index":0,"type":"win","amount":20}]}` {
		t.Errorf("%v, win %d, %s", err, out.WinMinor, out.Presentation)
	}
}

// Whatever a file holds, opening and playing it ends in a result or an error.
func FuzzOpen(f *testing.F) {
	file, err := os.ReadFile("testdata/copper-well-v1.table")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file, uint32(0), byte(0))
	f.Add(file, uint32(40), byte(0xff))
	f.Fuzz(func(t *testing.T, file []byte, at uint32, flip byte) {
		file = bytes.Clone(file)
		if len(file) > 0 {
			file[int(at)%len(file)] ^= flip
		}
		g, err := table.OpenBytes(file)
		if err != nil {
			return
		}
		defer g.Close()
		mode := g.Manifest().Modes[0]
		stake := g.Manifest().StakeMultipleMinor * 100
		out, err := g.Play(t.Context(), gamelogic.Step{
			Mode: mode.Name, Action: table.ActionPlay, StakeMinor: stake, Draws: gamelogic.NewScriptedDraws([]uint32{0}),
		})
		if most, limitErr := mode.MaxWinMinor(stake); err == nil && limitErr == nil && (out.WinMinor < 0 || out.WinMinor > most) {
			t.Fatalf("a win of %d, at most %d", out.WinMinor, most)
		}
	})
}
