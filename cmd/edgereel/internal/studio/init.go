package studio

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/edgereel/edgereel/sdk"
)

// ErrUsage means that what was asked for makes no sense, whatever the state of
// the machine.
var ErrUsage = errors.New("not possible")

// Init are the flags of `edgereel studio init`.
type Init struct {
	Name string `arg:"" help:"Id of the game, like owl-run."`
	Lang string `help:"Language: ${enum}." enum:"rust,assemblyscript,c,go" required:""`
	Dir  string `help:"Folder for the project, new or empty; default is NAME." placeholder:"D" type:"path"`
	JSON bool   `help:"Print JSON, see docs/cli-json.md."`
}

// InitReport is what --json prints.
type InitReport struct {
	Schema   int      `json:"schema"`
	ID       string   `json:"id"`
	Language string   `json:"language"`
	Dir      string   `json:"dir"`
	Files    []string `json:"files"`
}

// Help is shown by --help.
func (*Init) Help() string {
	return `Writes a project that builds: the kit of the language, a small game, its PAR sheet,
and a README with the next commands. Nothing is downloaded. A folder that holds
anything is left alone.

Examples:
  edgereel studio init --lang rust owl-run
  edgereel studio init --lang c owl-run --dir games/owl --json`
}

var gameID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// Do writes the project and reports.
func (i *Init) Do(out io.Writer) error {
	if !gameID.MatchString(i.Name) {
		return fmt.Errorf("%w: %q is no game id: lower-case letters, digits and dashes, a letter first, at most 63", ErrUsage, i.Name)
	}
	files, err := sdk.Project(i.Lang, i.Name, title(i.Name))
	if err != nil {
		return err
	}
	dir := i.Dir
	if dir == "" {
		dir = i.Name
	}
	if err := emptyFolder(dir); err != nil {
		return err
	}
	r := InitReport{Schema: 1, ID: i.Name, Language: i.Lang, Dir: dir, Files: sdk.Names(files)}
	for _, name := range r.Files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // source code, for everybody to read
			return fmt.Errorf("make the project: %w", err)
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil { //nolint:gosec // source code, for everybody to read
			return fmt.Errorf("make the project: %w", err)
		}
	}
	if i.JSON {
		return printJSON(out, r)
	}
	_, err = fmt.Fprintf(out, "project    %s\nlanguage   %s\nfiles      %s\nnext       cd %s && edgereel studio build\n",
		dir, i.Lang, strings.Join(r.Files, "\n           "), dir)
	return err
}

// title makes "Owl Run" of owl-run.
func title(id string) string {
	words := strings.FieldsFunc(id, func(r rune) bool { return r == '-' })
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// emptyFolder refuses a folder whose content a project would mix with.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look into the folder for the project: %w", err)
	case len(entries) > 0:
		return fmt.Errorf("the folder %s is not empty, it has %s: nothing was written; name another one with --dir", dir, entries[0].Name())
	}
	return nil
}
