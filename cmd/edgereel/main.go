// Command edgereel runs and operates Edgereel clusters.
package main

import (
	"context"
	"os"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
