package arch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/edgereel/edgereel"

// mayImport lists, for each top folder, which other top folders it may
// import. A folder always may import itself; one that is not listed may
// import nothing of ours.
var mayImport = map[string][]string{
	"cmd":       {"chaos", "client", "node", "gamelogic", "games", "sdk", "transport", "api", "internal"},
	"chaos":     {"client", "node", "consensus", "gamelogic", "games", "storage", "transport", "wallet", "api", "internal"},
	"client":    {"transport", "api", "internal"},
	"node":      {"consensus", "gamelogic", "games", "storage", "transport", "wallet", "api", "internal"},
	"consensus": {"wallet", "storage", "transport", "internal"},
	"gamelogic": {"internal"},
	"storage":   {"internal"},
	"transport": {"internal"},
	// Test kits stand on everything; see testKit for who stands on them.
	"internal": {"client", "node", "consensus", "gamelogic", "games", "storage", "transport", "wallet", "api"},
	"wallet":   {},
	"api":      {},
	"games":    {},
	"sdk":      {},
}

// testKit is only for tests: it may import everything, and shipped code that
// imported it could reach around every other rule.
const testKit = module + "/internal/testkit"

// pureImports is all of the standard library the wallet may use. A package
// that could tell one replica from another (clock, disk, network, randomness,
// scheduling) is not in it.
var pureImports = []string{
	"bytes", "cmp", "crypto/hmac", "crypto/sha256", "crypto/subtle", "encoding/binary", "encoding/hex", "errors",
	"fmt", "hash", "hash/crc32", "io", "iter", "maps", "math", "math/bits", "slices", "sort", "strconv", "strings",
	"unicode", "unicode/utf8",
}

type goPackage struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
	Standard   bool
	Module     *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// goList runs `go list -json` with the arguments in dir. Packages that do not
// compile at the moment are listed all the same.
func goList(ctx context.Context, dir string, args ...string) ([]goPackage, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"list", "-e", "-json=ImportPath,Dir,Imports,GoFiles,Standard,Module"}, args...)...)
	command.Dir = dir
	var stderr strings.Builder
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	var packages []goPackage
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var listed goPackage
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages = append(packages, listed)
	}
}

// folder is the top folder of one of our packages, or empty for any other.
func folder(path string) string {
	rest, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		return ""
	}
	top, _, _ := strings.Cut(rest, "/")
	return top
}

// wrongImports returns one line per import that breaks a rule.
func wrongImports(packages []goPackage) []string {
	var wrong []string
	for _, from := range packages {
		for _, path := range from.Imports {
			if why := refuses(from.ImportPath, path); why != "" {
				wrong = append(wrong, fmt.Sprintf("%s imports %s: %s", from.ImportPath, path, why))
			}
		}
	}
	return wrong
}

func refuses(from, path string) string {
	fromFolder, folder := folder(from), folder(path)
	inTestKit := from == testKit || strings.HasPrefix(from, testKit+"/")
	switch {
	case fromFolder == "wallet" && folder == "" && !slices.Contains(pureImports, path):
		return "the wallet is pure: no clock, disk, network, randomness or goroutines, and no dependencies"
	case folder == "" || folder == fromFolder && !strings.HasPrefix(path, testKit):
		return ""
	case strings.HasPrefix(path, testKit) && !inTestKit:
		return "the test kit is for tests only"
	case fromFolder == "internal" && !inTestKit:
		return "only internal/testkit may import other folders"
	case !slices.Contains(mayImport[fromFolder], folder):
		return fmt.Sprintf("%s may import %v", fromFolder, mayImport[fromFolder])
	case fromFolder == "chaos" && folder == "node" && !strings.Contains(from, "/sim"):
		return "only the simulation runs nodes inside its own process; everything else goes through the client"
	default:
		return ""
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImports(t *testing.T) {
	for _, tags := range []string{"", "faults"} {
		packages, err := goList(t.Context(), root(t), "-tags="+tags, "./...")
		if err != nil {
			t.Fatal(err)
		}
		if len(packages) == 0 {
			t.Fatal("no packages found: this test would prove nothing")
		}
		for _, line := range wrongImports(packages) {
			t.Errorf("tags %q: %s", tags, line)
		}
	}
}

// TestImports_FindsPlanted proves on a real module that each rule bites.
func TestImports_FindsPlanted(t *testing.T) {
	planted := map[string]string{
		"wallet/a.go":           `import _ "time"`,
		"wallet/b.go":           `import _ "github.com/edgereel/edgereel/storage"`,
		"wallet/d/d.go":         `import _ "math/rand/v2"`,
		"storage/a.go":          `import _ "github.com/edgereel/edgereel/wallet/d"`,
		"transport/a.go":        `import _ "github.com/edgereel/edgereel/wallet/d"`,
		"gamelogic/a.go":        `import _ "github.com/edgereel/edgereel/wallet/d"`,
		"games/a.go":            `import _ "github.com/edgereel/edgereel/gamelogic"`,
		"api/a.go":              `import _ "github.com/edgereel/edgereel/internal/base"`,
		"client/a.go":           `import _ "github.com/edgereel/edgereel/node"`,
		"consensus/a.go":        `import _ "github.com/edgereel/edgereel/gamelogic"`,
		"node/a.go":             `import _ "github.com/edgereel/edgereel/internal/testkit"`,
		"cmd/edgereel/a.go":     `import _ "github.com/edgereel/edgereel/consensus"`,
		"chaos/check/a.go":      `import _ "github.com/edgereel/edgereel/node"`,
		"unlisted/a.go":         `import _ "github.com/edgereel/edgereel/api"`,
		"internal/base/a.go":    `import _ "github.com/edgereel/edgereel/storage"`,
		"internal/testkit/a.go": ``,
		"chaos/sim/a.go":        `import _ "github.com/edgereel/edgereel/node"`,
		"node/b.go":             `import _ "github.com/edgereel/edgereel/consensus"`,
		"wallet/c.go":           `import _ "math/bits"`,
	}
	allowed := []string{"internal/testkit/a.go", "chaos/sim/a.go", "node/b.go", "wallet/c.go"}
	dir := t.TempDir()
	writeFile(t, dir, "go.mod", "module "+module+"\n\ngo 1.26\n")
	for path, body := range planted {
		name := filepath.Base(filepath.Dir(path))
		writeFile(t, dir, path, "package "+name+"\n\n"+body+"\n")
	}
	packages, err := goList(t.Context(), dir, "./...")
	if err != nil {
		t.Fatal(err)
	}
	wrong := wrongImports(packages)
	for path, body := range planted {
		if slices.Contains(allowed, path) {
			continue
		}
		imported := strings.Trim(strings.TrimPrefix(body, "import _ "), `"`)
		line := fmt.Sprintf("%s/%s imports %s: ", module, filepath.Dir(path), imported)
		if !slices.ContainsFunc(wrong, func(found string) bool { return strings.HasPrefix(found, line) }) {
			t.Errorf("not found: %s", line)
		}
	}
	if want := len(planted) - len(allowed); len(wrong) != want {
		t.Errorf("%d violations, planted %d:\n%s", len(wrong), want, strings.Join(wrong, "\n"))
	}
}
