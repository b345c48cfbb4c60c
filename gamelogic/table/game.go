package table

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/edgereel/edgereel/gamelogic"
)

// Names and ids of a table game's actions.
const (
	ActionPlay = "play" // opens a round: draws a row
	ActionNext = "next" // shows the next part of it
	idPlay     = 1
	idNext     = 2
)

// Game is an open table file.
type Game struct {
	digest   [32]byte
	source   string
	manifest *gamelogic.Manifest
	modes    []*mode
	from     io.ReaderAt
	unzip    *zstd.Decoder

	// mu guards last, the block that was unpacked last: the parts of a round
	// mostly lie in one.
	mu   sync.Mutex
	last unpacked
}

type unpacked struct {
	at    uint64
	plain []byte
}

var _ gamelogic.Game = (*Game)(nil)

// Open reads a table. digest is what the caller knows the file by; Open does
// not hash it (see Digest). from must stay open as long as the game is played,
// and gives presentations while a round is settled: where it is a slow disk, hand
// in memory. ErrFormat, ErrNewerFormat or gamelogic.ErrRefusedModule.
func Open(from io.ReaderAt, size int64, digest [32]byte) (*Game, error) {
	index, err := readIndex(from, size)
	if err != nil {
		return nil, err
	}
	manifest, err := gamelogic.ParseManifest(index.Manifest)
	if err != nil {
		return nil, err
	}
	if len(index.Modes) != len(manifest.Modes) {
		return nil, damaged("%d modes in the index, %d in the manifest", len(index.Modes), len(manifest.Modes))
	}
	if err := checkActions(manifest); err != nil {
		return nil, err
	}
	// Blocks are unpacked one at a time into memory that was checked before.
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock))
	if err != nil {
		return nil, fmt.Errorf("start decompression: %w", err)
	}
	g := &Game{digest: digest, source: index.Source, manifest: manifest, from: from, unzip: unzip}
	for i, x := range index.Modes {
		if x.Mode != manifest.Modes[i].Name {
			return nil, damaged("mode %q of the index is %q in the manifest", x.Mode, manifest.Modes[i].Name)
		}
		m, err := readMode(from, size, manifest, i, x)
		if err != nil {
			return nil, err
		}
		g.modes = append(g.modes, m)
	}
	return g, nil
}

// OpenBytes reads a table that lies in memory and names it by its digest.
func OpenBytes(file []byte) (*Game, error) {
	return Open(bytes.NewReader(file), int64(len(file)), sha256.Sum256(file))
}

func checkActions(m *gamelogic.Manifest) error {
	want := []gamelogic.Action{{ID: idPlay, Name: ActionPlay}, {ID: idNext, Name: ActionNext}}
	if !slices.Equal(m.Actions, want) || m.MaxState != stateBytes {
		return damaged("the manifest is not that of a table")
	}
	return nil
}

// Digest names the file.
func (g *Game) Digest() [32]byte { return g.digest }

// Manifest is made on import. It is shared: do not change it.
func (g *Game) Manifest() *gamelogic.Manifest { return g.manifest }

// Source says what the table was imported from.
func (g *Game) Source() string { return g.source }

// Rows is how many rows a mode has; 0 for a mode there is not.
func (g *Game) Rows(mode string) int {
	for _, m := range g.modes {
		if m.Name == mode {
			return len(m.rows)
		}
	}
	return 0
}

// Play evaluates one step. It fails without blaming the table, and without a
// result, when a presentation cannot be read: another node may have it whole.
func (g *Game) Play(_ context.Context, s gamelogic.Step) (gamelogic.Outcome, error) {
	m, err := g.check(&s)
	if err != nil {
		return gamelogic.Outcome{}, err
	}
	at, shown := 0, uint32(0)
	if len(s.State) > 0 {
		if at, shown, err = m.decodeState(s.State); err != nil {
			return gamelogic.Outcome{}, err
		}
	}
	if err := s.Draws.Claim(g.digest); err != nil {
		return gamelogic.Outcome{}, err
	}
	if len(s.State) == 0 {
		x, err := s.Draws.Draw64(m.total())
		if err != nil {
			return gamelogic.Outcome{}, fmt.Errorf("draw a row: %w", err)
		}
		at = m.find(x)
	}
	drawn := m.rows[at]
	out := gamelogic.Outcome{DrawCount: len(s.Draws.Log()), DrawsDigest: s.Draws.Digest()}
	if out.Presentation, err = g.read(m, drawn.part+shown); err != nil {
		return gamelogic.Outcome{}, fmt.Errorf("read book %d of mode %s: %w", drawn.id, m.Name, err)
	}
	if shown+1 < drawn.parts {
		out.State, out.NextActions = encodeState(at, shown+1), []string{ActionNext}
		return out, nil
	}
	// Exact: Open holds payouts to the smallest stake, of which this one is a
	// multiple, and check found a hundredfold of the greatest win in range.
	out.Closed, out.WinMinor = true, int64(drawn.payoutX100)*s.StakeMinor/100
	return out, nil
}

