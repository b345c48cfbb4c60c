package wallet

import "fmt"

// Effect answers the first question of every error: what happened to the
// money? Values are written into the journal and never change.
type Effect uint8

const (
	// Applied: the operation is in the ledger (or was already, for a repeat).
	Applied Effect = 1
	// NotApplied: this attempt changed nothing, and asking again as things stand
	// is refused again. It speaks for the attempt: an earlier copy of the same
	// key may be on its way, unless a tombstone says it cannot come.
	NotApplied Effect = 2
	// NotAppliedRetryable: this attempt changed nothing; a later one may succeed.
	NotAppliedRetryable Effect = 3
	// Unknown: nobody can say without asking the key.
	Unknown Effect = 4
)

// String gives the word that every error text begins with.
func (e Effect) String() string {
	switch e {
	case Applied:
		return "applied"
	case NotApplied:
		return "not_applied"
	case NotAppliedRetryable:
		return "not_applied_retryable"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("effect(%d)", uint8(e))
}

// Code says why an operation was refused. Values are written into the journal
// and onto the wire and never change; the empty code means "not refused".
type Code string

// Codes of refusals.
const (
	CodeOK                  Code = ""
	CodeInvalid             Code = "invalid"
	CodeUnknownWallet       Code = "unknown_wallet"
	CodeUnknownCurrency     Code = "unknown_currency"
	CodeWrongCurrency       Code = "wrong_currency"
	CodeWrongOperator       Code = "wrong_operator"
	CodeUnknownGame         Code = "unknown_game"
	CodeUnknownMode         Code = "unknown_mode"
	CodeUnknownSession      Code = "unknown_session"
	CodeUnknownRound        Code = "unknown_round"
	CodeGameDisabled        Code = "game_disabled"
	CodeBadStake            Code = "bad_stake"
	CodeStakeLimit          Code = "stake_limit"
	CodeInsufficientFunds   Code = "insufficient_funds"
	CodeOverflow            Code = "overflow"
	CodeKeyReused           Code = "key_reused"
	CodeKeyExpired          Code = "key_expired"
	CodeReversed            Code = "reversed"
	CodeAlreadyReversed     Code = "already_reversed"
	CodeStaleStep           Code = "stale_step"
	CodeAlreadyDecided      Code = "already_decided"
	CodeFutureStep          Code = "future_step"
	CodeStaleEvaluation     Code = "stale_evaluation"
	CodeSessionExists       Code = "session_exists"
	CodeSessionExpired      Code = "session_expired"
	CodeTooManySessions     Code = "too_many_sessions"
	CodeRoundOpen           Code = "round_open"
	CodeRoundFrozen         Code = "round_frozen"
	CodeRoundNotFrozen      Code = "round_not_frozen"
	CodeTooFast             Code = "too_fast"
	CodeStateBudget         Code = "state_budget"
	CodeBadSeed             Code = "bad_seed"
	CodeSecondApprover      Code = "second_approver_required"
	CodeResolutionMismatch  Code = "resolution_mismatch"
	CodeUnknownOperator     Code = "unknown_operator"
	CodeWalletMismatch      Code = "wallet_mismatch"
	CodeActionNotAllowed    Code = "action_not_allowed"
	CodeUnsupportedVersion  Code = "unsupported_version"
	CodeNotInitialised      Code = "not_initialised"
	CodeAlreadyInitialised  Code = "already_initialised"
	CodeReversalOfReversal  Code = "reversal_of_reversal"
	CodeUnknownModuleDigest Code = "unknown_module_digest"
	CodeStaleRelease        Code = "stale_release"
)

// Refusal is the error form of a refused operation.
type Refusal struct {
	Effect Effect
	Code   Code
	// Detail is one sentence for a person; it holds no secret.
	Detail string
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return fmt.Sprintf("%s: %s", r.Effect, r.Code)
	}
	return fmt.Sprintf("%s: %s: %s", r.Effect, r.Code, r.Detail)
}

// refuse builds a final refusal.
func refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Effect: NotApplied, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// refuseRetryable builds a refusal of this attempt only.
func refuseRetryable(code Code, format string, args ...any) *Refusal {
	return &Refusal{Effect: NotAppliedRetryable, Code: code, Detail: fmt.Sprintf(format, args...)}
}
