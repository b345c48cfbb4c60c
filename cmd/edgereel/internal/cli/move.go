package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/gamelogic/gate"
)

// Share is a share of the wallets in ten-thousandths, written like 5%.
type Share uint32

// UnmarshalText reads 5% or 0.25%.
func (s *Share) UnmarshalText(text []byte) error {
	percent, ok := strings.CutSuffix(string(text), "%")
	v, valid := new(big.Rat).SetString(percent)
	if !ok || !valid || len(percent) > 8 || strings.ContainsAny(percent, "eEpPxX/_ ") {
		return fmt.Errorf("%q is no share: write it in percent, like 5%%", text)
	}
	v.Mul(v, big.NewRat(100, 1))
	if !v.IsInt() || v.Sign() <= 0 || v.Cmp(big.NewRat(10_000, 1)) > 0 {
		return fmt.Errorf("%q is no share between 0.01%% and 100%% in steps of 0.01%%", text)
	}
	*s = Share(v.Num().Uint64())
	return nil
}

func (s Share) String() string {
	if s%100 == 0 {
		return fmt.Sprintf("%d%%", s/100)
	}
	return fmt.Sprintf("%d.%02d%%", s/100, s%100)
}

// moveFlags are the flags of every verb that takes a release on, or back.
type moveFlags struct {
	reachFlags
	Name releaseName `arg:"" name:"release" help:"The release." placeholder:"GAME@VERSION"`
	personFlags
}

// waitFlags are those of the steps that shards follow.
type waitFlags struct {
	Wait   bool          `help:"Wait until every shard follows, and tell of it."`
	Within time.Duration `help:"Give up waiting after this time." default:"1m" placeholder:"DURATION"`
}

type (
	studioApprove struct{ moveFlags }
	studioCanary  struct {
		moveFlags
		waitFlags
		Share Share `help:"Share of the wallets, like 5%. It is the same wallets for as long as it is this canary." required:"" placeholder:"SHARE"`
	}
	studioPromote struct {
		moveFlags
		waitFlags
	}
	studioRollback struct {
		moveFlags
		waitFlags
	}
	studioRetire struct {
		moveFlags
		waitFlags
	}
)

// Help is shown by --help.
func (*studioApprove) Help() string {
	return `Needs a token with the role admin, and another person than the one who pushed.

Example:
  edgereel studio approve comet-spins@1.1.0 --person Ben --reason "read the report"`
}

// Help is shown by --help.
func (*studioCanary) Help() string {
	return `Needs a token with the role admin. The share is chosen by wallet and stays the
same wallets; again with another share widens or narrows it. Incidents, slow
evaluation or results beside the sheet take a canary back without anybody.

Example:
  edgereel studio canary comet-spins@1.1.0 --share 5% --wait --person Ben --reason "first look"`
}

// Help is shown by --help.
func (*studioPromote) Help() string {
	return `Needs a token with the role admin. New rounds play this version in every region;
rounds that are open end on the version they began with. The version before is
kept for a way back.

Example:
  edgereel studio promote comet-spins@1.1.0 --wait --person Ben --reason "a quiet night"`
}

// Help is shown by --help.
func (*studioRollback) Help() string {
	return `Needs a token with the role admin. A canary ends; in place of a live version the
one before is live again. Rounds that are open end on the version they began
with.

Example:
  edgereel studio rollback comet-spins@1.1.0 --wait --person Ben --reason "players complain"`
}

// Help is shown by --help.
func (*studioRetire) Help() string {
	return `Needs a token with the role admin. The game takes no new rounds unless another
version is live; rounds that are open go on to their end.

Example:
  edgereel studio retire comet-spins@1.1.0 --person Ben --reason "end of contract"`
}

// Run approves.
func (m *studioApprove) Run(ctx context.Context, std *streams) error {
	return m.move(ctx, std, "approved", 0, waitFlags{})
}

// Run starts or widens a canary.
func (m *studioCanary) Run(ctx context.Context, std *streams) error {
	return m.move(ctx, std, "canary", m.Share, m.waitFlags)
}

// Run makes a release live.
func (m *studioPromote) Run(ctx context.Context, std *streams) error {
	return m.move(ctx, std, "live", 0, m.waitFlags)
}

// Run takes a release back.
func (m *studioRollback) Run(ctx context.Context, std *streams) error {
	return m.move(ctx, std, "rolled_back", 0, m.waitFlags)
}

// Run ends a release.
func (m *studioRetire) Run(ctx context.Context, std *streams) error {
	return m.move(ctx, std, "retired", 0, m.waitFlags)
}

func (m *moveFlags) move(ctx context.Context, std *streams, to string, share Share, wait waitFlags) error {
	person, err := personOf(m.Person)
	if err != nil {
		return err
	}
	_, s, done, err := m.openStudio(ctx)
	if err != nil {
		return err
	}
	defer done()
	request := &edgereelv1.MoveReleaseRequest{
		Game: m.Name.game, Version: m.Name.version, To: to, ShareX10000: uint32(share), Person: person, Reason: m.Reason,
	}
	began := time.Now()
	moved, err := s.Move(ctx, request)
	if err != nil {
		if moved = taken(ctx, s, request, err, began); moved == nil {
			return fmt.Errorf("move %s to %s: %w", m.Name, to, err)
		}
	}
	var shards []*edgereelv1.ShardRelease
	if wait.Wait {
		if shards, err = m.await(ctx, std, s, request, moved.GetRegistrySeq(), wait.Within); err != nil {
			return err
		}
	}
	r := newReleaseReport(moved, shards)
	if m.JSON {
		return printJSON(std.out, r)
	}
	_, err = fmt.Fprintf(std.out, "%s is %s\n", m.Name, r.stateText())
	return err
}

