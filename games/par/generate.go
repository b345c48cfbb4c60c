package par

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Generate reads a design of any kind and renders everything that follows from
// it, by file name relative to the game's folder.
func Generate(design []byte) (map[string][]byte, error) {
	kind, err := kindOf(design)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "":
		d, err := ParseDesign(design)
		if err != nil {
			return nil, err
		}
		return Compute(d).files()
	case "ways":
		d, err := ParseWays(design)
		if err != nil {
			return nil, err
		}
		return d.Files()
	case "cascade":
		d, err := ParseCascade(design)
		if err != nil {
			return nil, err
		}
		return d.Files()
	case "hold":
		d, err := ParseHold(design)
		if err != nil {
			return nil, err
		}
		return d.Files()
	}
	return nil, fmt.Errorf("%w: kind %q", errDesign, kind)
}

// files of a lines game.
func (s *Sheet) files() (map[string][]byte, error) {
	sheet, err := s.JSON()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"par.json":          sheet,
		"PAR.md":            s.markdown(),
		"assembly/maths.ts": s.guest(),
	}, nil
}

// JSON renders the sheet, with lists of numbers on one line.
func (s *Sheet) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("par: encode the sheet: %w", err)
	}
	space := regexp.MustCompile(`\s+`)
	b = regexp.MustCompile(`\[\s+(-?\d+,\s+)*-?\d+\s+\]`).ReplaceAllFunc(b, func(list []byte) []byte {
		list = space.ReplaceAll(list, []byte(" "))
		list = []byte(strings.ReplaceAll(string(list), "[ ", "["))
		return []byte(strings.ReplaceAll(string(list), " ]", "]"))
	})
	// A prize is a line too.
	b = regexp.MustCompile(`\{\s+"win_x"[^}]*\}`).ReplaceAllFunc(b, func(prize []byte) []byte {
		prize = space.ReplaceAll(prize, []byte(" "))
		return []byte(strings.ReplaceAll(strings.ReplaceAll(string(prize), "{ ", "{"), " }", "}"))
	})
	return append(b, '\n'), nil
}

// generated heads a source that follows from a design.
const generated = "// Generated from design.json by games/parsheet. Do not edit.\n\n"

// shape is what the manifest says beside the figures. Actions are names, with
// "/" and a number of choices where they take one.
type shape struct {
	draws, state int
	actions      []string
}

// manifest is what the module says about itself.
func (s *Sheet) manifest(sh shape) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"manifest":1,"id":%q,"version":%q,"name":%q,`, s.ID, s.Release, s.Name)
	if s.Family != "" {
		fmt.Fprintf(&b, `"family":%q,"variant":%q,`, s.Family, s.Variant)
	}
	fmt.Fprintf(&b, `"max_draws":%d,"max_state":%d,"stake_multiple_minor":%d,"modes":[`, sh.draws, sh.state, s.StakeMultipleMinor)
	for i, m := range s.Modes {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":%q,"cost_x100":%d,"rtp":%q,"hit_frequency":%q,"max_win_x":%d}`,
			m.ID, m.Name, m.CostX100, m.RTP, m.HitFrequency, m.MaxWinX)
	}
	b.WriteString(`],"actions":[`)
	for i, name := range sh.actions {
		if i > 0 {
			b.WriteByte(',')
		}
		name, choices, _ := strings.Cut(name, "/")
		fmt.Fprintf(&b, `{"id":%d,"name":%q`, i+1, name)
		if choices != "" {
			fmt.Fprintf(&b, `,"choices":%s`, choices)
		}
		b.WriteByte('}')
	}
	b.WriteString(`]}`)
	return b.String()
}

// guest renders the tables of the module's source. Strips are stored with their
// first symbols again at the end, so that a window is read without wrapping.
func (s *Sheet) guest() []byte {
	d := s.Design.Design
	var b strings.Builder
	b.WriteString(generated)
	state := 0
	if d.Feature != nil {
		state = 24
	}
	fmt.Fprintf(&b, "export const MANIFEST: string = '%s';\n\n", s.manifest(shape{Reels, state, []string{"spin"}}))
	var lines, pays, names []int64
	for _, l := range d.Lines {
		for _, row := range l {
			lines = append(lines, int64(row))
		}
	}
	for _, x := range d.Symbols {
		pays = append(pays, x.Pays...)
		names = append(names, name24(x.Name)...)
	}
	fmt.Fprintf(&b, "export const LINES: i32 = %d;\n", len(d.Lines))
	table(&b, "ROWS", "u8", "row of each line on each reel", lines)
	table(&b, "PAYS", "u32", "per symbol: pay of a run of 0 to 5, in line bets", pays)
	table(&b, "NAMES", "u8", "per symbol: length, then its name, 24 bytes in all", names)
	strips(&b, "BASE", d.Base)
	if f := d.Feature; f != nil {
		strips(&b, "FREE", f.Free)
		d.windows(&b)
		fmt.Fprintf(&b, "export const WILD: i32 = %d;\nexport const SCATTER: i32 = %d;\n", f.Wild, f.Scatter)
		fmt.Fprintf(&b, "export const SCATTERS: i32 = %d;\nexport const SCATTER_PAY_X: i64 = %d;\n", f.Scatters, f.ScatterPayX)
		fmt.Fprintf(&b, "export const SPINS: i32 = %d;\nexport const RETRIGGER: i32 = %d;\n", f.Spins, f.Retrigger)
		fmt.Fprintf(&b, "export const MAX_SPINS: i32 = %d;\nexport const MULTIPLIER: i64 = %d;\n", f.MaxSpins, f.Multiplier)
		fmt.Fprintf(&b, "export const MAX_WIN_X: i64 = %d;\n", f.MaxWinX)
	}
	return []byte(b.String())
}

