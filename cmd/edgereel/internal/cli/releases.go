package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// releaseName is game@version.
type releaseName struct{ game, version string }

// UnmarshalText reads game@version.
func (n *releaseName) UnmarshalText(text []byte) error {
	game, version, ok := strings.Cut(string(text), "@")
	if !ok || game == "" || version == "" {
		return fmt.Errorf("%q names no release: write GAME@VERSION, like comet-spins@1.1.0", text)
	}
	n.game, n.version = game, version
	return nil
}

func (n releaseName) String() string { return n.game + "@" + n.version }

// releaseReport is what --json prints of a release.
type releaseReport struct {
	Schema            int            `json:"schema"`
	Game              string         `json:"game"`
	Version           string         `json:"version"`
	Family            string         `json:"family"`
	Variant           string         `json:"variant"`
	Studio            string         `json:"studio"`
	KeyID             string         `json:"key_id"`
	State             string         `json:"state"`
	CanaryShareX10000 uint32         `json:"canary_share_x10000"`
	Module            string         `json:"module"`
	ModuleBytes       uint64         `json:"module_bytes"`
	Envelope          string         `json:"envelope"`
	ParSheet          string         `json:"par_sheet"`
	Report            string         `json:"report"`
	Modes             []modeReport   `json:"modes"`
	History           []stepReport   `json:"history"`
	Shards            []shardRelease `json:"shards"`
	Failures          []string       `json:"failures"`
	RegistrySeq       uint64         `json:"registry_seq"`
}

type stepReport struct {
	State       string `json:"state"`
	Person      string `json:"person"`
	Reason      string `json:"reason"`
	AtMS        int64  `json:"at_ms"`
	ShareX10000 uint32 `json:"share_x10000"`
}

// shardRelease is what one shard runs of the release's game.
type shardRelease struct {
	Shard             uint32        `json:"shard"`
	LiveVersion       string        `json:"live_version"`
	CanaryVersion     string        `json:"canary_version"`
	CanaryShareX10000 uint32        `json:"canary_share_x10000"`
	Enabled           bool          `json:"enabled"`
	Quarantined       bool          `json:"quarantined"`
	Tallies           []tallyReport `json:"tallies"`
}

type tallyReport struct {
	Version        string `json:"version"`
	Mode           string `json:"mode"`
	Rounds         uint64 `json:"rounds"`
	Incidents      uint64 `json:"incidents"`
	ReturnX1000000 uint64 `json:"return_x1000000"`
}

func newReleaseReport(m *edgereelv1.Release, shards []*edgereelv1.ShardRelease) *releaseReport {
	r := &releaseReport{
		Schema: 1, Game: m.GetGame(), Version: m.GetVersion(), Family: m.GetFamily(), Variant: m.GetVariant(), Studio: m.GetStudio(),
		KeyID: m.GetKeyId(), State: m.GetState(), CanaryShareX10000: m.GetCanaryShareX10000(), Module: m.GetModule(), ModuleBytes: m.GetModuleBytes(),
		Envelope: m.GetEnvelope(), ParSheet: m.GetParSheet(), Report: m.GetReport(), RegistrySeq: m.GetRegistrySeq(),
		Modes: []modeReport{}, History: []stepReport{}, Shards: []shardRelease{}, Failures: []string{},
	}
	for _, x := range m.GetModes() {
		r.Modes = append(r.Modes, modeReport{Name: x.GetName(), CostX100: x.GetCostX100(), RTP: x.GetRtp(), MaxWinX: x.GetMaxWinX()})
	}
	for _, h := range m.GetHistory() {
		r.History = append(r.History, stepReport{State: h.GetState(), Person: h.GetPerson(), Reason: h.GetReason(), AtMS: h.GetAtMs(), ShareX10000: h.GetShareX10000()})
	}
	for _, s := range shards {
		r.Shards = append(r.Shards, newShardRelease(s))
	}
	slices.SortFunc(r.Shards, func(a, b shardRelease) int { return int(a.Shard) - int(b.Shard) })
	return r
}

func newShardRelease(s *edgereelv1.ShardRelease) shardRelease {
	r := shardRelease{
		Shard: s.GetShard(), LiveVersion: s.GetLiveVersion(), CanaryVersion: s.GetCanaryVersion(), CanaryShareX10000: s.GetCanaryShareX10000(),
		Enabled: s.GetEnabled(), Quarantined: s.GetQuarantined(), Tallies: []tallyReport{},
	}
	for _, t := range s.GetTallies() {
		r.Tallies = append(r.Tallies, tallyReport{
			Version: t.GetVersion(), Mode: t.GetMode(), Rounds: t.GetRounds(), Incidents: t.GetIncidents(), ReturnX1000000: t.GetReturnX1000000(),
		})
	}
	return r
}

type studioReleases struct {
	reachFlags
	Game string `arg:"" optional:"" help:"Only those of this game." placeholder:"GAME"`
}

// Help is shown by --help.
func (*studioReleases) Help() string {
	return `Examples:
  edgereel studio releases
  edgereel studio releases comet-spins --json | jq -r '.[] | "\(.version) \(.state)"'`
}

