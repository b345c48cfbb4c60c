// Package sdk carries the guest kits and what a new project starts from, so
// that the program alone can begin one. It promises that a project has the kit
// whose test vectors pass in this repository; it runs no compiler and touches
// no disk.
package sdk

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// The kit for Go is a module of its own, whose files cannot be embedded from
// here: project/go/edgereel is a copy of it, held equal by a test.
//
//go:embed all:project rust/src assemblyscript/assembly c/edgereel.h
var files embed.FS

// ErrUnknownLanguage means that there is no kit for it.
var ErrUnknownLanguage = errors.New("sdk: no kit for the language")

// kits say where the sources of a kit lie and where a project has them.
var kits = map[string]struct{ from, to string }{
	"rust":           {"rust/src", "edgereel/src"},
	"assemblyscript": {"assemblyscript/assembly", "edgereel"},
	"c":              {"c/edgereel.h", "edgereel.h"},
	"go":             {"project/go/edgereel", "edgereel"},
}

// Languages lists the kits, in the order they are shown.
func Languages() []string { return []string{"rust", "assemblyscript", "c", "go"} }

// Project gives the files of a new project by their slash-separated paths: the
// kit, a small game, its PAR sheet, and how to go on. The id is that of the
// game, the title is what players read; neither is checked here.
func Project(language, id, title string) (map[string][]byte, error) {
	kit, ok := kits[language]
	if !ok {
		return nil, fmt.Errorf("%w: %q, there are %q", ErrUnknownLanguage, language, Languages())
	}
	out := map[string][]byte{}
	renamed := strings.NewReplacer("my-game", id, "My Game", title)
	for _, tree := range []struct {
		from, to string
		rename   bool
	}{{"project/common", "", true}, {"project/" + language, "", true}, {kit.from, kit.to, false}} {
		err := fs.WalkDir(files, tree.from, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := files.ReadFile(name)
			if err != nil {
				return err
			}
			if tree.rename {
				content = []byte(renamed.Replace(string(content)))
			}
			// Names that mean something to the tools of this repository end in .tmpl.
			to := strings.TrimSuffix(path.Join(tree.to, strings.TrimPrefix(name, tree.from)), ".tmpl")
			out[strings.TrimPrefix(to, "/")] = content
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("sdk: read the kit: %w", err)
		}
	}
	return out, nil
}

// Names lists the paths of a project in order.
func Names(project map[string][]byte) []string {
	names := make([]string, 0, len(project))
	for name := range project {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
