//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/clusterfile"
)

// The commands a reader is told to type are run as they stand there. Markers on
// the line above a block of ```sh say which:
//
//	<!-- run: dev -->   runs in the background until the next of its kind
//	<!-- run -->        has to end with 0, while that dev is ready
//	<!-- run: curl -->  the same, skipped where there is no curl; an HTTP error
//	                    fails
//
// `go run ./cmd/edgereel` stands for the built program. $CA, $NODE, $ADMIN,
// $TOKEN, $WALLET and $OPERATOR_TOKEN are set as cluster.json has them. A file
// without a dev block of its own gets a dev.
func TestReadmeCommands(t *testing.T) {
	bin := program(t)
	root := filepath.Join("..", "..", "..")
	guides, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append([]string{filepath.Join(root, "README.md")}, guides...) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		blocks, err := markedBlocks(content)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(blocks) == 0 {
			if name == "README.md" {
				t.Errorf("README.md has no block to run: put <!-- run: dev --> or <!-- run --> above its ```sh blocks")
			}
			continue
		}
		t.Run(name, func(t *testing.T) { newReader(t, bin).runAll(blocks) })
	}
}

// block is one fenced block with its marker.
type block struct {
	kind, script string
	line         int
}

// markedBlocks finds the blocks to run. A marker that marks nothing, and one of
// an unknown kind, are errors: the block would silently never run.
func markedBlocks(content []byte) ([]block, error) {
	var blocks []block
	var current *block
	marked := false
	lines := bufio.NewScanner(bytes.NewReader(content))
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		switch {
		case current == nil && strings.HasPrefix(line, "<!-- run"):
			kind := strings.TrimSuffix(strings.TrimPrefix(line, "<!-- run"), "-->")
			current, marked = &block{kind: strings.Trim(kind, ": "), line: number}, true
			if k := current.kind; k != "" && k != "dev" && k != "curl" {
				return nil, fmt.Errorf("line %d: unknown marker %q", number, line)
			}
		case marked && line != "```sh":
			return nil, fmt.Errorf("line %d: the marker above wants a ```sh block here", number)
		case marked:
			marked = false
		case current != nil && line == "```":
			blocks, current = append(blocks, *current), nil
		case current != nil:
			current.script += line + "\n"
		}
	}
	if current != nil {
		return nil, fmt.Errorf("line %d: the block does not end", current.line)
	}
	return blocks, nil
}

// reader is somebody who types the commands of one page.
type reader struct {
	t    *testing.T
	home string
	env  []string
	dev  *process
	file *clusterfile.File
}

func newReader(t *testing.T, bin string) *reader {
	t.Helper()
	r := &reader{t: t, home: t.TempDir()}
	// curl answers an HTTP error with 0 unless told otherwise.
	if err := os.WriteFile(filepath.Join(r.home, ".curlrc"), []byte("fail-with-body\nsilent\nshow-error\nmax-time = 30\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Pages speak of files as they lie in the repository.
	for _, folder := range []string{"cmd", "games"} {
		target, err := filepath.Abs(filepath.Join("..", "..", "..", folder))
		if err == nil {
			err = os.Symlink(target, filepath.Join(r.home, folder))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	path := "PATH=" + filepath.Dir(bin) + string(os.PathListSeparator) + os.Getenv("PATH")
	r.env = environment(r.home, path, "CURL_HOME="+r.home)
	return r
}

func (r *reader) runAll(blocks []block) {
	r.t.Helper()
	if blocks[0].kind != "dev" {
		r.startDev(block{kind: "dev", script: "edgereel dev\n"})
	}
	for _, b := range blocks {
		switch b.kind {
		case "dev":
			r.startDev(b)
		case "curl":
			if _, err := exec.LookPath("curl"); err != nil {
				r.t.Logf("line %d is skipped: there is no curl", b.line)
				continue
			}
			r.run(b)
		default:
			r.run(b)
		}
	}
	r.stopDev()
}

func (r *reader) command(b block, env ...string) *exec.Cmd {
	script := strings.ReplaceAll(b.script, "go run ./cmd/edgereel", "edgereel")
	if b.kind == "dev" {
		script = "exec " + script // the program takes the shell's place, and so gets signals
	}
	cmd := exec.Command("sh", "-euc", script) //nolint:noctx // the page under test; launch bounds it
	cmd.Dir, cmd.Env = r.home, append(append([]string(nil), r.env...), env...)
	return cmd
}

// startDev runs a dev block and waits for the note that it leaves for the
// other verbs.
func (r *reader) startDev(b block) {
	r.t.Helper()
	r.stopDev()
	r.dev = launch(r.t, r.command(b), syscall.SIGINT)
	eventually(r.t, time.Minute, func() string { return "dev is not ready: " + r.dev.stderr.String() }, func() bool {
		if r.dev.ended() {
			r.t.Fatalf("line %d: dev ended: %v\n%s", b.line, r.dev.err, r.dev.stderr.String())
		}
		return strings.Contains(r.dev.stdout.String(), "Ctrl-C ends all of it.")
	})
	_, rest, _ := strings.Cut(r.dev.stdout.String(), "cluster file  ")
	path, _, _ := strings.Cut(rest, "\n")
	file, err := clusterfile.Read(path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.file = file
}

func (r *reader) stopDev() {
	r.t.Helper()
	if r.dev == nil {
		return
	}
	r.dev.end(r.t, syscall.SIGINT)
	if r.dev.code() != 0 {
		r.t.Errorf("dev ends with code %d: %s", r.dev.code(), r.dev.stderr.String())
	}
	r.dev = nil
}

func (r *reader) run(b block) {
	r.t.Helper()
	p := launch(r.t, r.command(b, r.variables(b)...), syscall.SIGKILL)
	if !p.await(2 * time.Minute) {
		r.t.Fatalf("line %d does not end:\n%s", b.line, b.script)
	}
	if p.code() != 0 {
		r.t.Errorf("line %d ends with code %d:\n%s%s%s", b.line, p.code(), b.script, p.stdout.String(), p.stderr.String())
	}
}

// variables are what a page tells its reader to take from cluster.json. The
// cluster itself is found without help, unless the block is about that.
func (r *reader) variables(b block) []string {
	player := r.file.Players[0]
	env := []string{
		"CA=" + r.file.CA, "NODE=" + r.file.Nodes[0].API, "ADMIN=" + r.file.Nodes[0].Admin,
		"TOKEN=" + player.Token, "WALLET=" + player.Wallet, "OPERATOR_TOKEN=" + r.file.OperatorToken,
	}
	if strings.Contains(b.script, "EDGEREEL_CLUSTER") {
		env = append(env, "EDGEREEL_CLUSTER="+r.file.Path)
	}
	return env
}

func TestMarkedBlocks(t *testing.T) {
	page := "text\n<!-- run: dev -->\n```sh\none\n```\n```sh\nnot this\n```\n<!-- run -->\n```sh\ntwo\nthree\n```\n"
	got, err := markedBlocks([]byte(page))
	want := []block{{"dev", "one\n", 2}, {"", "two\nthree\n", 9}}
	if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{
		"<!-- run: twice -->\n```sh\n```\n", "<!-- run -->\n\n```sh\n```\n", "<!-- run -->\n```\nx\n```\n", "<!-- run -->\n```sh\nx\n", "<!-- run -->\n",
	} {
		if got, err := markedBlocks([]byte(bad)); err == nil {
			t.Errorf("%q gives %+v", bad, got)
		}
	}
}
