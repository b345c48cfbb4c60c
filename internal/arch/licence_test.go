package arch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// permissive recognises a licence we may ship under by words only its text
// has, after lower-casing and folding white space.
var permissive = map[string][]string{
	"MPL-2.0":    {"mozilla public license", "version 2.0"},
	"Apache-2.0": {"apache license", "version 2.0"},
	"MIT":        {"permission is hereby granted, free of charge"},
	"BSD":        {"redistribution and use in source and binary forms"},
	"ISC":        {"permission to use, copy, modify, and", "distribute this software for any purpose"},
	"Unlicense":  {"this is free and unencumbered software released into the public domain"},
}

// refused are the names of licences that would bind our own code, or sell it.
var refused = []string{
	"gnu general public license", "gnu affero", "gnu lesser", "gnu library general", "business source license",
	"server side public license", "commons clause", "elastic license", "polyform",
}

// licence names the licence of a text, or says why it may not ship.
func licence(text string) (string, error) {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	var known []string
	for name, phrases := range permissive {
		if !slices.ContainsFunc(phrases, func(phrase string) bool { return !strings.Contains(text, phrase) }) {
			known = append(known, name)
		}
	}
	slices.Sort(known)
	// The text of the MPL names the GNU licences as secondary ones it is
	// compatible with, which offers but does not impose them.
	if !slices.Contains(known, "MPL-2.0") {
		for _, name := range refused {
			if strings.Contains(text, name) {
				return "", fmt.Errorf("it names the %s", name)
			}
		}
	}
	if len(known) == 0 {
		return "", fmt.Errorf("its text is not a known permissive licence")
	}
	return strings.Join(known, "+"), nil
}

// licenceFiles lists the licence files of one folder.
func licenceFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		text := !strings.HasSuffix(name, ".GO")
		if !entry.IsDir() && text && (strings.HasPrefix(name, "LICENSE") || strings.HasPrefix(name, "LICENCE") || strings.HasPrefix(name, "COPYING")) {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	return files, nil
}

// TestLicences reads every licence between each package we build or test with
// and the root of its module. The linters of tools/ are never part of a build.
func TestLicences(t *testing.T) {
	packages, err := goList(t.Context(), root(t), "-deps", "-test", "./...")
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]bool{}
	checked := map[string]bool{}
	for _, listed := range packages {
		if listed.Standard || listed.Module == nil || listed.Module.Main {
			continue
		}
		if listed.Module.Dir == "" {
			t.Errorf("%s: not downloaded", listed.Module.Path)
			continue
		}
		atRoot, err := licenceFiles(listed.Module.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(atRoot) == 0 && !counted[listed.Module.Path] {
			t.Errorf("%s %s: has no licence file", listed.Module.Path, listed.Module.Version)
		}
		counted[listed.Module.Path] = true
		for dir := listed.Dir; strings.HasPrefix(dir, listed.Module.Dir); dir = filepath.Dir(dir) {
			if !checked[dir] {
				checked[dir] = true
				checkLicences(t, listed.Module.Path, dir)
			}
		}
	}
	t.Logf("%d modules", len(counted))
}

func checkLicences(t *testing.T, module, dir string) {
	t.Helper()
	files, err := licenceFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := licence(string(text)); err != nil {
			t.Errorf("%s: %s: %v", module, filepath.Base(file), err)
		}
	}
}

func TestLicence(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"mit":     {"MIT License\nPermission is hereby granted,\n free of charge, to any person", "MIT"},
		"mpl":     {"Mozilla Public License\nVersion 2.0\n ... GNU General Public License, GNU Lesser", "MPL-2.0"},
		"gpl":     {"GNU GENERAL PUBLIC LICENSE\nVersion 3", ""},
		"agpl":    {"GNU AFFERO GENERAL PUBLIC LICENSE", ""},
		"mixed":   {"Apache License Version 2.0 ... except x under the GNU Lesser General Public License", ""},
		"busl":    {"Business Source License 1.1", ""},
		"sspl":    {"Server Side Public License", ""},
		"unknown": {"All rights reserved.", ""},
		"clause":  {"Commons Clause\nApache License Version 2.0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := licence(test.text)
			if got != test.want || (err == nil) != (test.want != "") {
				t.Fatalf("licence %q, error %v, want %q", got, err, test.want)
			}
		})
	}
}
