package push

import (
	"errors"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	"github.com/edgereel/edgereel/api/dsse"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/node/registry"
	"github.com/edgereel/edgereel/wallet"
)

// refuse blames the pushed documents: nothing was recorded.
func refuse(code, hint, format string, args ...any) error {
	return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, code, connect.CodeFailedPrecondition, hint, format, args...)
}

// invalid blames the request.
func invalid(format string, args ...any) error {
	return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED, "invalid", connect.CodeInvalidArgument, "Correct the request.", format, args...)
}

// busy asks to come back.
func busy(code string, afterMS int64, format string, args ...any) error {
	return api.DetailedError(&edgereelv1.ErrorDetail{
		Effect: edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, Code: code, RetryAfterMs: afterMS, Hint: "Repeat the request after a moment.",
	}, connect.CodeResourceExhausted, format, args...)
}

// fault is this node's own. Its cause stays on this side of the wire.
func fault(code string, cause error) error {
	return api.Error(edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE, code, connect.CodeUnavailable,
		"Push again, at another node if it goes on; the operator finds the cause in this node's log.", "this node could not go on: %w", opaque{cause})
}

// opaque keeps the text of a cause, which may name files and addresses, from
// the caller.
type opaque struct{ error }

func (o opaque) Error() string { return "see its log" }
func (o opaque) Unwrap() error { return o.error }

// envelopeError gives each refusal of an envelope its code.
func envelopeError(err error) error {
	const again = "Sign this module and this sheet with an active key of the studio (edgereel studio push does)."
	for _, c := range []struct {
		sentinel   error
		code, hint string
	}{
		{dsse.ErrMalformed, "envelope_malformed", again},
		{dsse.ErrUnsigned, "envelope_unsigned", again},
		{dsse.ErrPayloadType, "envelope_payload_type", again},
		{dsse.ErrUnknownKey, "unknown_key", "Have an administrator add the key: edgereel studio keys add."},
		{dsse.ErrRevokedKey, "key_revoked", "Sign with an active key: edgereel studio keys list shows them."},
		{dsse.ErrSignature, "signature_invalid", again},
		{dsse.ErrWrongModule, "module_mismatch", again},
		{dsse.ErrWrongSheet, "sheet_mismatch", again},
		{dsse.ErrWrongStudio, "wrong_studio", "Name the studio that the key belongs to."},
	} {
		if errors.Is(err, c.sentinel) {
			return refuse(c.code, c.hint, "%s", err)
		}
	}
	return err
}

// registryError passes on what the registry said of an operation.
func registryError(err error) error {
	var refusal *registry.Refusal
	if errors.As(err, &refusal) {
		return refuse(string(refusal.Code), refusal.Hint, "%s", refusal.Text)
	}
	var undecided *registry.Error
	if errors.As(err, &undecided) && undecided.Effect == wallet.NotAppliedRetryable {
		return fault("registry_unavailable", err)
	}
	return api.Error(edgereelv1.Effect_EFFECT_UNKNOWN, "registry_undecided", connect.CodeUnavailable,
		"Push the same module again: it answers once the registry has a leader.", "the registry did not say what became of the release: %w", opaque{err})
}
