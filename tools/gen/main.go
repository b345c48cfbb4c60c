// Command gen writes the Go code of the wire schema, and refuses a schema
// that would break what is already deployed.
//
//	go -C tools run ./gen -root ..         # write
//	go -C tools run ./gen -root .. -check  # compare, change nothing
//
// It compiles the .proto files with a Go library instead of protoc or buf,
// because that needs nothing but Go, builds in seconds, and buf would pull the
// protobuf runtime past the version the module pins.
//
// api/schema.lock lists every field, enum value and procedure ever accepted.
// A line that is no longer true is a breaking change: the only way past it is
// to retire the line by hand, where a reviewer sees it.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

const (
	module    = "github.com/edgereel/edgereel"
	protoDir  = "api/proto"
	outputDir = "api/edgereel"
	lockFile  = "api/schema.lock"
)

func main() {
	root := flag.String("root", "..", "root of the checkout")
	check := flag.Bool("check", false, "fail when the committed files differ; write nothing")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	files, err := compile(filepath.Join(root, protoDir))
	if err != nil {
		return fmt.Errorf("compile the schema: %w", err)
	}
	problems := lint(files)
	lock, broken, err := mergeLock(filepath.Join(root, lockFile), facts(files))
	if err != nil {
		return err
	}
	for _, line := range broken {
		problems = append(problems, "breaking change: no longer true: "+line)
	}
	if len(problems) > 0 {
		return errors.New("schema refused:\n  " + strings.Join(problems, "\n  "))
	}
	want := map[string][]byte{lockFile: lock}
	for _, plugin := range []string{"protoc-gen-go", "protoc-gen-connect-go"} {
		if err := runPlugin(root, plugin, files, want); err != nil {
			return fmt.Errorf("run %s: %w", plugin, err)
		}
	}
	stale, err := staleFiles(root, want)
	if err != nil {
		return err
	}
	if check {
		return compare(root, want, stale)
	}
	return write(root, want, stale)
}

// compile links every .proto below dir, in the order of their paths.
func compile(dir string) (linker.Files, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".proto") {
			relative, _ := filepath.Rel(dir, path)
			paths = append(paths, filepath.ToSlash(relative))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{dir}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	return compiler.Compile(context.Background(), paths...)
}

// runPlugin adds the plugin's output to out, keyed by path below the root.
func runPlugin(root, plugin string, files linker.Files, out map[string][]byte) error {
	request := &pluginpb.CodeGeneratorRequest{Parameter: proto.String("module=" + module)}
	// A plugin wants every file after the files it imports.
	added := map[string]bool{}
	var add func(file linker.File)
	add = func(file linker.File) {
		if added[file.Path()] {
			return
		}
		added[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.FindImportByPath(file.Imports().Get(i).Path()))
		}
		request.ProtoFile = append(request.ProtoFile, protoutil.ProtoFromFileDescriptor(file))
	}
	for _, file := range files {
		add(file)
		request.FileToGenerate = append(request.FileToGenerate, file.Path())
	}
	input, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	command := exec.Command("go", "tool", "-modfile=tools/go.mod", plugin)
	command.Dir = root
	command.Stdin = bytes.NewReader(input)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return err
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(output, &response); err != nil {
		return err
	}
	if response.Error != nil {
		return errors.New(response.GetError())
	}
	for _, file := range response.GetFile() {
		out[file.GetName()] = []byte(file.GetContent())
	}
	return nil
}

// staleFiles lists generated files that no .proto produces any more.
func staleFiles(root string, want map[string][]byte) ([]string, error) {
	var stale []string
	err := filepath.WalkDir(filepath.Join(root, outputDir), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		relative, _ := filepath.Rel(root, path)
		if _, ok := want[filepath.ToSlash(relative)]; !ok {
			stale = append(stale, relative)
		}
		return nil
	})
	return stale, err
}

func compare(root string, want map[string][]byte, stale []string) error {
	differing := slices.Clone(stale)
	for name, content := range want {
		have, err := os.ReadFile(filepath.Join(root, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !bytes.Equal(have, content) {
			differing = append(differing, name)
		}
	}
	if len(differing) == 0 {
		return nil
	}
	slices.Sort(differing)
	return fmt.Errorf("not what the schema generates, run tools/generate.sh:\n  %s", strings.Join(differing, "\n  "))
}

func write(root string, want map[string][]byte, stale []string) error {
	for _, name := range stale {
		if err := os.Remove(filepath.Join(root, name)); err != nil {
			return err
		}
	}
	for name, content := range want {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
