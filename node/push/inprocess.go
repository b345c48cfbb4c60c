package push

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/edgereel/edgereel/gamelogic"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/gamelogic/meter"
	"github.com/edgereel/edgereel/gamelogic/table"
)

// InProcess is a [Gate] without any limits, in the process that calls it. A
// child is one inside its limits; a simulation may use it for modules it
// trusts. A node never does.
type InProcess struct {
	// Workers play at the same time; 0 is GOMAXPROCS.
	Workers int
	// Loaded is called once a module's bytes are read; nil does nothing.
	Loaded func() error
}

var _ Gate = (*InProcess)(nil)

// Admit takes the module in as a node would.
func (g *InProcess) Admit(ctx context.Context, job Job) (_ *Admission, err error) {
	wasm, err := g.load(job)
	if err != nil {
		return nil, err
	}
	if table.Is(wasm) {
		return admitTable(wasm)
	}
	host, err := gamelogic.NewHost(ctx, gamelogic.HostConfig{Allow: [][32]byte{job.Digest}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	m, err := host.Load(ctx, wasm)
	if errors.Is(err, gamelogic.ErrRefusedModule) {
		_, reason, _ := strings.Cut(err.Error(), gamelogic.ErrRefusedModule.Error()+": ")
		return nil, &Refusal{Stage: string(gate.StageDecode), Reason: "a host would refuse the module: " + reason}
	}
	if err != nil {
		return nil, err
	}
	a := &Admission{
		Kind: KindModule, Manifest: m.Manifest(), Profile: string(m.Profile()), MeterVersion: meter.Version, FuelPerStep: gamelogic.DefaultFuelPerStep,
	}
	if m.Profile() == gamelogic.ProfileWASI {
		a.FuelPerStep = gamelogic.DefaultWASIFuelPerStep
	}
	return a, nil
}

// admitTable opens a table. It has no code, and so nothing to pay for.
func admitTable(file []byte) (*Admission, error) {
	g, err := table.OpenBytes(file)
	if err != nil {
		return nil, &Refusal{Stage: string(gate.StageDecode), Reason: "a host would refuse the table: " + err.Error()}
	}
	g.Close()
	return &Admission{Kind: KindTable, Manifest: g.Manifest()}, nil
}

// Prove runs the whole check.
func (g *InProcess) Prove(ctx context.Context, job Job, tell func(stage string, done, total uint64)) (*gate.Report, error) {
	wasm, err := g.load(job)
	if err != nil {
		return nil, err
	}
	return gate.Check(ctx, gate.Config{
		Wasm: wasm, PAR: job.PAR, Rounds: job.Rounds, Seed: job.Seed, FloorRTP: job.FloorRTP, Workers: g.Workers,
		Progress: func(stage gate.Stage, done, total uint64) { tell(string(stage), done, total) },
	})
}

// load reads the bytes that were asked about, and no others.
func (g *InProcess) load(job Job) ([]byte, error) {
	f, err := os.Open(job.Module)
	if err != nil {
		return nil, fmt.Errorf("open the module: %w", err)
	}
	most := MaxModuleBytes
	wasm, err := io.ReadAll(io.LimitReader(f, MaxModuleBytes+1))
	if err == nil && table.Is(wasm) {
		most = MaxTableBytes
		var rest []byte
		rest, err = io.ReadAll(io.LimitReader(f, MaxTableBytes-MaxModuleBytes))
		wasm = append(wasm, rest...)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	if len(wasm) > most {
		return nil, fmt.Errorf("the module has more than %d bytes", most)
	}
	if sum := sha256.Sum256(wasm); sum != job.Digest {
		return nil, fmt.Errorf("the module has SHA-256 %x, want %s", sum, hex.EncodeToString(job.Digest[:]))
	}
	if g.Loaded != nil {
		return wasm, g.Loaded()
	}
	return wasm, nil
}
