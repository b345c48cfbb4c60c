package cli

import (
	"fmt"
	"runtime/debug"
)

// versionCommand is `edgereel version`.
type versionCommand struct{}

// Run prints the version.
func (*versionCommand) Run(std *streams) error {
	version, revision := "devel", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				revision = " " + s.Value[:12]
			}
		}
	}
	_, err := fmt.Fprintln(std.out, "edgereel "+version+revision)
	return err
}
