// Package bench measures what running a game in the sandbox costs on this
// machine.
//
// It promises ratios more than times: whatever is compared runs in turns, a few
// milliseconds each, for as long as asked, and the median counts, so that a busy
// machine disturbs both sides alike. Times are processor time of the whole
// process where the system tells it, else time on the wall; each batch begins
// with a collected heap. It does not judge a cluster: no network, no disk, no log.
//
// # Concurrency
//
// One run at a time in a process, in one goroutine; simulations use one more.
package bench