func name24(name string) []int64 {
	row := make([]int64, 24)
	row[0] = int64(len(name))
	for i, c := range []byte(name) {
		row[i+1] = int64(c)
	}
	return row
}

func table(b *strings.Builder, name, kind, what string, values []int64) {
	fmt.Fprintf(b, "// %s\nexport const %s: usize = %s;\n", what, name, data(kind, values))
}

func data(kind string, values []int64) string {
	text := make([]string, len(values))
	for i, v := range values {
		text[i] = fmt.Sprint(v)
	}
	return fmt.Sprintf("memory.data<%s>([%s])", kind, strings.Join(text, ", "))
}

func strips(b *strings.Builder, name string, reels [][]int) {
	table(b, name+"_STOPS", "u32", "stops of each reel: the bounds of a spin's draws", stopCounts(reels))
	table(b, name+"_STRIPS", "u8", "symbols, 32 bytes per reel", stripCells(reels))
}

func stopCounts(reels [][]int) []int64 {
	stops := make([]int64, len(reels))
	for r, strip := range reels {
		stops[r] = int64(len(strip))
	}
	return stops
}

// stripCells are the strips with their first symbols again behind them.
func stripCells(reels [][]int) []int64 {
	var cells []int64
	for _, strip := range reels {
		row := make([]int64, 32)
		for i := range len(strip) + Rows - 1 {
			row[i] = int64(strip[i%len(strip)])
		}
		cells = append(cells, row...)
	}
	return cells
}

// windows lists, per reel that carries scatters, the stops that show one, and
// every stop of the others: a bought round draws among these.
func (d *Design) windows(b *strings.Builder) {
	var bounds, stops []int64
	for _, strip := range d.Base {
		var scatter, all []int64
		for stop := range strip {
			all = append(all, int64(stop))
			for row := range Rows {
				if d.isScatter(strip[(stop+row)%len(strip)]) {
					scatter = append(scatter, int64(stop))
				}
			}
		}
		if len(scatter) > 0 {
			all = scatter
		}
		bounds = append(bounds, int64(len(all)))
		stops = append(stops, append(all, make([]int64, 32-len(all))...)...)
	}
	table(b, "BUY_BOUNDS", "u32", "number of stops a bought round draws among, per reel", bounds)
	table(b, "BUY_WINDOWS", "u8", "those stops, 32 bytes per reel", stops)
}

// heading begins a PAR.md.
func (s *Sheet) heading(b *strings.Builder) {
	fmt.Fprintf(b, "# %s %s: PAR sheet\n\n", s.Name, s.Release)
	fmt.Fprintf(b, "Generated from `design.json` by `go run ./games/parsheet`; `par.json` holds every figure.\n\nMethod: %s.\n\n", s.Method)
}

// figureTable has a row for each mode.
func (s *Sheet) figureTable(b *strings.Builder) {
	b.WriteString("| mode | cost × stake | RTP | hit frequency | SD per unit of cost | top win × stake | once in |\n|---|---|---|---|---|---|---|\n")
	for _, m := range s.Modes {
		fmt.Fprintf(b, "| %s | %d.%02d | %s | %s | %s | %s | %s |\n",
			m.Name, m.CostX100/100, m.CostX100%100, m.RTP, m.HitFrequency, m.SD, m.TopWinX, m.TopWinOneIn)
	}
	for _, m := range s.Modes {
		if m.RTPFraction != "" {
			fmt.Fprintf(b, "\nRTP of `%s` exactly: %s\n", m.Name, m.RTPFraction)
		}
	}
}

func (s *Sheet) markdown() []byte {
	var b strings.Builder
	s.heading(&b)
	fmt.Fprintf(&b, "%d×%d screen, %d lines, base cycle %d combinations", Reels, Rows, len(s.Design.Lines), s.BaseCombinations)
	if s.FreeCombinations > 0 {
		fmt.Fprintf(&b, ", free-spin cycle %d", s.FreeCombinations)
	}
	fmt.Fprintf(&b, ". Stakes are multiples of %d minor units.\n\n", s.StakeMultipleMinor)
	s.figureTable(&b)
	if f := s.Design.Feature; f != nil {
		m := s.Modes[0]
		fmt.Fprintf(&b, "\nFree spins: %d scatters start %d spins (one round in %s) and pay %d × the stake; line wins × %d; %d scatters add %d spins, up to %d in a round; a round ends at %d × the stake. On average %s spins win %s × the stake. A bought round opens on a screen drawn among those that start the feature.\n",
			f.Scatters, f.Spins, m.FeatureOneIn, f.ScatterPayX, f.Multiplier, f.Scatters, f.Retrigger, f.MaxSpins, f.MaxWinX, m.FeatureSpins, m.FeatureX)
	}
	b.WriteString("\nPays in line bets (stake / lines), runs from the left:\n\n| symbol | 2 | 3 | 4 | 5 |\n|---|---|---|---|---|\n")
	for _, x := range s.Design.Symbols {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", x.Name, x.Pays[2], x.Pays[3], x.Pays[4], x.Pays[5])
	}
	return []byte(b.String())
}
