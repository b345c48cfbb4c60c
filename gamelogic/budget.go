package gamelogic

import "github.com/edgereel/edgereel/gamelogic/meter"

// Budget is what this host holds a module's steps to: the version of the
// rewriting that makes it pay, and the fuel of a step. Which steps end as
// exhausted depends on both, so a round is replayed under the budget it was
// played with.
func (m *Module) Budget() (meterVersion uint16, fuelPerStep uint64) {
	return meter.Version, uint64(m.fuelPerStep)
}
