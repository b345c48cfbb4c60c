package meter

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
)

// rows repeats instructions up to a size.
func rows(size int, part ...byte) []byte { return repeat(size/len(part), part...) }

// bombs are bodies of a size that cost the compiler the most for it, shape by
// shape.
func bombs(size int, floats bool) map[string][]byte {
	body := func(locals int, parts ...[]byte) []byte {
		b := cat([]byte{1}, uleb(uint64(locals)), []byte{valI32}, cat(parts...), []byte{0x0b})
		return append(uleb(uint64(len(b))), b...)
	}
	read := []byte{0x20, 0, 0x28, 0, 0}
	one := i32c(1)
	s := size - 100
	all := map[string][]byte{
		"ifs":               body(0, rows(s, 0x20, 0, 0x04, 0x40, 0x0b), one),
		"ifs that trap":     body(3, rows(s, 0x20, 0, 0x22, 1, 0x04, 0x40, 0x00, 0x0b), one),
		"ifs that return":   body(3, rows(s, 0x20, 0, 0x04, 0x40, 0x20, 0, 0x0f, 0x0b), one),
		"ifs over a global": body(3, rows(s, 0x23, 0, 0x41, 1, 0x6b, 0x22, 1, 0x24, 0, 0x20, 1, 0x04, 0x40, 0x00, 0x0b), one),
		"counting loops": body(3, rows(s, 0x03, 0x40, 0x20, 1, 0x20, 2, 0x48, 0x04, 0x40, 0x20, 1, 0x41, 1, 0x6a, 0x21, 1, 0x0c, 1, 0x0b, 0x0b),
			one),
		"branches":             body(3, []byte{0x02, 0x40}, rows(s, 0x20, 0, 0x22, 1, 0x0d, 0), []byte{0x0b}, one),
		"branch tables":        body(0, rows(s, append([]byte{0x02, 0x40, 0x20, 0, 0x0e, 0x80, 0x04}, append(repeat(513, 0), 0x0b)...)...), one),
		"divisions":            body(0, one, rows(s, 0x20, 0, 0x6d)),
		"calls":                body(0, rows(s, 0x20, 0, 0x10, 0, 0x1a), one),
		"calls by the table":   body(0, one, rows(s, 0x20, 0, 0x11, 0, 0)),
		"fills":                body(0, rows(s/2, 0x20, 0, 0x20, 0, 0x20, 0, 0xfc, 11, 0), one),
		"growths":              body(0, rows(s/2, 0x41, 0, 0x40, 0, 0x1a), one),
		"values over ifs":      body(0, repeat(s/20, read...), repeat(s/20, 0x20, 0, 0x04, 0x40, 0x0b), repeat(s/20-1, 0x6a)),
		"values over loops":    body(0, repeat(s/30, read...), repeat(s/30, 0x03, 0x40, 0x20, 0, 0x0d, 0, 0x0b), repeat(s/30-1, 0x6a)),
		"values over calls":    body(0, repeat(s/12, read...), repeat(s/12, 0x20, 0, 0x10, 0, 0x1a), repeat(s/12-1, 0x6a)),
		"values":               body(0, repeat(s/6, read...), repeat(s/6-1, 0x6a)),
		"locals that all move": body(200, rows(s, 0x20, 1, 0x04, 0x40, 0x20, 2, 0x21, 3, 0x0b)[:min(400*9, s/9*9)], one),
	}
	if floats {
		all["roundings"] = body(0, []byte{0x20, 0, 0xb7}, rows(s, 0x9c), []byte{0xaa})
		all["conversions"] = body(0, []byte{0x20, 0}, rows(s, 0xb7, 0xfc, 3))
	}
	return all
}

// bombing is a module of n such bodies.
func bombing(n int, body []byte) []byte {
	var types, bodies [][]byte
	for range n {
		types, bodies = append(types, []byte{0}), append(bodies, body)
	}
	return cat([]byte(magic), sec(1, vec([]byte{0x60, 1, valI32, 1, valI32})), sec(3, vec(types...)), sec(4, []byte{1, 0x70, 0, 1}),
		sec(5, []byte{1, 0, 1}), sec(6, []byte{1, valI32, 1, 0x41, 0, 0x0b}), sec(7, vec(cat(str("f"), []byte{0, 0}))),
		sec(9, vec(cat([]byte{0}, i32c(0), []byte{0x0b, 1, 0}))), sec(10, vec(bodies...)))
}

func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The largest compile bombs that are still admitted, and those that are not,
// cost less than 10 seconds of processor time and 1 GiB. In short, one profile
// at a tenth of its effort.
func TestLong_CompileBombs(t *testing.T) {
	profiles := []Limits{DefaultLimits(), RuntimeLimits()}
	share := int64(1)
	if os.Getenv("EDGEREEL_LONG") == "" {
		profiles, share = profiles[:1], 10
	}
	ctx := context.Background()
	for _, limits := range profiles {
		worst, which := time.Duration(0), ""
		for name, body := range bombs(limits.BodyBytes, limits.Floats) {
			free := limits
			free.Effort = 1 << 50
			_, report, err := Rewrite(bombing(1, body), free)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			n := max(1, min(int(limits.Effort/share/report.Effort), limits.Bytes/len(body)-1))
			if share > 1 && report.Effort > limits.Effort/share {
				continue
			}
			before := cpuTime(t)
			code, report, err := Rewrite(bombing(n, body), limits)
			if err == nil {
				rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(FloatFeatures))
				if _, err := rt.CompileModule(ctx, code); err != nil {
					t.Error(err)
				}
				_ = rt.Close(ctx)
			}
			cost := cpuTime(t) - before
			var mem runtime.MemStats
			runtime.ReadMemStats(&mem)
			t.Logf("%s, %d of %d bytes: effort %d, %v, %d MiB, %v", name, n, len(body), report.Effort, cost.Round(time.Millisecond), mem.Sys>>20, err)
			if cost > 10*time.Second || mem.Sys > 1<<30 {
				t.Errorf("%s cost %v and %d bytes", name, cost, mem.Sys)
			}
			if cost > worst {
				worst, which = cost, name
			}
		}
		t.Logf("%s: the worst is %s with %v", limits.Profile, which, worst)
	}
}
