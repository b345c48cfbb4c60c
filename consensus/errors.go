package consensus

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/edgereel/edgereel/wallet"
)

// Codes of errors that come from a shard's group rather than from its ledger.
const (
	CodeNotLeader  wallet.Code = "not_leader"
	CodeOverloaded wallet.Code = "overloaded"
	CodeDraining   wallet.Code = "draining"
	CodeNotReady   wallet.Code = "not_ready"
	CodeUnresolved wallet.Code = "unresolved"
	CodeDeadline   wallet.Code = "deadline"
	// CodeUnavailable: this replica has stopped; ask another.
	CodeUnavailable wallet.Code = "unavailable"
	// CodeInternal: preparing the request met a fault of this program.
	CodeInternal wallet.Code = "internal"
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
// have been appended to a log somewhere is unknown. Three are exact in raft
// v1.8.0: ErrNotLeader and ErrLeadershipTransferInProgress are answered instead
// of appending, ErrEnqueueTimeout by Apply itself before it handed the entry
// over. ErrRaftShutdown is not: it also answers entries that are committed.
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

// attemptError gives an error of Prepare its effect: nothing was proposed.
func attemptError(err error) error {
	var refusal *wallet.Refusal
	var own *Error
	if errors.As(err, &refusal) || errors.As(err, &own) {
		return err
	}
	code := CodeInternal
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		code = CodeDeadline
	}
	return &Error{Effect: wallet.NotAppliedRetryable, Code: code, Err: err}
}

// worthAgain says whether newer state may turn a refusal around: shard time
// stands still between entries, and an operation may meet another of its entry.
func worthAgain(err error) bool {
	var refusal *wallet.Refusal
	return errors.As(err, &refusal) && refusal.Effect == wallet.NotAppliedRetryable
}
