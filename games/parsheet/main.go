// Command parsheet computes the PAR sheets of the reference games and writes
// what follows from them: par.json, PAR.md and the tables of the module's
// source. Run it from the repository's root after a change of a design.json,
// then games/build.sh.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/edgereel/edgereel/games/par"
)

func main() {
	if err := run(filepath.Join("games", "*", "design.json")); err != nil {
		fmt.Fprintln(os.Stderr, "parsheet:", err)
		os.Exit(1)
	}
}

func run(pattern string) error {
	designs, err := filepath.Glob(pattern)
	if err != nil || len(designs) == 0 {
		return fmt.Errorf("no file matches %s here: %w", pattern, os.ErrNotExist)
	}
	for _, path := range designs {
		if err := write(path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func write(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the design: %w", err)
	}
	files, err := par.Generate(b)
	if err != nil {
		return err
	}
	for name, content := range files {
		file := filepath.Join(filepath.Dir(path), name)
		//nolint:gosec // sources and sheets are there to be read
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, content, 0o644)); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
