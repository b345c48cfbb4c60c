package client_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/client"
)

var regions = []client.Node{
	{Name: "eu", Region: "eu-west", Address: "eu:1"},
	{Name: "us", Region: "us-east", Address: "us:1"},
	{Name: "ap", Region: "ap-south", Address: "ap:1"},
}

// inBubble runs a test against three scripted nodes in virtual time; eu is the
// nearest, then us.
func inBubble(t *testing.T, script func(*seen) action, test func(t *testing.T, c *client.Client, b *bank, w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBank(script)
		w := &wire{
			handlers: map[string]http.Handler{}, down: map[string]bool{},
			rtt: map[string]time.Duration{"eu:1": 5 * time.Millisecond, "us:1": 40 * time.Millisecond, "ap:1": 90 * time.Millisecond},
		}
		for _, n := range regions {
			w.handlers[n.Address] = (&branch{bank: b, node: n.Name}).handler()
		}
		c, err := client.New(t.Context(), client.Config{Nodes: regions, HTTP: w})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		test(t, c, b, w)
	})
}

// anyCode is for calls whose last attempt is ended by the node's clock or by
// the client's, whichever comes first.
const anyCode = "any"

func step(number uint64) *edgereelv1.PlayRequest {
	return &edgereelv1.PlayRequest{Session: "w-1", Step: number, Mode: "base", StakeMinor: 100}
}

// sameAttempts fails unless all attempts carried the same key, body and token.
func sameAttempts(t *testing.T, attempts []seen, want int) {
	t.Helper()
	if len(attempts) != want {
		t.Fatalf("%d attempts, want %d: %+v", len(attempts), want, attempts)
	}
	for _, attempt := range attempts {
		if attempt.key != attempts[0].key || attempt.body != attempts[0].body || attempt.token != attempts[0].token {
			t.Errorf("attempt %d differs from the first: %+v, %+v", attempt.number, attempt, attempts[0])
		}
	}
}

func nodesOf(attempts []seen) []string {
	var nodes []string
	for _, attempt := range attempts {
		nodes = append(nodes, attempt.node)
	}
	return nodes
}

func TestPlay_SilentNodes(t *testing.T) {
	for name, applied := range map[string]bool{"lost request": false, "lost answer": true} {
		t.Run(name, func(t *testing.T) {
			script := func(s *seen) action {
				if s.number <= 2 {
					return action{silent: true, applied: applied}
				}
				return action{applied: true}
			}
			inBubble(t, script, func(t *testing.T, c *client.Client, b *bank, _ *wire) {
				player := c.Player("token", "w")
				played, err := player.Play(t.Context(), step(1))
				if err != nil {
					t.Fatal(err)
				}
				attempts := b.attempts("play")
				sameAttempts(t, attempts, 3)
				if got := nodesOf(attempts); !slices.Equal(got, []string{"eu", "us", "ap"}) {
					t.Errorf("asked %v", got)
				}
				if balance, seq := b.money(); balance != 99_900 || seq != 2 || played.GetBalanceMinor() != 99_900 {
					t.Errorf("balance %d at %d, answer %v: the step must count once", balance, seq, played)
				}
				if stats := player.Stats(); stats.Failovers != 2 || stats.Attempts != 3 || stats.Calls != 1 {
					t.Errorf("stats %+v", stats)
				}
			})
		})
	}
}

// TestPlay_RefusedAfterUnknown is PROTOCOL 10: an attempt of unknown effect may
// commit after another one was refused.
func TestPlay_RefusedAfterUnknown(t *testing.T) {
	notApplied := edgereelv1.Effect_EFFECT_NOT_APPLIED
	tests := map[string]struct {
		script   func(*seen) action
		effect   client.Effect
		code     string
		attempts int // 0 is many
	}{
		"refused first": {
			func(*seen) action { return action{err: refusal(notApplied, "insufficient_funds")} },
			client.NotApplied, "insufficient_funds", 1,
		},
		"refused after silence": {
			func(s *seen) action {
				if s.number == 1 {
					return action{silent: true}
				}
				return action{err: refusal(notApplied, "insufficient_funds")}
			},
			client.Unknown, "insufficient_funds", 0,
		},
		"refused after an unknown answer": {
			func(s *seen) action {
				if s.number == 1 {
					return action{err: refusal(edgereelv1.Effect_EFFECT_UNKNOWN, "leader_lost")}
				}
				return action{err: refusal(notApplied, "insufficient_funds")}
			},
			client.Unknown, "insufficient_funds", 0,
		},
		"refused, then the late copy commits": {
			func(s *seen) action {
				switch {
				case s.number == 1:
					return action{silent: true}
				case s.number < 5:
					return action{err: refusal(notApplied, "insufficient_funds")}
				}
				return action{applied: true}
			},
			client.Applied, "", 5,
		},
		"tombstone after silence": {
			func(s *seen) action {
				if s.number == 1 {
					return action{silent: true}
				}
				return action{err: refusal(notApplied, "reversed")}
			},
			client.NotApplied, "reversed", 2,
		},
		"retryable, then refused": {
			func(s *seen) action {
				if s.number < 3 {
					return action{err: refusal(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "no_leader")}
				}
				return action{err: refusal(notApplied, "bad_stake")}
			},
			client.NotApplied, "bad_stake", 3,
		},
		"never a leader": {
			func(*seen) action {
				return action{err: refusal(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "no_leader")}
			},
			client.NotAppliedRetryable, "no_leader", 0,
		},
		"error without a detail": {
			func(*seen) action { return action{err: errors.New("a bug")} },
			client.Unknown, "internal", 0,
		},
		"nobody answers": {
			func(*seen) action { return action{silent: true} },
			client.Unknown, anyCode, 0,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, test.script, func(t *testing.T, c *client.Client, b *bank, _ *wire) {
				_, err := c.Player("token", "w").Play(t.Context(), step(1))
				if client.EffectOf(err) != test.effect || client.CodeOf(err) != test.code && test.code != anyCode {
					t.Errorf("%v: want %s %s", err, test.effect, test.code)
				}
				attempts := b.attempts("play")
				want := test.attempts
				if want == 0 {
					if want = len(attempts); want < 5 {
						t.Errorf("%d attempts: the call must go on until its budget ends", want)
					}
				}
				sameAttempts(t, attempts, want)
			})
		})
	}
}

