// Package canary watches a game's new version while a share of the wallets
// plays it, and takes it back by itself when it does not play as its report
// says it does.
//
// # What it looks at
//
//   - Incidents: one step of the canary's module that failed is enough.
//   - Return: the mean win per cost of whole rounds, against the distribution
//     of the gate's report.
//   - Frequencies: how many rounds ended in each of the ledger's classes of win
//     per cost, against the same distribution. A prize that comes too often or
//     too rarely shows here long before it shows in the return.
//   - Evaluation time: the 99th percentile against that of the live version on
//     the same node, or a fixed bound where there is none.
//
// Live versions that have a report are held to it in the same way, but only
// people take those back: an alarm is logged and counted.
//
// # How it decides
//
// No test assumes that sums of wins are normal: at the numbers of rounds a
// canary has they are not, in either tail. The tail of the return is measured
// by Monte Carlo under a tilted distribution, which draws the rare event often
// and weighs it down exactly, so that a probability of 1e-9 costs as little as
// one of 1e-3. Frequencies are tested by exact binomial tails, at any number of
// rounds.
//
// It looks again and again, so each look may only spend a part of what all may:
// the j-th look at a mode spends Alpha / modes / (j (j+1)), half of it on the
// return and half on the classes, two-sided. All looks at a canary together
// raise a false alarm with a probability of at most Alpha, 1e-4 by default, but
// for the few per cent by which a measured tail may be off.
// Looks come when a mode has 1,000 rounds and then each time it has half as
// many again; a watcher that takes over from another one looks at once, which
// repeats at most one look of each mode.
//
// A distribution that was itself simulated is treated as the sample it is.
//
// # What it does not promise
//
// It sees rounds, not intentions: a module that behaves while it is a canary
// and not after is caught by the proof of its bytes, not here. Evaluation times
// depend on the machine and carry no false-alarm probability; three looks a
// minute apart have to agree before they count.
//
// # Concurrency
//
// A [Watch] belongs to one goroutine. A [Service] runs one; its methods are
// safe for concurrent use. Everything is a function of the tallies, the report
// and a seed: the same evidence gives the same decision on every node.
package canary