// Replay is Play: a table has no instances.
func (g *Game) Replay(ctx context.Context, s gamelogic.Step) (gamelogic.Outcome, error) {
	return g.Play(ctx, s)
}

// check refuses what a table does not play, before a draw is made.
func (g *Game) check(s *gamelogic.Step) (*mode, error) {
	i := slices.IndexFunc(g.modes, func(m *mode) bool { return m.Name == s.Mode })
	if i < 0 {
		return nil, fmt.Errorf("%w: %q", gamelogic.ErrUnknownMode, s.Mode)
	}
	m := g.modes[i]
	want := ActionPlay
	if len(s.State) > 0 {
		want = ActionNext
	}
	if s.Action != want {
		return nil, fmt.Errorf("%w: %q, not %q, is the action here", gamelogic.ErrUnknownAction, want, s.Action)
	}
	if s.Choice != 0 {
		return nil, fmt.Errorf("%w: a table offers no choice", gamelogic.ErrBadInput)
	}
	if err := g.manifest.CheckStake(s.StakeMinor); err != nil {
		return nil, err
	}
	if _, err := m.CostMinor(s.StakeMinor); err != nil {
		return nil, err
	}
	// Pays are counted in hundredths before they are divided.
	if _, err := (gamelogic.Mode{Name: m.Name, MaxWinX: m.MaxWinX * 100}).MaxWinMinor(s.StakeMinor); err != nil {
		return nil, err
	}
	if s.WonMinor != 0 {
		return nil, fmt.Errorf("%w: a table pays at the end of a round only", gamelogic.ErrBadInput)
	}
	return m, nil
}

// find gives the row that owns a value below the total: the first one that
// reaches beyond it, so that each owns as many values as its weight.
func (m *mode) find(x uint64) int {
	return sort.Search(len(m.upto), func(i int) bool { return m.upto[i] > x })
}

// A round's state: u8 version, u32 row, u32 parts shown.
const (
	stateVersion = 1
	stateBytes   = 9
)

func encodeState(row int, shown uint32) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{stateVersion}, uint32(row))
	return binary.LittleEndian.AppendUint32(b, shown)
}

func (m *mode) decodeState(b []byte) (at int, shown uint32, err error) {
	if len(b) != stateBytes || b[0] != stateVersion {
		return 0, 0, fmt.Errorf("%w: %d bytes, version %d", gamelogic.ErrBadState, len(b), b[0])
	}
	n, shown := binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint32(b[5:])
	if uint64(n) >= uint64(len(m.rows)) || shown == 0 || shown >= m.rows[n].parts {
		return 0, 0, fmt.Errorf("%w: part %d of row %d", gamelogic.ErrBadState, shown, n)
	}
	return int(n), shown, nil
}

// read gives a copy of one presentation.
func (g *Game) read(m *mode, at uint32) ([]byte, error) {
	p := m.parts[at]
	plain, err := g.unpack(m.blocks[p.block])
	if err != nil {
		return nil, err
	}
	return slices.Clone(plain[p.offset : p.offset+p.length]), nil
}

func (g *Game) unpack(b block) ([]byte, error) {
	g.mu.Lock()
	last := g.last
	g.mu.Unlock()
	if last.at == b.offset {
		return last.plain, nil
	}
	packed := make([]byte, b.packed)
	if err := readFull(g.from, packed, b.offset); err != nil {
		return nil, err
	}
	plain, err := g.unzip.DecodeAll(packed, make([]byte, 0, b.plain))
	if err != nil || uint32(len(plain)) != b.plain {
		return nil, damaged("the block at %d does not unpack to its %d bytes: %v", b.offset, b.plain, err)
	}
	g.mu.Lock()
	g.last = unpacked{b.offset, plain}
	g.mu.Unlock()
	return plain, nil
}

// Close frees what unpacking holds. No step may be in flight.
func (g *Game) Close() { g.unzip.Close() }
