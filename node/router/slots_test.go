package router_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/edgereel/edgereel/node/router"
	"github.com/edgereel/edgereel/wallet"
)

func shards(ids ...uint32) []router.Shard {
	var all []router.Shard
	for _, id := range ids {
		all = append(all, router.Shard{ID: id, Home: fmt.Sprintf("r%d", id), Voters: []string{"a", "b", "c"}})
	}
	return all
}

// TestSlotMap_Golden holds version 1 of the map: a wallet must be found in the
// shard it was opened in for as long as that version is used.
func TestSlotMap_Golden(t *testing.T) {
	for _, tc := range []struct {
		ids  []uint32
		want string
	}{
		{[]uint32{1}, "1:0-255"},
		{[]uint32{2, 1}, "1:0-127 2:128-255"},
		{[]uint32{3, 1, 2}, "1:0-85 2:86-170 3:171-255"},
		{[]uint32{10, 20, 30, 40, 50}, "10:0-51 20:52-102 30:103-153 40:154-204 50:205-255"},
	} {
		m, err := router.NewSlotMap(shards(tc.ids...))
		if err != nil {
			t.Fatal(err)
		}
		if got := ranges(m); got != tc.want {
			t.Errorf("shards %v own %s, want %s", tc.ids, got, tc.want)
		}
	}
}

// ranges writes down who owns what; a shard with two ranges appears twice.
func ranges(m *router.SlotMap) string {
	var parts []string
	first := 0
	for slot := 1; slot <= wallet.Slots; slot++ {
		if slot == wallet.Slots || m.Of(slot).ID != m.Of(first).ID {
			parts = append(parts, fmt.Sprintf("%d:%d-%d", m.Of(first).ID, first, slot-1))
			first = slot
		}
	}
	return strings.Join(parts, " ")
}

func TestSlotMap_HomeIsWhatTheShardsOfARegionOwn(t *testing.T) {
	all := shards(1, 2, 3)
	all[2].Home = "r1"
	m, err := router.NewSlotMap(all)
	if err != nil {
		t.Fatal(err)
	}
	home := m.Home("r1")
	if len(home) != 86+85 {
		t.Errorf("region r1 is home to %d slots", len(home))
	}
	for _, slot := range home {
		if m.Of(slot).Home != "r1" {
			t.Errorf("slot %d is at home in %s", slot, m.Of(slot).Home)
		}
	}
	if got := m.Home("nowhere"); got != nil {
		t.Errorf("a region without a shard has slots %v", got)
	}
}

func TestSlotMap_RefusesWhatCannotBeSpread(t *testing.T) {
	var many []uint32
	for i := range wallet.Slots + 1 {
		many = append(many, uint32(i+1))
	}
	for _, ids := range [][]uint32{nil, many} {
		if _, err := router.NewSlotMap(shards(ids...)); err == nil {
			t.Errorf("%d shards got a map", len(ids))
		}
	}
}
