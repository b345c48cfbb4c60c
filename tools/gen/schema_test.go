package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func schemaFacts(t *testing.T, source string) ([]string, []string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.proto"), []byte("syntax = \"proto3\";\npackage p;\n"+source), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := compile(dir)
	if err != nil {
		t.Fatal(err)
	}
	return facts(files), lint(files)
}

func TestMergeLock(t *testing.T) {
	before, _ := schemaFacts(t, "message M { int64 stake_minor = 1; string game = 2; }")
	path := filepath.Join(t.TempDir(), "lock")
	first, broken, err := mergeLock(path, before)
	if err != nil || len(broken) > 0 {
		t.Fatalf("first lock: broken %v, error %v", broken, err)
	}
	retired := strings.Replace(string(first), "field p.M 2 game optional string", "retired field p.M 2", 1)
	tests := map[string]struct {
		lock, schema string
		broken       int
	}{
		"field added":            {string(first), "message M { int64 stake_minor = 1; string game = 2; string mode = 3; }", 0},
		"type changed":           {string(first), "message M { string stake_minor = 1; string game = 2; }", 1},
		"number changed":         {string(first), "message M { int64 stake_minor = 4; string game = 2; }", 1},
		"field removed":          {string(first), "message M { int64 stake_minor = 1; }", 1},
		"field retired":          {retired, "message M { int64 stake_minor = 1; }", 0},
		"retired number reused":  {retired, "message M { int64 stake_minor = 1; string mode = 2; }", 1},
		"message renamed":        {string(first), "message N { int64 stake_minor = 1; string game = 2; }", 2},
		"number 2 is not 22":     {retired, "message M { int64 stake_minor = 1; string mode = 22; }", 0},
		"unchanged is unchanged": {string(first), "message M { int64 stake_minor = 1; string game = 2; }", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(test.lock), 0o600); err != nil {
				t.Fatal(err)
			}
			now, _ := schemaFacts(t, test.schema)
			content, broken, err := mergeLock(path, now)
			if err != nil || len(broken) != test.broken {
				t.Fatalf("broken %q, error %v, want %d broken", broken, err, test.broken)
			}
			if strings.Contains(test.lock, "\nretired field") && !slices.Contains(strings.Split(string(content), "\n"), "retired field p.M 2") {
				t.Fatal("the retired number is forgotten")
			}
		})
	}
}

func TestLint(t *testing.T) {
	for _, source := range []string{
		"message M { double x = 1; }",
		"message M { int32 stake_minor = 1; }",
		"message M { uint32 left_ms = 1; }",
		"message M { string gameId = 1; }",
		"enum E { FIRST = 0; }",
		"message M { message N { float x = 1; } }",
	} {
		if _, problems := schemaFacts(t, source); len(problems) != 1 {
			t.Errorf("%s: problems %q, want one", source, problems)
		}
	}
}
