package studio

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/edgereel/edgereel/api/dsse"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/gamelogic/gate"
	"github.com/edgereel/edgereel/gamelogic/meter"
	"github.com/edgereel/edgereel/gamelogic/table"
)

// Parcel is a module on its way to a cluster: its documents, signed, and what
// the studio says of it.
type Parcel struct {
	Pushed  client.Pushed
	Release dsse.Release
	KeyID   string
}

// Pack reads a module and its sheet, asks the module what it is, and signs that.
// What a cluster would refuse for sure is refused here.
func Pack(ctx context.Context, modulePath, sheetPath, studio string, key ed25519.PrivateKey) (*Parcel, error) {
	wasm, err := read(modulePath)
	if err != nil {
		return nil, err
	}
	sheet, err := os.ReadFile(sheetPath)
	if err != nil {
		return nil, fmt.Errorf("read the PAR sheet: %w", err)
	}
	m, host, err := load(ctx, modulePath)
	if err != nil {
		return nil, err
	}
	man := m.Manifest()
	if err := host.Close(); err != nil {
		return nil, err
	}
	par, err := gate.ParsePAR(sheet)
	if err != nil {
		return nil, fmt.Errorf("%s is no PAR sheet: %w", sheetPath, err)
	}
	if par.ID != man.ID || par.Release != man.Release {
		return nil, fmt.Errorf("%s is the sheet of %s %s, %s is %s %s", sheetPath, par.ID, par.Release, modulePath, man.ID, man.Release)
	}
	r := dsse.Release{Studio: studio, Game: man.ID, Version: man.Release, Family: man.Family, Variant: man.Variant}
	if !table.Is(wasm) {
		r.MeterVersion = meter.Version
	}
	envelope, err := dsse.Sign(r, dsse.Subject{Module: sha256.Sum256(wasm), ParSheet: sha256.Sum256(sheet)}, key)
	if err != nil {
		return nil, err
	}
	public, _ := key.Public().(ed25519.PublicKey)
	return &Parcel{
		Pushed: client.Pushed{Module: wasm, Envelope: envelope, ParSheet: sheet}, Release: r, KeyID: dsse.KeyID(public),
	}, nil
}

// PushProgress tells a person how far a push is. One goroutine.
type PushProgress struct {
	Out io.Writer
	// Live rewrites one line; otherwise there is one for each stage.
	Live bool
	Now  func() time.Time

	stage string
	told  time.Time
	open  bool
}

// Tell is called with every message.
func (p *PushProgress) Tell(m *edgereelv1.PushResponse) {
	now := p.Now()
	fresh := m.GetStage() != p.stage
	if !fresh && (!p.Live || now.Sub(p.told) < 100*time.Millisecond) {
		return
	}
	p.stage, p.told = m.GetStage(), now
	words := map[string]string{
		"upload": "upload", "waiting": "every node checks another module; waiting", "admission": "decode, compile, start", "check": "check",
	}
	text, ok := words[p.stage]
	if !ok {
		text = "check: " + p.stage
	}
	if !p.Live {
		fmt.Fprintln(p.Out, text)
		return
	}
	if total := m.GetTotal(); total > 0 {
		share := min(float64(m.GetDone())/float64(total), 1)
		text = fmt.Sprintf("%-34s %s%s %5.1f %%", text, strings.Repeat("=", int(share*20)), strings.Repeat(".", 20-int(share*20)), 100*share)
	}
	fmt.Fprintf(p.Out, "\r\x1b[K%s", text)
	p.open = true
}

// End leaves the line that was being rewritten.
func (p *PushProgress) End() {
	if p.open {
		fmt.Fprint(p.Out, "\r\x1b[K")
		p.open = false
	}
}
