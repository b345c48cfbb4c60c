package cli

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/edgereel/edgereel/client"
)

func TestReport_EffectFirst(t *testing.T) {
	refused := &client.Error{Effect: client.NotApplied, Code: "unknown_game", Hint: "List the games.", Err: errors.New(`no game "x"`)}
	unknown := &client.Error{Effect: client.Unknown, Code: client.CodeNoAnswer, Hint: "Repeat the call."}
	tests := []struct {
		err  error
		code int
		want string
	}{
		{nil, 0, ""},
		{refused, 1, "edgereel: not_applied: unknown_game: no game \"x\"\n  List the games.\n"},
		{fmt.Errorf("player a: %w", refused), 1, "edgereel: not_applied: player a: unknown_game: no game \"x\"\n  List the games.\n"},
		{fmt.Errorf("player a: %w", unknown), 1, "edgereel: unknown: player a: no_answer\n  Repeat the call.\n"},
		{errors.New("disk full"), 1, "edgereel: not_applied: disk full\n"},
		{usage("no"), 2, "edgereel: not_applied: usage: no\n"},
		{errVerdict, 10, ""},
	}
	for _, test := range tests {
		var out bytes.Buffer
		if code := report(&out, test.err, ""); code != test.code || out.String() != test.want {
			t.Errorf("%v: code %d, %q, want %d, %q", test.err, code, out.String(), test.code, test.want)
		}
	}
}
