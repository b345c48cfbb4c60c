package wallet_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/wallet"
)

// TestHistories replays testdata/histories/*.txt: a line that begins with ">"
// is a command, the lines below it say what came of it. -update writes them.
// Words of a command: a wallet is its number; key=value parts are optional.
func TestHistories(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*.txt")
	if err != nil || len(files) < 4 {
		t.Fatalf("histories %v, %v", files, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(text))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("the history ends otherwise now:\n%s", firstDifference(string(text), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

func replay(t *testing.T, text string) string {
	h := &history{world: newWorld(t)}
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		command, ok := strings.CutPrefix(line, "> ")
		if !ok {
			if strings.HasPrefix(line, "#") || line == "" {
				out.WriteString(line + "\n")
			}
			continue
		}
		out.WriteString(line + "\n")
		for _, l := range h.run(command) {
			out.WriteString("  " + l + "\n")
		}
	}
	return out.String()
}

type history struct {
	*world
	wallets []wallet.ID
	// kept is an operation prepared by "prepare" and applied by "late".
	kept wallet.Op
}

func (h *history) run(command string) []string {
	words, options := parts(command)
	switch words[0] {
	case "restart":
		h.s = restored(h.t, h.s)
		return []string{fmt.Sprintf("seq=%d", h.s.Head().Seq)}
	case "pass":
		ms, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			h.t.Fatalf("%s: %v", command, err)
		}
		h.pass(ms)
		return nil
	case "prepare":
		h.kept = h.op(words[1:], options)
		return nil
	case "late":
		return h.show(h.apply(h.kept)[0])
	}
	op := h.op(words, options)
	return h.show(h.apply(op)[0])
}

func parts(command string) (words []string, options map[string]string) {
	options = map[string]string{}
	for word := range strings.FieldsSeq(command) {
		if key, value, ok := strings.Cut(word, "="); ok {
			options[key] = value
			continue
		}
		words = append(words, word)
	}
	return words, options
}

func (h *history) number(words []string, i int) int64 {
	if i >= len(words) {
		h.t.Fatalf("%v: word %d is missing", words, i)
	}
	n, err := strconv.ParseInt(words[i], 10, 64)
	if err != nil {
		h.t.Fatalf("%v: %v", words, err)
	}
	return n
}

func (h *history) op(words []string, options map[string]string) wallet.Op {
	if words[0] == "game" {
		c := catalogue(words[1], wallet.Hash{byte(h.number(words, 2))})
		c.Enabled, c.Reason = options["off"] == "", options["reason"]
		return c
	}
	id := walletID(byte(h.number(words, 1)))
	session := func() (uint64, uint64) { return uint64(h.number(words, 2)), uint64(h.number(words, 3)) }
	switch words[0] {
	case "open":
		h.wallets = append(h.wallets, id)
		return &wallet.OpenWallet{Operator: operator, Currency: words[2], Wallet: id}
	case "deposit":
		return deposit(id, words[2], h.number(words, 3))
	case "withdraw":
		return withdraw(id, words[2], h.number(words, 3))
	case "reverse":
		return reverse(id, words[2], words[3])
	case "session":
		return h.sessionOp(id, words[2], words[3])
	case "close":
		return closing(id, uint64(h.number(words, 2)))
	case "resolve":
		how := wallet.Refund
		if words[4] == "pay" {
			how = wallet.PayWinSoFar
		}
		return resolve(id, uint64(h.number(words, 2)), words[3], how)
	case "read":
		return &wallet.Read{Wallet: id}
	case "play", "incident":
		number, step := session()
		req := wallet.PlayRequest{Wallet: id, Session: number, Step: step, Mode: options["mode"]}
		req.StakeMinor = h.option(options, "stake")
		req.Action = uint32(h.option(options, "action"))
		if words[0] == "incident" {
			return h.incident(req)
		}
		state, err := hex.DecodeString(options["state"])
		if err != nil {
			h.t.Fatalf("%v: %v", words, err)
		}
		return h.play(req, outcome{win: h.option(options, "win"), state: state, next: uint32(h.option(options, "next"))})
	}
	h.t.Fatalf("unknown command %v", words)
	return nil
}

func (h *history) option(options map[string]string, key string) int64 {
	if options[key] == "" {
		return 0
	}
	n, err := strconv.ParseInt(options[key], 10, 64)
	if err != nil {
		h.t.Fatalf("%s: %v", key, err)
	}
	return n
}

// show gives the result of a command and the balances after it.
func (h *history) show(r wallet.Result) []string {
	line := r.Effect.String()
	if r.Repeat {
		line += " repeat"
	}
	if r.Effect != wallet.Applied {
		line += " " + string(r.Code) + ": " + r.Detail
	} else {
		line += fmt.Sprintf(" seq=%d wallet_seq=%d", r.Seq, r.WalletSeq)
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"cost", r.CostMinor},
		{"win", r.WinMinor},
		{"round_win", r.RoundWinMinor},
		{"session", int64(r.Session)},
		{"round", int64(r.Round)},
		{"step", int64(r.Step)},
		{"nonce", int64(r.Nonce)},
		{"shortfall", r.ShortfallMinor},
	} {
		if f.value != 0 {
			line += fmt.Sprintf(" %s=%d", f.name, f.value)
		}
	}
	for _, mark := range []struct {
		name string
		set  bool
	}{{"tombstone", r.Tombstone}, {"resolved", r.Resolved}, {"incident", r.Incident != ""}, {"round_open", r.RoundOpen}} {
		if mark.set {
			line += " " + mark.name
		}
	}
	lines := []string{line}
	for _, id := range h.wallets {
		if v, ok := h.s.View(id); ok {
			lines = append(lines, fmt.Sprintf("wallet %d: %d %s, held %d", id[0], v.BalanceMinor, v.Currency.Code, v.HeldMinor))
		}
	}
	return lines
}
