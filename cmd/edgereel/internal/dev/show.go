package dev

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// show prints one change.
func (c *cluster) show(node, format string, args ...any) {
	fmt.Fprintf(c.o.Out, "%s  %-11s %s\n", time.Now().Format("15:04:05"), node, fmt.Sprintf(format, args...))
}

// showMore prints a line that belongs to the one before.
func (c *cluster) showMore(format string, args ...any) {
	fmt.Fprintf(c.o.Out, "%22s%s\n", "", fmt.Sprintf(format, args...))
}

// showGuide says where everything is and what to try.
func (c *cluster) showGuide(took time.Duration) {
	game := "GAME"
	if len(c.games) > 0 {
		game = c.games[0]
	}
	w := c.o.Out
	fmt.Fprintf(w, "Three regions are up after %.1f s, in %s\n\n", took.Seconds(), c.l.dir)
	fmt.Fprintf(w, "  %-11s %-9s %-8s %-16s %s\n", "node", "region", "pid", "api", "admin")
	for i, s := range sites {
		fmt.Fprintf(w, "  %-11s %-9s %-8d %-16s %s\n", s.node, s.region, c.nodes[i].pid, c.l.public(i), c.l.admin(i))
	}
	fmt.Fprintf(w, "\n  cluster file  %s\n  logs          %s/nodes/*/node.log\n", c.l.clusterFile(), c.l.dir)
	var players []string
	for _, p := range c.file.Players {
		players = append(players, p.Player)
	}
	fmt.Fprintf(w, "  players       %s, funded once with %d.%02d %s each\n", strings.Join(players, ", "), fundingMinor/100, fundingMinor%100, currency)
	if len(c.games) > 0 {
		fmt.Fprintf(w, "  games         %s\n", strings.Join(c.games, ", "))
	}
	fmt.Fprintf(w, "\nTry next, in a second terminal:\n\n  %s play --game %s --rounds 200\n", c.self(), game)
	fmt.Fprintf(w, "  kill -9 %d    # lose %s meanwhile\n", c.nodes[0].pid, sites[0].region)
	fmt.Fprintf(w, "  %s ledger verify\n", c.self())
	fmt.Fprintf(w, "  curl --cacert %s -H 'Content-Type: application/json' -H 'Authorization: Bearer %s' -d '{}' https://%s/edgereel.v1.PlayerService/ListGames\n",
		c.l.caFile(), c.file.Players[1].Token, c.l.public(1))
	fmt.Fprintf(w, "  curl http://%s/metrics\n\nCtrl-C ends all of it.\n\n", c.l.admin(1))
}

// compareLeads shows shards that have a new leader.
func (c *cluster) compareLeads(seen look) {
	for i, s := range sites {
		n := &c.nodes[i]
		leads := seen.leads[s.node]
		if !n.up || slices.Equal(leads, n.leads) {
			continue
		}
		gained := slices.ContainsFunc(leads, func(shard uint32) bool { return !slices.Contains(n.leads, shard) })
		n.leads = leads
		if gained {
			c.show(s.node, "leads %s", shardList(leads))
		}
	}
}

func shardList(shards []uint32) string {
	words := make([]string, len(shards))
	for i, shard := range shards {
		words[i] = fmt.Sprint(shard)
	}
	if len(words) == 1 {
		return "shard " + words[0]
	}
	return "shards " + strings.Join(words, ", ")
}
