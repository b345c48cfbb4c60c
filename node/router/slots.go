package router

import (
	"fmt"
	"slices"

	"github.com/edgereel/edgereel/wallet"
)

// SlotMapVersion numbers the way slots are assigned to shards.
const SlotMapVersion = 1

// Shard is one wallet shard as routing knows it.
type Shard struct {
	ID uint32
	// Home is the region whose voter leads when it is healthy.
	Home   string
	Voters []string
}

// SlotMap assigns every slot of the wallet space to a shard. Version 1 gives
// each shard an equal, contiguous share in order of shard number.
type SlotMap struct {
	shards []Shard
	owner  [wallet.Slots]int
}

// NewSlotMap spreads the slots over the shards.
func NewSlotMap(shards []Shard) (*SlotMap, error) {
	if len(shards) == 0 || len(shards) > wallet.Slots {
		return nil, fmt.Errorf("slot map: %d shards do not fit %d slots", len(shards), wallet.Slots)
	}
	m := &SlotMap{shards: slices.SortedFunc(slices.Values(shards), func(a, b Shard) int { return int(a.ID) - int(b.ID) })}
	for slot := range m.owner {
		m.owner[slot] = slot * len(shards) / wallet.Slots
	}
	return m, nil
}

// Shards lists the shards in order of number.
func (m *SlotMap) Shards() []Shard { return slices.Clone(m.shards) }

// Of gives the shard of a slot.
func (m *SlotMap) Of(slot int) Shard { return m.shards[m.owner[slot%wallet.Slots]] }

// Home gives the slots of the shards at home in a region, none for a region
// without a shard.
func (m *SlotMap) Home(region string) []int {
	var slots []int
	for slot, i := range m.owner {
		if m.shards[i].Home == region {
			slots = append(slots, slot)
		}
	}
	return slots
}
