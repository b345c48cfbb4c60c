package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// impure returns one line per construct of a wallet source file that could
// make two replicas differ. Ranging over a map is not among them: whether its
// order matters is for review and for the state hash tests.
func impure(name string, source []byte) ([]string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var found []string
	report := func(node ast.Node, what string) {
		found = append(found, fmt.Sprintf("%s: %s", files.Position(node.Pos()), what))
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.GoStmt:
			report(node, "a goroutine")
		case *ast.ChanType:
			report(node, "a channel")
		case *ast.SelectStmt:
			report(node, "a select")
		case *ast.BasicLit:
			if node.Kind == token.FLOAT || node.Kind == token.IMAG {
				report(node, "a floating point number")
			}
		case *ast.Ident:
			if slices.Contains([]string{"float32", "float64", "complex64", "complex128"}, node.Name) {
				report(node, "the type "+node.Name)
			}
		case *ast.FuncDecl:
			if node.Name.Name == "init" && node.Recv == nil {
				report(node, "an init function")
			}
		}
		return true
	})
	return found, nil
}

func TestWalletIsPure(t *testing.T) {
	packages, err := goList(t.Context(), root(t), "./...")
	if err != nil {
		t.Fatal(err)
	}
	for _, listed := range packages {
		if folder(listed.ImportPath) != "wallet" {
			continue
		}
		for _, name := range listed.GoFiles {
			source, err := os.ReadFile(filepath.Join(listed.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			found, err := impure(name, source)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range found {
				t.Errorf("%s: %s", listed.ImportPath, line)
			}
		}
	}
}

func TestWalletIsPure_FindsPlanted(t *testing.T) {
	for body, want := range map[string]string{
		"func f() { go f() }":              "a goroutine",
		"var c chan int":                   "a channel",
		"func f() { select {} }":           "a select",
		"const half = 0.5":                 "a floating point number",
		"func f(x float64) {}":             "the type float64",
		"func f(x int) { _ = float32(x) }": "the type float32",
		"func init() {}":                   "an init function",
		"func f(m map[int]int) { _ = m }":  "",
	} {
		found, err := impure("planted.go", []byte("package wallet\n"+body))
		if err != nil {
			t.Fatal(err)
		}
		clean := want == ""
		if clean != (len(found) == 0) || !clean && !strings.HasSuffix(found[0], want) {
			t.Errorf("%s: found %q, want %q", body, found, want)
		}
	}
}
