//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/edgereel/edgereel/chaos/history"
)

// playing is an `edgereel play` that runs, and its history so far.
type playing struct {
	*process
	t       *testing.T
	history string
	read    int64
	records []history.Record
}

// played is what play reports.
type played struct {
	Rounds       uint64  `json:"rounds"`
	Steps        uint64  `json:"steps"`
	Acknowledged uint64  `json:"acknowledged"`
	Refused      uint64  `json:"refused"`
	Unknown      uint64  `json:"unknown"`
	P50MS        float64 `json:"p50_ms"`
	P99MS        float64 `json:"p99_ms"`
	Failovers    uint64  `json:"failovers"`
	LongestGapMS float64 `json:"longest_gap_ms"`
}

// play starts a play in the background.
func (c *cluster) play(rounds, players int, flags ...string) *playing {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), "h.jsonl")
	args := []string{
		"play", "--cluster", filepath.Join(c.dir, "cluster.json"), "--game", "comet-spins", "--json", "--history", path,
		"--rounds", strconv.Itoa(rounds), "--players", strconv.Itoa(players),
	}
	return &playing{process: launch(c.t, c.command(append(args, flags...)...), syscall.SIGINT), t: c.t, history: path}
}

// look reads what was added to the history, whole lines only.
func (p *playing) look() []history.Record {
	p.t.Helper()
	file, err := os.Open(p.history)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		p.t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Seek(p.read, 0); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return p.records // the rest of the line is still to come
		}
		p.read += int64(len(line))
		var r history.Record
		if err := json.NewDecoder(bytes.NewReader(line)).Decode(&r); err != nil {
			p.t.Fatalf("history: %v in %q", err, line)
		}
		p.records = append(p.records, r)
	}
}

// awaitSteps waits until count steps have been acknowledged that were begun
// after since, for every player.
func (p *playing) awaitSteps(players, count int, since time.Time) {
	p.t.Helper()
	steps := map[string]int{}
	seen := len(p.look())
	for ; seen > 0 && p.records[seen-1].ReturnNS > since.UnixNano(); seen-- {
	}
	p.wait(func() string { return fmt.Sprintf("steps of %d players since %s: %v", players, since, steps) }, func() bool {
		for p.look(); seen < len(p.records); seen++ {
			if r := p.records[seen]; r.Kind == history.KindPlay && r.Effect == history.Applied && r.CallNS > since.UnixNano() {
				steps[r.Wallet]++
			}
		}
		enough := 0
		for _, n := range steps {
			if n >= count {
				enough++
			}
		}
		return enough >= players
	})
}

// wait is eventually for something that needs the play to go on.
func (p *playing) wait(what func() string, condition func() bool) {
	p.t.Helper()
	eventually(p.t, time.Minute, what, func() bool {
		if condition() {
			return true
		}
		if p.ended() {
			p.t.Fatalf("play ended before %s\n%s%s", what(), p.stdout.String(), p.stderr.String())
		}
		return false
	})
}

// finish waits for the end of the play and checks that nothing stayed unknown
// and nothing was refused, but the stake of a wallet that was empty: play then
// pays in and goes on.
func (p *playing) finish(code int) played {
	p.t.Helper()
	if !p.await(2 * time.Minute) {
		p.t.Fatalf("play does not end: %s", p.stderr.String())
	}
	if p.code() != code {
		p.t.Fatalf("play ends with code %d\n%s%s", p.code(), p.stdout.String(), p.stderr.String())
	}
	var report played
	if err := json.Unmarshal([]byte(p.stdout.String()), &report); err != nil {
		p.t.Fatalf("%v in %q", err, p.stdout.String())
	}
	operations, empty := p.count()
	if report.Refused != empty || report.Unknown != 0 || report.Acknowledged+empty != operations || operations == 0 {
		p.t.Errorf("of %d operations, %d on an empty wallet: %+v", operations, empty, report)
	}
	p.t.Logf("play: %s", bytes.TrimSpace([]byte(p.stdout.String())))
	return report
}

// count gives the operations of the history, and how many of them were rightly
// refused: the wallet's last acknowledged balance did not pay for the stake.
func (p *playing) count() (operations, empty uint64) {
	balances := map[string]int64{}
	for _, r := range p.look() {
		if !r.Mutating() {
			continue
		}
		operations++
		balance, known := balances[r.Wallet]
		switch {
		case r.Effect == history.Applied:
			balances[r.Wallet] = r.BalanceMinor
		case r.Code == "insufficient_funds" && known && balance < r.StakeMinor:
			empty++
		}
	}
	return operations, empty
}

// verdict is what `ledger verify --json` answers.
type verdict struct {
	OK     bool `json:"ok"`
	Shards []struct {
		Shard     uint32 `json:"shard"`
		ShardSeq  uint64 `json:"shard_seq"`
		HashEqual bool   `json:"hash_equal"`
		SumMinor  int64  `json:"sum_minor"`
		Replicas  int    `json:"replicas"`
	} `json:"shards"`
	Acknowledged       int               `json:"acknowledged"`
	Missing            int               `json:"missing"`
	Duplicated         int               `json:"duplicated"`
	Mismatched         int               `json:"mismatched"`
	ReplayMismatch     int               `json:"replay_mismatch"`
	ConflictingResults int               `json:"conflicting_results"`
	Unrevealed         int               `json:"unrevealed"`
	Replayed           int               `json:"replayed"`
	Other              int               `json:"other"`
	Problems           []json.RawMessage `json:"problems"`
}

// verify checks the ledger of three replicas against a finished play.
func (c *cluster) verify(p *playing, report played) verdict {
	c.t.Helper()
	r := c.run("ledger", "verify", "--history", p.history, "--json")
	var v verdict
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil || r.code != 0 {
		c.t.Fatalf("ledger verify: exit code %d, %v\n%s%s", r.code, err, r.stdout, r.stderr)
	}
	if !v.OK || v.Missing+v.Duplicated+v.Mismatched+v.ReplayMismatch+v.ConflictingResults+v.Other != 0 {
		c.t.Errorf("the ledger is wrong: %s", r.stdout)
	}
	if uint64(v.Acknowledged) != report.Acknowledged || uint64(v.Replayed) < report.Steps {
		c.t.Errorf("verified %d operations and %d steps, played %+v", v.Acknowledged, v.Replayed, report)
	}
	if len(v.Shards) != 3 {
		c.t.Errorf("%d shards", len(v.Shards))
	}
	for _, s := range v.Shards {
		if s.Replicas != 3 || !s.HashEqual || s.SumMinor != 0 || s.ShardSeq == 0 {
			c.t.Errorf("shard %+v", s)
		}
	}
	return v
}

// shardsOf are the shards a play has used.
func (p *playing) shardsOf() map[uint32]bool {
	shards := map[uint32]bool{}
	for _, r := range p.look() {
		if r.Effect == history.Applied && r.Shard != 0 {
			shards[r.Shard] = true
		}
	}
	return shards
}
