package studio

import (
	"fmt"
	"io"
	"time"
)

// Progress tells a person how far a long verb is. One goroutine.
type Progress struct {
	Out io.Writer
	// Live rewrites one line several times a second; otherwise there is a line
	// for every tenth of the way.
	Live bool
	Now  func() time.Time

	begun, told time.Time
	before      uint64 // what was done when it began
	tenth       uint64
	open        bool // a line to be rewritten is there
	stage       string
}

// begin starts a stage with a way of its own, which is told about however
// short it is.
func (p *Progress) begin(stage string) {
	p.end()
	p.stage, p.begun, p.told, p.before, p.tenth = stage+" ", time.Time{}, time.Time{}, 0, 0
}

// short is a way too short to be told about.
const short = 1 << 20

// tell is called with what is done of how much.
func (p *Progress) tell(done, total uint64) {
	if total < short && p.stage == "" || total == 0 {
		return
	}
	now := p.Now()
	if p.begun.IsZero() {
		p.begun, p.before = now, done
		return
	}
	if p.Live && now.Sub(p.told) < 200*time.Millisecond || !p.Live && done/(total/10+1) <= p.tenth {
		return
	}
	p.told, p.tenth = now, done/(total/10+1)
	left := "?"
	if fresh := done - p.before; fresh > 0 {
		left = time.Duration(float64(now.Sub(p.begun)) / float64(fresh) * float64(total-done)).Round(time.Second).String()
	}
	begin, end := "", "\n"
	if p.Live {
		begin, end, p.open = "\r\x1b[K", "", true
	}
	fmt.Fprintf(p.Out, "%s%s%5.1f %%  %d of %d, %s left%s", begin, p.stage, 100*float64(done)/float64(total), done, total, left, end)
}

// say prints a line of its own.
func (p *Progress) say(format string, args ...any) {
	p.end()
	fmt.Fprintf(p.Out, format+"\n", args...)
}

// end leaves the line that was being rewritten.
func (p *Progress) end() {
	if p.open {
		fmt.Fprintln(p.Out)
		p.open = false
	}
}
