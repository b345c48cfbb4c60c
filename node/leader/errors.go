package leader

import (
	"errors"
	"fmt"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/consensus"
	"github.com/edgereel/edgereel/wallet"
)

// Codes of calls that are only answered where their key is decided.
const (
	CodeTokenExpired wallet.Code = "token_expired"
	CodeRateLimited  wallet.Code = "rate_limited"
)

// codeUnknownStep is for a step no journal entry decided.
const codeUnknownStep wallet.Code = "unknown_step"

// refuse builds a final refusal outside the ledger.
func refuse(code wallet.Code, format string, args ...any) *wallet.Refusal {
	return &wallet.Refusal{Effect: wallet.NotApplied, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// APIError gives any error of this package its form on the wire.
func APIError(err error) error {
	var refusal *wallet.Refusal
	var group *consensus.Error
	switch {
	case errors.As(err, &refusal):
		detail := &edgereelv1.ErrorDetail{Effect: effect(refusal.Effect), Code: string(refusal.Code), Hint: hint(refusal.Code)}
		if refusal.Effect == wallet.NotAppliedRetryable {
			detail.RetryAfterMs = 20
		}
		return api.DetailedError(detail, status(refusal), "%s", refusal.Detail)
	case errors.As(err, &group):
		detail := &edgereelv1.ErrorDetail{Effect: effect(group.Effect), Code: string(group.Code), Hint: hint(group.Code)}
		if group.Effect == wallet.NotAppliedRetryable {
			detail.RetryAfterMs = 50
		}
		if group.Code == consensus.CodeInternal {
			return api.DetailedError(detail, connect.CodeInternal, "the shard could not prepare the request")
		}
		err := api.DetailedError(detail, connect.CodeUnavailable, "the shard did not answer: %w", reason(group))
		return &redirected{error: err, leader: group.Leader}
	}
	// Package api gives an error that nobody wrote for a caller its effect,
	// unknown, and keeps its text on this side.
	return err
}

// redirected is an error of a group with the leader to ask instead.
type redirected struct {
	error
	leader string
}

func (r *redirected) Unwrap() error { return r.error }

func reason(e *consensus.Error) error {
	if e.Err == nil {
		return errors.New("it has another leader or none")
	}
	return e.Err
}

// Leader gives the leader an error points to, "" for none.
func Leader(err error) string {
	var r *redirected
	if errors.As(err, &r) {
		return r.leader
	}
	return ""
}

func effect(e wallet.Effect) edgereelv1.Effect {
	switch e {
	case wallet.NotApplied:
		return edgereelv1.Effect_EFFECT_NOT_APPLIED
	case wallet.NotAppliedRetryable:
		return edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE
	case wallet.Applied, wallet.Unknown:
	}
	return edgereelv1.Effect_EFFECT_UNKNOWN
}

func status(r *wallet.Refusal) connect.Code {
	codes := map[wallet.Code]connect.Code{
		wallet.CodeUnknownWallet: connect.CodeNotFound, wallet.CodeUnknownGame: connect.CodeNotFound,
		wallet.CodeUnknownSession: connect.CodeNotFound, wallet.CodeUnknownRound: connect.CodeNotFound, codeUnknownStep: connect.CodeNotFound,
		wallet.CodeInvalid: connect.CodeInvalidArgument, wallet.CodeUnknownMode: connect.CodeInvalidArgument,
		wallet.CodeUnknownCurrency: connect.CodeInvalidArgument, wallet.CodeBadStake: connect.CodeInvalidArgument,
		wallet.CodeOverflow: connect.CodeInvalidArgument, wallet.CodeWrongCurrency: connect.CodeInvalidArgument,
		wallet.CodeActionNotAllowed: connect.CodeInvalidArgument,
		wallet.CodeWrongOperator:    connect.CodePermissionDenied, wallet.CodeSecondApprover: connect.CodePermissionDenied,
		wallet.CodeKeyReused: connect.CodeAlreadyExists, CodeTokenExpired: connect.CodeUnauthenticated, CodeRateLimited: connect.CodeResourceExhausted,
	}
	if code, ok := codes[r.Code]; ok {
		return code
	}
	if r.Effect == wallet.NotAppliedRetryable {
		return connect.CodeUnavailable
	}
	return connect.CodeFailedPrecondition
}

func hint(code wallet.Code) string {
	hints := map[wallet.Code]string{ //nolint:gosec // advice, no credentials
		wallet.CodeUnknownWallet:      "Check the wallet id; OpenWallet returns it.",
		wallet.CodeUnknownGame:        "List the games with ListGames.",
		wallet.CodeUnknownMode:        "List the game's modes with ListGames.",
		wallet.CodeUnknownSession:     "Open a session with OpenSession.",
		wallet.CodeInsufficientFunds:  "Lower the stake or deposit first.",
		wallet.CodeStakeLimit:         "Choose a stake inside the game's limits.",
		wallet.CodeBadStake:           "Send a stake the game accepts, in minor units.",
		wallet.CodeKeyReused:          "Use a new key for a new request; a retry repeats the same body.",
		wallet.CodeAlreadyDecided:     "Ask for the step with LookUpStep.",
		wallet.CodeFutureStep:         "Read the next step from the session with GetWallet.",
		wallet.CodeSessionExists:      "Continue the open session, or close it first.",
		wallet.CodeSessionExpired:     "Close the session and open a new one.",
		wallet.CodeRoundOpen:          "Finish the open round first.",
		wallet.CodeRoundFrozen:        "Wait until the operator has resolved the round.",
		wallet.CodeGameDisabled:       "Choose another game.",
		wallet.CodeActionNotAllowed:   "Send one of the actions of the last answer's mask.",
		wallet.CodeTooFast:            "Repeat the request after a moment.",
		wallet.CodeReversed:           "The transaction was cancelled; start a new one.",
		wallet.CodeSecondApprover:     "Let a second person approve it.",
		consensus.CodeNotLeader:       "Repeat the same request; another node leads now.",
		consensus.CodeOverloaded:      "Repeat the same request after a moment.",
		consensus.CodeDraining:        "Repeat the same request at another node.",
		consensus.CodeNotReady:        "Repeat the same request after a moment.",
		consensus.CodeUnresolved:      "Repeat the same request with the same key; it answers.",
		consensus.CodeDeadline:        "Repeat the same request with the same key; it answers.",
		CodeTokenExpired:              "Sign in again; the same key then answers.",
		CodeRateLimited:               "Repeat the same request after a moment.",
		wallet.CodeResolutionMismatch: "Agree on one resolution.",
	}
	if h, ok := hints[code]; ok {
		return h
	}
	if code == "" {
		return "Repeat the same request with the same key; it answers."
	}
	return "Correct the request."
}