// taken reads a release after a step whose answer was lost, or which a repeat
// found taken, and gives it if the step was this one.
func taken(ctx context.Context, s *client.Studio, asked *edgereelv1.MoveReleaseRequest, err error, began time.Time) *edgereelv1.Release {
	var call *client.Error
	if !errors.As(err, &call) || call.Effect != client.Unknown && call.Attempts < 2 {
		return nil
	}
	found, err := s.Release(ctx, asked.GetGame(), asked.GetVersion())
	if err != nil || len(found.GetRelease().GetHistory()) == 0 {
		return nil
	}
	history := found.GetRelease().GetHistory()
	last := history[len(history)-1]
	// The clocks of this machine and of the cluster may differ a little.
	recent := last.GetAtMs() >= began.Add(-time.Minute).UnixMilli()
	if recent && last.GetState() == asked.GetTo() && last.GetPerson() == asked.GetPerson() && last.GetReason() == asked.GetReason() &&
		last.GetShareX10000() == asked.GetShareX10000() {
		return found.GetRelease()
	}
	return nil
}

// follows tells whether a shard does what a step asks for.
func follows(s *edgereelv1.ShardRelease, asked *edgereelv1.MoveReleaseRequest) bool {
	version := asked.GetVersion()
	switch asked.GetTo() {
	case "canary":
		return s.GetCanaryVersion() == version && s.GetCanaryShareX10000() == asked.GetShareX10000()
	case "live":
		return s.GetLiveVersion() == version && s.GetEnabled()
	default: // rolled_back, retired: nobody new plays it
		return s.GetCanaryVersion() != version && (s.GetLiveVersion() != version || !s.GetEnabled())
	}
}

// await tells of every shard that follows until all do. A node that has not
// heard of the step yet, which is at a sequence before it, is asked again.
func (m *moveFlags) await(ctx context.Context, std *streams, s *client.Studio, asked *edgereelv1.MoveReleaseRequest, seq uint64, within time.Duration,
) ([]*edgereelv1.ShardRelease, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	began, told := time.Now(), map[uint32]bool{}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		found, err := s.Release(ctx, m.Name.game, m.Name.version)
		all := err == nil && len(found.GetShards()) > 0
		var behind []string
		for _, shard := range found.GetShards() {
			if !follows(shard, asked) {
				all, behind = false, append(behind, fmt.Sprint(shard.GetShard()))
				continue
			}
			if !told[shard.GetShard()] {
				told[shard.GetShard()] = true
				fmt.Fprintf(std.err, "shard %d follows after %.1f s\n", shard.GetShard(), time.Since(began).Seconds())
			}
		}
		if all {
			return found.GetShards(), nil
		}
		if r := found.GetRelease(); err == nil && r.GetRegistrySeq() >= seq && r.GetState() != asked.GetTo() {
			return nil, fmt.Errorf("%s is %s meanwhile: edgereel studio release %s says why", m.Name, found.GetRelease().GetState(), m.Name)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is recorded as %s, but not every shard follows within %s (waiting for %s): the nodes go on trying; "+
				"see edgereel studio release %s and edgereel cluster status", m.Name, asked.GetTo(), within, strings.Join(append(behind, "an answer"), ", "), m.Name)
		}
	}
}

type studioReportVerb struct {
	reachFlags
	Name releaseName `arg:"" name:"release" help:"The release." placeholder:"GAME@VERSION"`
	HTML string      `help:"Write the report as one HTML file." placeholder:"FILE" type:"path"`
}

// Help is shown by --help.
func (*studioReportVerb) Help() string {
	return `Reads the report that the cluster stored when it checked the release. With --json
it is printed as it is stored, to the byte.

Examples:
  edgereel studio report comet-spins@1.1.0
  edgereel studio report comet-spins@1.1.0 --html report.html`
}

// Run reads a report.
func (r *studioReportVerb) Run(ctx context.Context, std *streams) error {
	_, s, done, err := r.openStudio(ctx)
	if err != nil {
		return err
	}
	defer done()
	found, err := s.Release(ctx, r.Name.game, r.Name.version)
	if err != nil {
		return err
	}
	digest := found.GetRelease().GetReport()
	if digest == "" {
		return fmt.Errorf("%s has no report: it is %s", r.Name, reportless(found.GetRelease()))
	}
	text, err := s.Blob(ctx, digest)
	if err != nil {
		return err
	}
	report, err := gate.ParseReport(text)
	if err != nil {
		return err
	}
	if r.HTML != "" {
		var page bytes.Buffer
		if err := report.WriteHTML(&page); err != nil {
			return err
		}
		if err := os.WriteFile(r.HTML, page.Bytes(), 0o644); err != nil { //nolint:gosec // a report is for everybody who may read the folder
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return printReport(std.out, text, report, r.JSON)
}

func printReport(out io.Writer, text []byte, report *gate.Report, asJSON bool) error {
	if !asJSON {
		return report.WriteText(out)
	}
	_, err := out.Write(append(bytes.TrimRight(text, "\n"), '\n'))
	return err //nolint:wrapcheck // of standard output
}

// reportless says why a release has no report.
func reportless(r *edgereelv1.Release) string {
	if r.GetKeyId() == "" {
		return "a game that came with the program"
	}
	return r.GetState()
}
