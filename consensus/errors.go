package consensus

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/wallet"
)

// Codes of errors that come from a shard's group rather than from its ledger.
const (
	CodeNotLeader   wallet.Code = "not_leader"
	CodeOverloaded  wallet.Code = "overloaded"
	CodeDraining    wallet.Code = "draining"
	CodeNotReady    wallet.Code = "not_ready"
	CodeUnresolved  wallet.Code = "unresolved"
	CodeDeadline    wallet.Code = "deadline"
	CodeUnavailable wallet.Code = "unavailable"
)

// Error is why a group did not answer with a result. Its Effect is exact: only
// an entry that surely never reached the log is "not applied".
type Error struct {
	Effect wallet.Effect
	Code   wallet.Code
	// Leader is the node to ask instead, where this one knows it.
	Leader string
	Err    error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", e.Effect, e.Code)
	}
	return fmt.Sprintf("%s: %s: %v", e.Effect, e.Code, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// proposalError sorts the errors of raft's Apply by their effect. Whatever may
// have been appended to a log somewhere is unknown.
func proposalError(err error, leader string) *Error {
	e := &Error{Effect: wallet.Unknown, Code: CodeUnresolved, Leader: leader, Err: err}
	switch {
	case errors.Is(err, raft.ErrNotLeader):
		e.Effect, e.Code = wallet.NotAppliedRetryable, CodeNotLeader
	case errors.Is(err, raft.ErrLeadershipTransferInProgress):
		e.Effect, e.Code = wallet.NotAppliedRetryable, CodeDraining
	case errors.Is(err, raft.ErrEnqueueTimeout):
		e.Effect, e.Code = wallet.NotAppliedRetryable, CodeOverloaded
	}
	return e
}
