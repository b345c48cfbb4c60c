package api

import (
	"errors"
	"fmt"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"

	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
)

// The words an error message begins with.
const (
	wordNotApplied          = "not_applied"
	wordNotAppliedRetryable = "not_applied_retryable"
	wordUnknown             = "unknown"
)

// EffectWord is the stable word of an effect; an unspecified effect is
// "unknown".
func EffectWord(effect edgereelv1.Effect) string {
	switch effect {
	case edgereelv1.Effect_EFFECT_NOT_APPLIED:
		return wordNotApplied
	case edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE:
		return wordNotAppliedRetryable
	case edgereelv1.Effect_EFFECT_UNSPECIFIED, edgereelv1.Effect_EFFECT_UNKNOWN:
		return wordUnknown
	default:
		return wordUnknown
	}
}

// Error builds the error of a call. Its message reads
// "not_applied: insufficient_funds: stake 500 exceeds balance 120" and is sent
// to the caller, so it must hold no secret. code is the stable word, hint says
// in one sentence what the caller can do next. A single %w argument stays on
// this side of the wire as the cause.
func Error(effect edgereelv1.Effect, code string, status connect.Code, hint, format string, args ...any) error {
	return DetailedError(&edgereelv1.ErrorDetail{Effect: effect, Code: code, Hint: hint}, status, format, args...)
}

// DetailedError is [Error] for a detail with more to say, such as
// retry_after_ms.
func DetailedError(detail *edgereelv1.ErrorDetail, status connect.Code, format string, args ...any) error {
	text := fmt.Errorf(format, args...)
	message := EffectWord(detail.GetEffect()) + ": " + detail.GetCode() + ": " + text.Error()
	return withDetail(connect.NewError(status, message), detail).WithCause(errors.Unwrap(text))
}

func withDetail(err *connect.Error, detail *edgereelv1.ErrorDetail) *connect.Error {
	packed, packErr := connectproto.NewErrorDetail(detail)
	if packErr != nil {
		// Only a string that is not UTF-8 cannot be packed. The caller then
		// sees no detail, which reads as unknown: the safe side.
		return err.WithCause(packErr)
	}
	return err.WithDetail(packed)
}

// DetailOf reads the detail of any error, from this process or from a peer.
// It never returns nil: an error that carries no detail, a broken connection
// or a timeout for instance, has the effect unknown and an empty code. A nil
// error has no effect to ask for and answers the same.
func DetailOf(err error) *edgereelv1.ErrorDetail {
	if detail := findDetail(err); detail != nil {
		return detail
	}
	return &edgereelv1.ErrorDetail{Effect: edgereelv1.Effect_EFFECT_UNKNOWN}
}

func findDetail(err error) *edgereelv1.ErrorDetail {
	var failure *connect.Error
	if !errors.As(err, &failure) {
		return nil
	}
	for _, packed := range failure.Details() {
		message, err := connectproto.UnmarshalErrorDetail(packed)
		if err != nil {
			continue
		}
		if detail, ok := message.(*edgereelv1.ErrorDetail); ok {
			// A newer peer may know effects this build does not.
			if EffectWord(detail.GetEffect()) == wordUnknown {
				detail.Effect = edgereelv1.Effect_EFFECT_UNKNOWN
			}
			return detail
		}
	}
	return nil
}

// ToForwarded packs an error for the node that forwarded the call. leader is
// the shard's leader where it is another node, or empty.
func ToForwarded(err error, leader string) *edgereelv1.ForwardedError {
	var failure *connect.Error
	if !errors.As(err, &failure) || findDetail(err) == nil {
		failure = internal(err)
	}
	return &edgereelv1.ForwardedError{
		Status:  failure.Code().String(),
		Message: failure.Message(),
		Detail:  DetailOf(failure),
		Leader:  leader,
	}
}

// FromForwarded is the error ToForwarded packed, ready to be returned to the
// caller unchanged.
func FromForwarded(forwarded *edgereelv1.ForwardedError) error {
	var status connect.Code
	if err := status.UnmarshalText([]byte(forwarded.GetStatus())); err != nil {
		status = connect.CodeUnknown
	}
	detail := forwarded.GetDetail()
	if detail == nil {
		detail = &edgereelv1.ErrorDetail{Effect: edgereelv1.Effect_EFFECT_UNKNOWN}
	}
	return withDetail(connect.NewError(status, forwarded.GetMessage()), detail)
}

// internal hides an error nobody wrote for a caller. Its text may hold
// anything, so it stays on this side as the cause.
func internal(cause error) *connect.Error {
	status := connect.CodeInternal
	if code := connect.CodeOf(cause); code == connect.CodeCanceled || code == connect.CodeDeadlineExceeded {
		status = code
	}
	detail := &edgereelv1.ErrorDetail{
		Effect: edgereelv1.Effect_EFFECT_UNKNOWN,
		Code:   "internal",
		Hint:   "Repeat the request with the same key; it answers once the outcome is known.",
	}
	err := connect.NewError(status, wordUnknown+": internal: the node could not say what became of the request")
	return withDetail(err, detail).WithCause(cause)
}
