package table

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/edgereel/edgereel/gamelogic"
)

// ImportError says what content breaks which rule, and where.
type ImportError struct {
	File string
	Line int // from 1; 0 where the file as a whole is meant
	Err  error
}

func (e *ImportError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s, line %d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.File, e.Err)
}

// Unwrap returns the cause.
func (e *ImportError) Unwrap() error { return e.Err }

func wrong(file string, line int, format string, args ...any) error {
	return &ImportError{File: file, Line: line, Err: fmt.Errorf(format, args...)}
}

// ImportConfig says what to import and as which release.
type ImportConfig struct {
	// Content holds index.json and what it names, as the math-sdk of Stake
	// Engine publishes them (its docs, rgs_docs/data_format).
	Content fs.FS
	// ID, Release and Name go into the manifest: the content has none.
	ID, Release, Name string
	// Family and Variant, both or neither.
	Family, Variant string
	// Progress is told the books read of a mode and how many there are.
	Progress func(mode string, done, total uint64)
}

// maxBook bounds one line of books.
const maxBook = 16 << 20

// sourceStakeEngine marks tables that came from there.
const sourceStakeEngine = "stake-engine"

type engineIndex struct {
	Modes []engineMode `json:"modes"`
}

type engineMode struct {
	Name    string      `json:"name"`
	Cost    json.Number `json:"cost"`
	Events  string      `json:"events"`
	Weights string      `json:"weights"`
}

