package gamelogic

// Script supplies the draws of an enumeration: scripted draws, step after
// step, without an allocation for each. One goroutine.
type Script struct{ d Draws }

// NewScript makes a Script that has no values yet.
func NewScript() *Script { return &Script{} }

// Step returns draws that give the listed values in order, as those of
// NewScriptedDraws do. What an earlier call returned is no longer valid, and
// values must not change before the step is played.
func (x *Script) Step(values []uint32) *Draws {
	x.d.script = script{values: values}
	x.d.log = x.d.log[:0]
	x.d.used = false
	return &x.d
}
