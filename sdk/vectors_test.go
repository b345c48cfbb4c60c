package sdk_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the vectors anew from the model")

// vectorFile is sdk/vectors/lantern-pick.json; its README says what is what.
type vectorFile struct {
	Vectors  int      `json:"vectors"`
	ABI      int      `json:"abi"`
	Minor    int32    `json:"abi_minor"`
	Game     string   `json:"game"`
	Manifest string   `json:"manifest"`
	Steps    []vector `json:"steps"`
}

type vector struct {
	Name    string      `json:"name"`
	Export  string      `json:"export"`
	Input   hexBytes    `json:"input"`
	Length  int32       `json:"length"`
	Draws   [][2]uint32 `json:"draws"` // bound asked, value given
	Returns int32       `json:"returns"`
	Output  hexBytes    `json:"output"`
}

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// header is an input; fields left at zero are those of a base spin of 5.
type header struct {
	abi, flags           uint16
	action, mode, choice uint32
	stake                int64
	state                string
	stateLength          uint32 // when it is not that of the state
}

func (h header) bytes() []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, h.abi)
	b = le.AppendUint16(b, h.flags)
	b = le.AppendUint32(b, h.action)
	b = le.AppendUint32(b, h.mode)
	b = le.AppendUint32(b, h.choice)
	b = le.AppendUint64(b, uint64(h.stake))
	if h.stateLength == 0 {
		h.stateLength = uint32(len(h.state))
	}
	b = le.AppendUint32(b, h.stateLength)
	b = le.AppendUint32(b, 0)
	return append(b, h.state...)
}

// builder collects vectors from the model.
type builder struct{ steps []vector }

// play adds a step whose draws are scripted; a script that is short or long is
// a fault of this file.
func (b *builder) play(name string, h header, values ...uint32) {
	b.add(name, "edgereel_play", h.bytes(), int32(len(h.bytes())), values...)
}

func (b *builder) advise(name string, h header) {
	b.add(name, "edgereel_advise", h.bytes(), int32(len(h.bytes())))
}

func (b *builder) add(name, export string, in []byte, length int32, values ...uint32) {
	v := vector{Name: name, Export: export, Input: in, Length: length, Draws: [][2]uint32{}}
	if export == "edgereel_advise" {
		v.Returns = modelAdvise(in, int(length))
	} else {
		v.Returns, v.Output = modelPlay(in, int(length), func(bound uint32) uint32 {
			value := values[len(v.Draws)]
			v.Draws = append(v.Draws, [2]uint32{bound, value})
			return value
		})
	}
	if len(v.Draws) != len(values) {
		panic(fmt.Sprintf("vector %q: %d values for %d draws", name, len(values), len(v.Draws)))
	}
	b.steps = append(b.steps, v)
}

func state(b ...byte) string { return string(b) }

// base, bought, picking and free are headers that are in order.
func base(stake int64) header   { return header{abi: 1, action: 1, stake: stake} }
func bought(stake int64) header { return header{abi: 1, action: 1, mode: 1, stake: stake} }

func picking(mode, choice uint32) header {
	return header{abi: 1, action: 2, mode: mode, choice: choice, stake: 10, state: state(1, 0, 0, 0)}
}

func free(mode uint32, left, multiplier byte) header {
	return header{abi: 1, action: 1, mode: mode, stake: 10, state: state(1, 1, left, multiplier)}
}

func allVectors() vectorFile {
	b := &builder{}
	b.played()
	b.refused()
	b.advised()
	b.seeded()
	return vectorFile{Vectors: 1, ABI: 1, Minor: 1, Game: "lantern-pick", Manifest: modelManifest, Steps: b.steps}
}

