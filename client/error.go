package client

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/edgereel/edgereel/api"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/transport"
)

// Effect says what a failed call did to the money.
type Effect string

// Effects of a failed call; Applied is the one of a call that returned nil.
const (
	Applied             Effect = "applied"
	NotApplied          Effect = "not_applied"
	NotAppliedRetryable Effect = "not_applied_retryable"
	Unknown             Effect = "unknown"
)

// Codes this package gives itself; every other code is a node's.
const (
	// CodeNoAnswer means that no node answered within the budget.
	CodeNoAnswer = "no_answer"
	// CodeStepPending means that the session's last step is still undecided.
	CodeStepPending = "step_pending"
	// CodeNoNode means that the client knows no such node.
	CodeNoNode = "unknown_node"
)

// Codes of nodes the client acts upon.
const (
	codeReversed       = "reversed"
	codeAlreadyDecided = "already_decided"
	codeSessionExpired = "session_expired"
	codeSessionExists  = "session_exists"
	codeDraining       = "draining"
	codeOverloaded     = "overloaded"
)

// Error is a call that was not answered with a result.
type Error struct {
	Effect Effect
	// Code is a stable word: a node's, or one of this package's.
	Code string
	// Hint says in one sentence what the caller can do next.
	Hint string
	// RetryAfter is how long the node asked to wait; 0 leaves it to the caller.
	RetryAfter time.Duration
	// Attempts is how often the call was sent.
	Attempts int
	// Err is the last attempt's error.
	Err error
}

// Error begins with the effect.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s", e.Effect, e.Code)
	if e.Err != nil {
		text += ": " + reason(e.Err)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// EffectOf is the effect of what a call returned: Applied for nil, Unknown for
// an error that does not say.
func EffectOf(err error) Effect {
	if err == nil {
		return Applied
	}
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Effect
	}
	return Unknown
}

// CodeOf is the code of what a call returned, empty for nil.
func CodeOf(err error) string {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Code
	}
	return ""
}

// reason is the text of an attempt's error without the effect and code that
// Error puts in front of it anyway.
func reason(err error) string {
	var failure *connect.Error
	if !errors.As(err, &failure) {
		return err.Error()
	}
	detail := api.DetailOf(err)
	prefix := api.EffectWord(detail.GetEffect()) + ": " + detail.GetCode() + ": "
	text := failure.Message()
	if len(text) > len(prefix) && text[:len(prefix)] == prefix {
		return text[len(prefix):]
	}
	return text
}

// failure is what one attempt came to.
type failure struct {
	effect Effect
	detail *edgereelv1.ErrorDetail
	// silent means that the node said nothing: it is suspect.
	silent bool
	err    error
}

func classify(err error) failure {
	detail := api.DetailOf(err)
	f := failure{detail: detail, err: err, effect: Unknown}
	switch detail.GetEffect() {
	case edgereelv1.Effect_EFFECT_NOT_APPLIED:
		f.effect = NotApplied
	case edgereelv1.Effect_EFFECT_NOT_APPLIED_RETRYABLE:
		f.effect = NotAppliedRetryable
	case edgereelv1.Effect_EFFECT_UNSPECIFIED, edgereelv1.Effect_EFFECT_UNKNOWN:
		// A node that fails, or only says that the time is up, is as good as
		// silent: another one may know more.
		switch connect.CodeOf(err) {
		case connect.CodeDeadlineExceeded, connect.CodeCanceled, connect.CodeInternal:
			f.silent = true
		default:
			f.silent = detail.GetCode() == ""
		}
	}
	return f
}

// watcher notes whether the request of an attempt surely never left. It sits
// below Connect, which does not always keep a transport's error in its own.
type watcher struct{ next http.RoundTripper }

// unsentKey finds the *unsent of an attempt in its context.
type unsentKey struct{}

// unsent is written by the attempt's round trip, read after the call returned.
type unsent struct{ sure atomic.Bool }

func (w watcher) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(request)
	if note, ok := request.Context().Value(unsentKey{}).(*unsent); ok && err != nil {
		var failed *transport.HTTPError
		note.sure.Store(errors.As(err, &failed) && !failed.Sent)
	}
	return response, err
}