// Run lists the releases.
func (l *studioReleases) Run(ctx context.Context, std *streams) error {
	_, s, done, err := l.openStudio(ctx)
	if err != nil {
		return err
	}
	defer done()
	found, err := s.Releases(ctx, l.Game)
	if err != nil {
		return err
	}
	reports := []*releaseReport{}
	for _, m := range found.GetReleases() {
		reports = append(reports, newReleaseReport(m, nil))
	}
	if l.JSON {
		return printJSON(std.out, reports)
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GAME\tVERSION\tSTATE\tSINCE\tBY\tSTUDIO\tMODULE")
	for _, r := range reports {
		last := r.lastStep()
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%.12s\n", r.Game, r.Version, r.stateText(), timeOf(last.AtMS), last.Person, r.Studio, r.Module)
	}
	return table.Flush()
}

type studioRelease struct {
	reachFlags
	Name releaseName `arg:"" name:"release" help:"The release." placeholder:"GAME@VERSION"`
}

// Help is shown by --help.
func (*studioRelease) Help() string {
	return `Shows the documents and the history of a release, which version each shard runs,
and what was counted there.

Examples:
  edgereel studio release comet-spins@1.1.0
  edgereel studio release comet-spins@1.1.0 --json | jq '.shards[] | {shard, live_version, canary_version}'`
}

// Run shows one release.
func (l *studioRelease) Run(ctx context.Context, std *streams) error {
	_, s, done, err := l.openStudio(ctx)
	if err != nil {
		return err
	}
	defer done()
	found, err := s.Release(ctx, l.Name.game, l.Name.version)
	if err != nil {
		return err
	}
	r := newReleaseReport(found.GetRelease(), found.GetShards())
	if l.JSON {
		return printJSON(std.out, r)
	}
	return r.print(std.out)
}

func (r *releaseReport) lastStep() stepReport {
	if len(r.History) == 0 {
		return stepReport{}
	}
	return r.History[len(r.History)-1]
}

// stateText is the state, with the share of a canary.
func (r *releaseReport) stateText() string {
	if r.CanaryShareX10000 > 0 {
		return r.State + " " + Share(r.CanaryShareX10000).String()
	}
	return r.State
}

func (r *releaseReport) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "release\t%s@%s\nstate\t%s\n", r.Game, r.Version, r.stateText())
	if r.Family != "" {
		fmt.Fprintf(table, "family\t%s, variant %s\n", r.Family, r.Variant)
	}
	fmt.Fprintf(table, "studio\t%s, key %s\nmodule\t%s, %d bytes\nreport\t%s\n", r.Studio, r.KeyID, r.Module, r.ModuleBytes, r.Report)
	for _, m := range r.Modes {
		fmt.Fprintf(table, "mode\t%s: cost %d.%02d×, RTP %s, at most %d×\n", m.Name, m.CostX100/100, m.CostX100%100, m.RTP, m.MaxWinX)
	}
	fmt.Fprintln(table, "\nWHEN\tSTATE\tBY\tWHY")
	for _, h := range r.History {
		state := h.State
		if h.ShareX10000 > 0 {
			state += " " + Share(h.ShareX10000).String()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", timeOf(h.AtMS), state, h.Person, h.Reason)
	}
	if len(r.Shards) > 0 {
		fmt.Fprintln(table, "\nSHARD\tLIVE\tCANARY\tTAKES ROUNDS\tROUNDS OF THIS VERSION\tINCIDENTS\tRETURN")
	}
	for _, s := range r.Shards {
		s.print(table, r.Version)
	}
	return table.Flush()
}

func (s *shardRelease) print(table io.Writer, version string) {
	var rounds, incidents, returned uint64
	for _, t := range s.Tallies {
		if t.Version == version {
			rounds, incidents, returned = rounds+t.Rounds, incidents+t.Incidents, returned+t.ReturnX1000000
		}
	}
	canary, takes, rtp := "none", "yes", "none"
	if s.CanaryVersion != "" {
		canary = s.CanaryVersion + " " + Share(s.CanaryShareX10000).String()
	}
	if s.Quarantined {
		canary += ", quarantined"
	}
	if !s.Enabled {
		takes = "no"
	}
	if rounds > 0 {
		rtp = fmt.Sprintf("%.4f", float64(returned)/1e6/float64(rounds))
	}
	live := s.LiveVersion
	if live == "" {
		live = "none"
	}
	fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\t%d\t%s\n", s.Shard, live, canary, takes, rounds, incidents, rtp)
}

// printPushed says what a push came to, and what comes next.
func (r *releaseReport) printPushed(out io.Writer) error {
	name := r.Game + "@" + r.Version
	fmt.Fprintf(out, "%s is %s\nmodule  %s\nreport  %s\n", name, r.State, r.Module, r.Report)
	for _, f := range r.Failures {
		fmt.Fprintf(out, "failed  %s\n", f)
	}
	next := "edgereel studio release " + name
	switch r.State {
	case "checked":
		next = "somebody else reads the report (edgereel studio report " + name + ") and agrees:\n        edgereel studio approve " + name + " --person NAME --reason TEXT"
	case "rejected":
		next = "correct what failed and push again; edgereel studio report " + name + " --html report.html shows all of it"
	}
	_, err := fmt.Fprintf(out, "next    %s\n", next)
	return err
}

func dayOf(ms int64) string {
	if ms == 0 {
		return "at the start"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02")
}

func timeOf(ms int64) string {
	if ms == 0 {
		return "at the start"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05Z")
}
