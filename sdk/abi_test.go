package sdk_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

var languages = []string{"rust", "assemblyscript", "c", "go"}

func exampleModule(t testing.TB, language string) []byte {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join(language, "example", "example.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// guest calls a module as the ABI says, byte for byte, without a host between:
// the vectors also hold what no host sends.
type guest struct {
	mod   api.Module
	io    uint32
	given [][2]uint32
	asked [][2]uint32
}

func newGuest(t *testing.T, wasm []byte) *guest {
	t.Helper()
	ctx := t.Context()
	g, engine := &guest{}, wazero.NewRuntime(ctx)
	t.Cleanup(func() {
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	wasi_snapshot_preview1.MustInstantiate(ctx, engine)
	_, err := engine.NewHostModuleBuilder("edgereel").
		NewFunctionBuilder().WithFunc(g.draw).Export("draw").
		NewFunctionBuilder().WithFunc(g.drawMany).Export("draw_many").
		Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	g.mod, err = engine.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		t.Fatal(err)
	}
	g.io = uint32(g.call(t, "edgereel_io"))
	return g
}

func (g *guest) draw(_ context.Context, bound uint32) uint32 {
	n := len(g.asked)
	if n >= len(g.given) || g.given[n][0] != bound {
		panic(fmt.Sprintf("draw %d has bound %d, the vector says %v", n, bound, g.given))
	}
	g.asked = append(g.asked, g.given[n])
	return g.given[n][1]
}

func (g *guest) drawMany(ctx context.Context, mod api.Module, bounds, values, n uint32) {
	for i := uint32(0); i < 4*n; i += 4 {
		bound, _ := mod.Memory().ReadUint32Le(bounds + i)
		mod.Memory().WriteUint32Le(values+i, g.draw(ctx, bound))
	}
}

func (g *guest) call(t *testing.T, export string, args ...uint64) int32 {
	t.Helper()
	res, err := g.mod.ExportedFunction(export).Call(t.Context(), args...)
	if err != nil {
		t.Fatalf("%s: %v", export, err)
	}
	return int32(uint32(res[0]))
}

func (g *guest) output(t *testing.T, n int32) []byte {
	t.Helper()
	b, ok := g.mod.Memory().Read(g.io+16384, uint32(n))
	if !ok {
		t.Fatalf("an output of %d bytes", n)
	}
	return bytes.Clone(b)
}

// Every kit's example does with every vector what the model does.
func TestVectors_Modules(t *testing.T) {
	f := readVectors(t)
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			g := newGuest(t, exampleModule(t, language))
			if minor := g.call(t, "edgereel_abi_1"); minor != f.Minor {
				t.Errorf("minor version %d, want %d", minor, f.Minor)
			}
			if g.io%8 != 0 {
				t.Errorf("the I/O block is at %d", g.io)
			}
			if got := string(g.output(t, g.call(t, "edgereel_manifest"))); got != f.Manifest {
				t.Errorf("manifest\n%s, want\n%s", got, f.Manifest)
			}
			for _, v := range f.Steps {
				g.check(t, v)
			}
		})
	}
}

func (g *guest) check(t *testing.T, v vector) {
	t.Helper()
	if !g.mod.Memory().Write(g.io, append(bytes.Clone(v.Input), 0, 0, 0, 0)) {
		t.Fatal("no memory for the input")
	}
	g.given, g.asked = v.Draws, nil
	code := g.call(t, v.Export, uint64(uint32(v.Length)))
	if code != v.Returns || !slices.Equal(g.asked, v.Draws) {
		t.Errorf("%s: returns %d after draws %v, want %d after %v", v.Name, code, g.asked, v.Returns, v.Draws)
		return
	}
	if v.Export != "edgereel_play" || code < 0 {
		return
	}
	if out := g.output(t, code); !bytes.Equal(out, v.Output) {
		t.Errorf("%s: output\n%s, want\n%s", v.Name, readable(out), readable(v.Output))
	}
}

// readable shows an output to a person.
func readable(out []byte) string {
	n := binary.LittleEndian.Uint32(out[16:])
	return fmt.Sprintf("%x | %x | %s", out[:32], out[32:32+n], out[32+n:])
}