// Import writes a table file of published content to path, whole or not at all.
// *ImportError for content that breaks the format's rules.
func Import(path string, cfg ImportConfig) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".import-*")
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	defer func() {
		// Both fail only after a success renamed the file or closed it.
		_ = tmp.Close()
		_ = os.Remove(tmp.Name())
	}()
	if err := importTo(tmp, cfg); err != nil {
		return err
	}
	if err := errors.Join(tmp.Sync(), tmp.Chmod(0o644), tmp.Close()); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func importTo(file *os.File, cfg ImportConfig) error {
	index, err := readEngineIndex(cfg.Content)
	if err != nil {
		return err
	}
	w, err := newWriter(file)
	if err != nil {
		return err
	}
	manifest := &gamelogic.Manifest{
		Version: 1, ID: cfg.ID, Release: cfg.Release, Name: cfg.Name, Family: cfg.Family, Variant: cfg.Variant,
		MaxDraws: gamelogic.MaxDraws, MaxState: stateBytes,
		Actions: []gamelogic.Action{{ID: idPlay, Name: ActionPlay}, {ID: idNext, Name: ActionNext}},
	}
	// A stake has to make every cost and payout, which are in hundredths of it,
	// whole minor units.
	common := uint64(100)
	for i, x := range index.Modes {
		mode, rows, err := importMode(w, cfg, uint32(i), x)
		if err != nil {
			return err
		}
		manifest.Modes = append(manifest.Modes, mode)
		common = gcd(common, uint64(mode.CostX100))
		for _, r := range rows {
			common = gcd(common, r.payoutX100)
		}
		if err := w.mode(mode.Name, rows); err != nil {
			return err
		}
	}
	manifest.StakeMultipleMinor = int64(100 / common)
	header, err := w.finish(manifest, sourceStakeEngine)
	if err != nil {
		return err
	}
	if _, err := gamelogic.ParseManifest(w.index.Manifest); err != nil {
		return wrong("index.json", 0, "makes a manifest that is refused: %w", err)
	}
	if _, err := file.WriteAt(header, 0); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func readEngineIndex(content fs.FS) (*engineIndex, error) {
	const name = "index.json"
	raw, err := fs.ReadFile(content, name)
	if err != nil {
		return nil, wrong(name, 0, "cannot be read: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	var index engineIndex
	if err := dec.Decode(&index); err != nil {
		return nil, wrong(name, 1+bytes.Count(raw[:min(int(dec.InputOffset()), len(raw))], []byte("\n")), "%w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, wrong(name, 0, "has more than one JSON value")
	}
	if len(index.Modes) == 0 {
		return nil, wrong(name, 0, "lists no modes")
	}
	return &index, nil
}

// importMode reads a mode's weights, then streams its books past them.
func importMode(w *writer, cfg ImportConfig, id uint32, x engineMode) (gamelogic.Mode, []entry, error) {
	mode := gamelogic.Mode{ID: id, Name: strings.ReplaceAll(strings.ToLower(x.Name), "_", "-")}
	cost, ok := new(big.Rat).SetString(x.Cost.String())
	if ok {
		cost.Mul(cost, big.NewRat(100, 1))
	}
	if !ok || !cost.IsInt() || cost.Sign() <= 0 || cost.Cmp(big.NewRat(1e7, 1)) > 0 {
		return mode, nil, wrong("index.json", 0, "mode %q costs %q: a cost is above 0, at most 100000 and has at most two decimals", x.Name, x.Cost)
	}
	mode.CostX100 = cost.Num().Int64()
	rows, err := readWeights(cfg.Content, x.Weights)
	if err != nil {
		return mode, nil, err
	}
	if err := readBooks(w, cfg, mode.Name, x, rows); err != nil {
		return mode, nil, err
	}
	sum := exact(rows, mode.CostX100)
	mode.RTP, mode.HitFrequency = decimal(sum.RTP), decimal(sum.HitFrequency)
	most := sum.Prizes[len(sum.Prizes)-1].PayoutX100
	mode.MaxWinX = int64(min(max((most+99)/100, 1), math.MaxInt64/100))
	if sum.RTP.Sign() == 0 || sum.RTP.Cmp(big.NewRat(1, 1)) > 0 {
		return mode, nil, wrong(x.Weights, 0, "mode %q returns %s of what it costs: a return is above 0 and at most 1", x.Name, mode.RTP)
	}
	return mode, rows, nil
}

// decimal rounds to what a manifest declares.
func decimal(r *big.Rat) string { return r.FloatString(12) }

// readWeights reads lines of id, weight, payout.
func readWeights(content fs.FS, name string) ([]entry, error) {
	f, err := content.Open(name)
	if err != nil {
		return nil, wrong(name, 0, "cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	var rows []entry
	var total uint64
	seen := map[uint64]int{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		var v [3]uint64
		cells := strings.Split(text, ",")
		if len(cells) != len(v) {
			return nil, wrong(name, n, "has %d cells instead of id, weight and payout", len(cells))
		}
		for i, c := range cells {
			if v[i], err = strconv.ParseUint(strings.TrimSpace(c), 10, 64); err != nil {
				return nil, wrong(name, n, "cell %d is %.40q: an unsigned 64-bit number is due", i+1, c)
			}
		}
		if first, twice := seen[v[0]]; twice {
			return nil, wrong(name, n, "id %d is in line %d too", v[0], first)
		}
		if total += v[1]; total < v[1] || total > math.MaxInt64 {
			return nil, wrong(name, n, "the weights together leave the 63-bit range")
		}
		if v[2] > 1e9 {
			return nil, wrong(name, n, "a payout of %d hundredths: at most 1,000,000,000", v[2])
		}
		if len(rows) == MaxRows {
			return nil, wrong(name, n, "more than %d rows", MaxRows)
		}
		seen[v[0]] = n
		rows = append(rows, entry{id: v[0], weight: v[1], payoutX100: v[2]})
	}
	if err := lines.Err(); err != nil {
		return nil, wrong(name, 0, "cannot be read: %w", err)
	}
	if total == 0 {
		return nil, wrong(name, 0, "has no row with a weight")
	}
	return rows, nil
}

// readBooks gives every row its presentations.
func readBooks(w *writer, cfg ImportConfig, mode string, x engineMode, rows []entry) error {
	f, err := cfg.Content.Open(x.Events)
	if err != nil {
		return wrong(x.Events, 0, "cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	unzip, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return wrong(x.Events, 0, "cannot be unpacked: %w", err)
	}
	defer unzip.Close()
	byID := make(map[uint64]int, len(rows))
	for i, r := range rows {
		byID[r.id] = i
	}
	lines := bufio.NewScanner(unzip)
	lines.Buffer(make([]byte, 0, 1<<20), maxBook)
	done := uint64(0)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		book, err := parseBook(lines.Bytes())
		if err != nil {
			return wrong(x.Events, n, "%w", err)
		}
		i, known := byID[*book.ID]
		switch {
		case !known:
			return wrong(x.Events, n, "book %d has no row in %s", *book.ID, x.Weights)
		case rows[i].parts > 0:
			return wrong(x.Events, n, "book %d is there twice", *book.ID)
		case rows[i].payoutX100 != *book.Payout:
			return wrong(x.Events, n, "book %d pays %d, its row in %s %d", *book.ID, *book.Payout, x.Weights, rows[i].payoutX100)
		}
		parts, err := book.split()
		if err != nil {
			return wrong(x.Events, n, "%w", err)
		}
		if rows[i].part, rows[i].parts, err = w.add(parts); err != nil {
			return err
		}
		done++
		if cfg.Progress != nil && (done%4096 == 0 || done == uint64(len(rows))) {
			cfg.Progress(mode, done, uint64(len(rows)))
		}
	}
	if err := lines.Err(); err != nil {
		return wrong(x.Events, 0, "breaks off after %d books: %w", done, err)
	}
	for _, r := range rows {
		if r.parts == 0 {
			return wrong(x.Events, 0, "has no book %d, which %s lists", r.id, x.Weights)
		}
	}
	return nil
}