func (b *builder) played() {
	b.play("base: nothing won", base(5), 0, 0, 1)
	b.play("base: one line", base(5), 0, 0, 0)
	b.play("base: the last stops, windows across the end of a strip", base(5), 11, 11, 11)
	b.play("base: a line of moons and one with a moon", base(5), 9, 6, 4)
	b.play("base: a line of moons", base(500), 10, 7, 5)
	b.play("base: four lines", base(25), 10, 8, 3)
	b.play("base: two lanterns", base(25), 1, 5, 7)
	b.play("base: a large stake", base(1<<62/1000*5), 10, 7, 5)
	b.play("base: three lanterns offer the pick", base(10), 3, 4, 7)
	b.play("base: three lanterns in other rows", base(10), 1, 3, 5)
	b.play("base: two lanterns and a line", base(10), 3, 4, 0)
	for _, rows := range [][]uint32{{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {0, 1, 2}, {2, 0, 1}} {
		b.play(fmt.Sprintf("buy: lanterns in rows %d", rows), bought(10), rows...)
	}
	for choice, counts := range []uint32{3, 5, 4} {
		for _, mode := range []uint32{0, 1} {
			b.play(fmt.Sprintf("pick %d in mode %d: fewest spins", choice, mode), picking(mode, uint32(choice)), 0)
		}
		b.play(fmt.Sprintf("pick %d: most spins", choice), picking(0, uint32(choice)), counts-1)
	}
	b.play("free: nothing won, goes on", free(0, 6, 2), 0, 0, 1)
	b.play("free: a line of moons times three, goes on", free(1, 5, 3), 10, 7, 5)
	b.play("free: lanterns start nothing anew", free(0, 12, 1), 3, 4, 7)
	b.play("free: the last spin", free(1, 1, 2), 10, 7, 5)
	b.play("free: the last spin wins nothing", free(0, 1, 3), 0, 0, 1)
}

func (b *builder) refused() {
	spin := base(5).bytes()
	b.add("length below the header's", "edgereel_play", spin, 31)
	b.add("length 0", "edgereel_play", spin, 0)
	b.add("a negative length", "edgereel_play", spin, -1)
	b.add("length above that of its parts", "edgereel_play", append(bytes.Clone(spin), 1), 33)
	b.add("length beyond the input", "edgereel_play", spin, 16385)
	set := func(name string, change func(h *header)) {
		h := base(5)
		change(&h)
		b.play(name, h)
	}
	set("ABI 0", func(h *header) { h.abi = 0 })
	set("ABI 2", func(h *header) { h.abi = 2 })
	set("a flag", func(h *header) { h.flags = 1 })
	set("a state that is not there", func(h *header) { h.stateLength = 4 })
	set("a state of 2^32-32 bytes", func(h *header) { h.stateLength = 1<<32 - 32 })
	set("unknown mode", func(h *header) { h.mode = 2 })
	set("stake 0", func(h *header) { h.stake = 0 })
	set("a negative stake", func(h *header) { h.stake = -5 })
	set("a stake that is no multiple", func(h *header) { h.stake = 7 })
	set("unknown action", func(h *header) { h.action = 3 })
	set("action 0", func(h *header) { h.action = 0 })
	set("a pick that is not offered", func(h *header) { h.action = 2 })
	set("a choice for an action that picks nothing", func(h *header) { h.choice = 1 })
	b.play("a spin while the pick is offered", header{abi: 1, action: 1, stake: 10, state: state(1, 0, 0, 0)})
	b.play("a pick in a free spin", header{abi: 1, action: 2, stake: 10, state: state(1, 1, 1, 1)})
	b.play("choice 3 of 3", picking(0, 3))
	b.play("choice 2^32-1", picking(0, 1<<32-1))
	for _, bad := range []string{
		state(1), state(1, 0, 0), state(1, 0, 0, 0, 0), state(0, 0, 0, 0), state(2, 0, 0, 0), state(1, 2, 1, 1), state(1, 0, 1, 0), state(1, 0, 0, 1),
		state(1, 1, 0, 1), state(1, 1, 13, 1), state(1, 1, 7, 2), state(1, 1, 6, 3), state(1, 1, 1, 0), state(1, 1, 1, 4), state(1, 1, 255, 255),
	} {
		b.play(fmt.Sprintf("state %x", bad), header{abi: 1, action: 1, stake: 10, state: bad})
	}
}

func (b *builder) advised() {
	ask := func(h header) header {
		h.action, h.choice = 0, 0
		return h
	}
	b.advise("advice: the pick", ask(picking(0, 0)))
	b.advise("advice: the pick of a bought round", ask(picking(1, 0)))
	b.advise("advice: a free spin", ask(free(0, 3, 2)))
	b.advise("advice: no round is open", ask(base(10)))
	b.advise("advice: a wrong state", ask(free(0, 9, 9)))
	b.advise("advice: a wrong stake", ask(header{abi: 1, stake: 11, state: state(1, 0, 0, 0)}))
	b.advise("advice: another ABI", ask(header{abi: 2, stake: 10, state: state(1, 0, 0, 0)}))
	b.add("advice: a short input", "edgereel_advise", picking(0, 0).bytes(), 35)
}

// seeded adds whole rounds that nobody has chosen.
func (b *builder) seeded() {
	random := rand.New(rand.NewPCG(3, 1))
	for round := range 12 {
		h := header{abi: 1, action: 1, mode: uint32(round % 2), stake: 5 + 5*random.Int64N(1000)}
		for step := 1; ; step++ {
			values := []uint32{}
			_, out := modelPlay(h.bytes(), len(h.bytes()), func(bound uint32) uint32 {
				values = append(values, random.Uint32N(bound))
				return values[len(values)-1]
			})
			b.play(fmt.Sprintf("round %d, step %d", round+1, step), h, values...)
			if h = following(h, out, random); h.state == "" {
				break
			}
		}
	}
}

// following is the next step after an output, with a random choice; without a
// state when the round is closed.
func following(h header, out []byte, random *rand.Rand) header {
	le := binary.LittleEndian
	h.state = string(out[32 : 32+le.Uint32(out[16:])])
	h.action, h.choice = 1, 0
	if le.Uint32(out[12:]) == 1<<2 {
		h.action, h.choice = 2, random.Uint32N(3)
	}
	return h
}

// flat is the same as lines of words, for languages without JSON.
func (f vectorFile) flat() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "manifest %s\n", f.Manifest)
	word := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	for _, v := range f.Steps {
		draws := []string{}
		for _, d := range v.Draws {
			draws = append(draws, fmt.Sprintf("%d:%d", d[0], d[1]))
		}
		fmt.Fprintf(&b, "# %s\n%s %x %d %s %d %s\n", v.Name, strings.TrimPrefix(v.Export, "edgereel_"), []byte(v.Input), v.Length,
			word(strings.Join(draws, ",")), v.Returns, word(hex.EncodeToString(v.Output)))
	}
	return b.Bytes()
}

func (f vectorFile) json(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readVectors(t *testing.T) vectorFile {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("vectors", "lantern-pick.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Steps) < 80 {
		t.Fatalf("%d vectors", len(f.Steps))
	}
	return f
}

// The committed vectors are what the model says.
func TestVectorsFollowFromTheModel(t *testing.T) {
	f := allVectors()
	for name, want := range map[string][]byte{"lantern-pick.json": f.json(t), "lantern-pick.txt": f.flat()} {
		path := filepath.Join("vectors", name)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the model says (%v): run go test ./sdk -run Vectors -update", path, err)
		}
	}
	codes := map[int32]int{}
	for _, v := range f.Steps {
		codes[min(v.Returns, 0)]++
	}
	for _, code := range []int32{0, -1, -3, -4} {
		if codes[code] == 0 {
			t.Errorf("no vector returns %d: %v", code, codes)
		}
	}
}
