package cli

import (
	"context"
	"errors"

	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
)

type (
	studioInit  struct{ studio.Init }
	studioBuild struct{ studio.Build }
)

// Run begins a project.
func (s *studioInit) Run(std *streams) error {
	return projectFailure(s.Do(std.out))
}

// Run builds a project; what its compiler says is for people.
func (s *studioBuild) Run(ctx context.Context, std *streams) error {
	return projectFailure(s.Do(ctx, std.out, std.err))
}

// projectFailure tells what was typed wrongly from what is wrong here.
func projectFailure(err error) error {
	if errors.Is(err, studio.ErrUsage) {
		return &failure{ExitUsage, err}
	}
	return studioFailure(err)
}
