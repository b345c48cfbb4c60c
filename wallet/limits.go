package wallet

import (
	"bytes"
	"fmt"
)

// Limits of what one shard holds. They are part of the state machine's
// behaviour: changing one needs a new Version.
const (
	maxSessions      = 8
	maxModes         = 64
	maxRoundState    = 4096
	maxPresentation  = 16 << 10
	maxStateBudget   = 64 << 20
	maxKeyBytes      = 64
	maxNameBytes     = 64
	maxOriginBytes   = 256
	retainedResults  = 4
	retainedSessions = 4
	sessionRounds    = 10_000
	sessionAgeMS     = 24 * 60 * 60 * 1000
	maxCycleMS       = 24 * 60 * 60 * 1000
	clockSlackMS     = 250
	cashRetentionMS  = 124 * 24 * 60 * 60 * 1000
	keptCheckpoints  = 256
	// maxTimeMS is the end of the year 9999.
	maxTimeMS = 253_402_300_799_999
)

func validName(name string) bool { return name != "" && len(name) <= maxNameBytes }

// keyed says whether an operation looks up its key before anything else; such
// an operation checks its origin after that.
func keyed(k Kind) bool {
	switch k {
	case KindClaim, KindDeposit, KindWithdraw, KindReverse, KindOpenSession, KindPlay, KindIncident, KindCloseSession, KindResolve:
		return true
	default:
		return false
	}
}

// checkOrigin bounds what an operation says about where it came from.
func (m *Meta) checkOrigin() error {
	if len(m.Actor) > maxOriginBytes || len(m.Reason) > maxOriginBytes {
		return refuse(CodeInvalid, "actor and reason have at most %d bytes each", maxOriginBytes)
	}
	return nil
}

// CheckOp says why an operation must not be put into an entry at all: Apply
// would not refuse it but stop every replica, because its bytes are over the
// codec's limits or it asks for a version this build does not have.
func CheckOp(op Op) error {
	if a, ok := op.(*Activate); ok && a.Version > Version {
		return refuse(CodeUnsupportedVersion, "this build knows versions up to %d", Version)
	}
	b := EncodeOp(op)
	if len(b) > maxBytes {
		return refuse(CodeInvalid, "an operation has at most %d bytes", maxBytes)
	}
	back, err := DecodeOp(b)
	if err != nil {
		return refuse(CodeInvalid, "the operation cannot be read back: %v", err)
	}
	if !bytes.Equal(EncodeOp(back), b) {
		return fmt.Errorf("check operation %s: encoding is not canonical", op.Kind())
	}
	return nil
}
