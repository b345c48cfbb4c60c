package cli

import (
	"context"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
)

// studioImport is `edgereel studio import`.
type studioImport struct {
	StakeEngine importStakeEngine `cmd:"" help:"Make a table game of what Stake Engine's math-sdk publishes."`
}

type importStakeEngine struct{ studio.ImportTable }

// Run imports published content.
func (s *importStakeEngine) Run(ctx context.Context, std *streams) error {
	return studioFailure(s.Do(ctx, std.out, std.progress()))
}
