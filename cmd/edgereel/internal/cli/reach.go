package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/clusterfile"
)

// reachFlags are the flags of every verb that talks to a cluster.
type reachFlags struct {
	Cluster string `help:"The cluster's file; default is $$EDGEREEL_CLUSTER, then the last dev's." placeholder:"FILE" type:"path"`
	JSON    bool   `help:"Print JSON, see docs/cli-json.md."`
}

// load reads the cluster's file and makes the configuration of a client.
func (r reachFlags) load() (*clusterfile.File, client.Config, error) {
	path, err := clusterfile.Find(r.Cluster)
	if err != nil {
		return nil, client.Config{}, err
	}
	file, err := clusterfile.Read(path)
	if err != nil {
		return nil, client.Config{}, err
	}
	roots, err := file.Roots()
	if err != nil {
		return nil, client.Config{}, err
	}
	cfg := client.Config{CA: roots}
	for _, n := range file.Nodes {
		cfg.Nodes = append(cfg.Nodes, client.Node{Name: n.Node, Region: n.Region, Address: n.API})
	}
	return file, cfg, nil
}

// open reaches the cluster.
func (r reachFlags) open(ctx context.Context) (*clusterfile.File, *client.Client, error) {
	file, cfg, err := r.load()
	if err != nil {
		return nil, nil, err
	}
	c, err := client.New(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return file, c, nil
}

// closeClient ends a client whose work is done; what its sockets say to that
// changes nothing any more.
func closeClient(c *client.Client) { _ = c.Close() }

// needOperator refuses a file whose owner may not ask what a verb asks.
func needOperator(file *clusterfile.File) error {
	if file.OperatorToken == "" {
		return fmt.Errorf("%s holds no operator_token: use the operator's file", file.Path)
	}
	return nil
}

// printJSON prints one value as one line.
func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// isTerminal tells whether a person watches.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