func TestPlay_AsksAnotherNodeWhenOneKeepsRefusing(t *testing.T) {
	script := func(s *seen) action {
		if s.node == "eu" {
			return action{err: refusal(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, "no_leader")}
		}
		return action{applied: true}
	}
	inBubble(t, script, func(t *testing.T, c *client.Client, b *bank, _ *wire) {
		if _, err := c.Player("token", "w").Play(t.Context(), step(1)); err != nil {
			t.Fatal(err)
		}
		if got := nodesOf(b.attempts("play")); !slices.Equal(got, []string{"eu", "eu", "eu", "us"}) {
			t.Errorf("asked %v", got)
		}
	})
}

func TestPlay_AlreadyDecidedIsLookedUp(t *testing.T) {
	decided := false
	script := func(*seen) action {
		if decided {
			return action{err: refusal(edgereelv1.Effect_EFFECT_UNKNOWN, "already_decided")}
		}
		decided = true
		return action{applied: true}
	}
	inBubble(t, script, func(t *testing.T, c *client.Client, b *bank, _ *wire) {
		player := c.Player("token", "w")
		first, err := player.Play(t.Context(), step(1))
		if err != nil {
			t.Fatal(err)
		}
		again, err := player.Play(t.Context(), step(1))
		if err != nil {
			t.Fatal(err)
		}
		if again.GetBalanceMinor() != first.GetBalanceMinor() || len(b.attempts("look_up_step")) != 1 {
			t.Errorf("first %v, looked up %v", first, again)
		}
	})
}

func TestGetWallet_IsNeverUnknown(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *client.Client, _ *bank, w *wire) {
		for _, n := range regions {
			w.kill(n.Address)
		}
		_, err := c.Player("token", "w").GetWallet(t.Context(), false)
		if client.EffectOf(err) != client.NotAppliedRetryable {
			t.Errorf("a read that nobody answered: %v", err)
		}
	})
}

func TestPlay_CanceledBeforeAnyAttempt(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *client.Client, b *bank, _ *wire) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := c.Player("token", "w").Play(ctx, step(1))
		if client.EffectOf(err) != client.NotAppliedRetryable || len(b.attempts("play")) != 0 {
			t.Errorf("nothing was sent, yet: %v", err)
		}
	})
}

func TestPlayer_StaysDuringARoundAndReturnsAfterwards(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *client.Client, b *bank, w *wire) {
		player := c.Player("token", "w")
		if _, err := player.Play(t.Context(), step(1)); err != nil {
			t.Fatal(err)
		}
		w.kill("eu:1")
		if _, err := player.Play(t.Context(), step(2)); err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		delete(w.down, "eu:1")
		w.mu.Unlock()
		// The next ranking is due after 2 s of suspicion at the latest; it makes
		// the nearest node the first again.
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		if _, err := player.Play(t.Context(), step(3)); err != nil {
			t.Fatal(err)
		}
		if got := nodesOf(b.attempts("play")); !slices.Equal(got, []string{"eu", "us", "eu"}) {
			t.Errorf("asked %v", got)
		}
	})
}

func TestNode_NeverAsksAnother(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *client.Client, _ *bank, w *wire) {
		ap, err := c.Node("ap", "token")
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		err = ap.ReadJournal(t.Context(), 1, 3, 5, func(entry *edgereelv1.JournalEntry) error {
			if string(entry.GetLeaf()) != "ap" {
				t.Errorf("entry from %s", entry.GetLeaf())
			}
			got = append(got, entry.GetShardSeq())
			return nil
		})
		if err != nil || !slices.Equal(got, []uint64{3, 4, 5}) {
			t.Errorf("read %v, %v", got, err)
		}
		w.kill("ap:1")
		if _, err := ap.GetShards(t.Context()); client.EffectOf(err) != client.NotAppliedRetryable {
			t.Errorf("a dead node answered: %v", err)
		}
		if ap.Stats().Failovers != 0 {
			t.Error("a call to one node moved to another")
		}
		if _, err := c.Node("nowhere", "token"); client.CodeOf(err) != client.CodeNoNode {
			t.Errorf("unknown node: %v", err)
		}
	})
}
