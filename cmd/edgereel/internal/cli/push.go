package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"
	"time"

	"github.com/edgereel/edgereel/api/dsse"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/clusterfile"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
)

// releaseVerbs are the verbs of `edgereel studio` that need a cluster.
type releaseVerbs struct {
	Push     studioPush       `cmd:"" help:"Upload a module; the cluster checks and records it."`
	Releases studioReleases   `cmd:"" help:"List the releases."`
	Release  studioRelease    `cmd:"" help:"Show one release, its history and where it runs."`
	Report   studioReportVerb `cmd:"" help:"Read the report of a release's check."`
	Approve  studioApprove    `cmd:"" help:"Agree to a checked release, as a second person."`
	Canary   studioCanary     `cmd:"" help:"Let a share of the wallets play an approved release."`
	Promote  studioPromote    `cmd:"" help:"Let everybody play a release."`
	Rollback studioRollback   `cmd:"" help:"Take a canary or a live release back."`
	Retire   studioRetire     `cmd:"" help:"End a release."`
	Keys     keysGroup        `cmd:"" help:"Keep the keys that studios sign with."`
}

// personFlags say who does something and why. Both stand in the record.
type personFlags struct {
	Person string `help:"Who does this; default is your user name." placeholder:"NAME"`
	Reason string `help:"Why, for the record." placeholder:"TEXT"`
}

// personOf is the named one, else the user of this machine.
func personOf(named string) (string, error) {
	if named = strings.TrimSpace(named); named != "" {
		return named, nil
	}
	if name := os.Getenv("USER"); name != "" {
		return name, nil
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username, nil
	}
	return "", usage("nobody is named: give --person NAME")
}

// openStudio reaches the cluster with the token for releases.
func (r reachFlags) openStudio(ctx context.Context) (*clusterfile.File, *client.Studio, func(), error) {
	file, c, err := r.open(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	token := file.StudioToken
	if token == "" {
		token = file.OperatorToken
	}
	if token == "" {
		closeClient(c)
		return nil, nil, nil, fmt.Errorf("%s holds neither studio_token nor operator_token: ask the operator for a file with one", file.Path)
	}
	return file, c.Studio(token), func() { closeClient(c) }, nil
}

type studioPush struct {
	reachFlags
	Module string       `arg:"" help:"The module." placeholder:"M.wasm" type:"existingfile"`
	Par    string       `help:"Its PAR sheet." required:"" placeholder:"par.json" type:"existingfile"`
	Key    string       `help:"File of the studio's private key; default is the cluster file's studio_key." placeholder:"FILE" type:"path"`
	Studio string       `help:"The studio; default is the cluster file's studio." placeholder:"NAME"`
	Rounds studio.Count `help:"Rounds that the check simulates in each mode; the cluster has a default." placeholder:"N"`
	Person string       `help:"Who pushes; somebody else has to approve. Default is your user name." placeholder:"NAME"`
}

// Help is shown by --help.
func (*studioPush) Help() string {
	return `Signs the module and its sheet with the studio's key, uploads both to the nearest
node and follows the check there, which is that of edgereel studio check. Game and
version are those of the module's manifest. Pushing the same files again is
harmless; other files need another version.

Exit codes: 0 the release is checked, 10 the check rejected it, 1 anything else.

Examples:
  edgereel studio push game.wasm --par par.json
  edgereel studio push game.wasm --par par.json --key acme.key --studio acme --person Ann --rounds 1e7`
}

// Run pushes a module.
func (p *studioPush) Run(ctx context.Context, std *streams) error {
	person, err := personOf(p.Person)
	if err != nil {
		return err
	}
	file, s, done, err := p.openStudio(ctx)
	if err != nil {
		return err
	}
	defer done()
	parcel, err := p.pack(ctx, file)
	if err != nil {
		return studioFailure(err)
	}
	parcel.Pushed.Person, parcel.Pushed.Rounds = person, uint64(p.Rounds)
	// The node is told, or it would check for nobody until the connection is
	// given up for dead.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	show := &studio.PushProgress{Out: std.err, Live: isTerminal(std.err), Now: time.Now}
	last, err := s.Push(ctx, parcel.Pushed, show.Tell)
	show.End()
	if err != nil {
		if ctx.Err() != nil {
			return studioFailure(context.Canceled)
		}
		return fmt.Errorf("push %s: %w", parcel.Release.Name(), err)
	}
	r := newReleaseReport(last.GetRelease(), nil)
	r.Failures = notNil(last.GetFailures())
	if p.JSON {
		err = printJSON(std.out, r)
	} else {
		err = r.printPushed(std.out)
	}
	if err == nil && !last.GetPassed() {
		return errVerdict
	}
	return err
}

// pack signs with what the flags say, else with what the cluster file says.
func (p *studioPush) pack(ctx context.Context, file *clusterfile.File) (*studio.Parcel, error) {
	path, name := p.Key, p.Studio
	if path == "" {
		path = file.StudioKeyFile()
	}
	if name == "" {
		name = file.Studio
	}
	switch {
	case path == "":
		return nil, usage("%s names no studio_key: give --key FILE (edgereel studio keys new makes one)", file.Path)
	case name == "":
		return nil, usage("%s names no studio: give --studio NAME", file.Path)
	}
	key, err := dsse.ReadPrivate(path)
	if err != nil {
		return nil, err
	}
	return studio.Pack(ctx, p.Module, p.Par, name, key)
}
