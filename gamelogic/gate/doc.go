// Package gate is the check a module passes before anybody may play it: from
// its bytes and its PAR sheet to one report that says what was looked at, what
// came out, and whether that is good enough.
//
// It promises that a report is a function of its configuration: the same
// bytes, sheet, seed and number of rounds give the same report on any machine,
// to the byte. It carries no time, no host name and no speed. A module that is
// no module at all gets a report too; Check returns an error only when the
// question could not be asked (a floor that is no number, a context that
// ended), never because the answer is no.
//
// It does not promise to survive a hostile compile: strangers' bytes belong
// into a child process with limits on processor time and memory, which calls
// this package. It decides about maths and behaviour, not about taste, rules
// text or artwork.
//
// # Order
//
// Stages run in the order of Stages; a stage that cannot run because an earlier
// one failed is reported as skipped, with the reason. Cheap ones come first.
//
// # Statistics
//
// No single flag fails a module. A simulated figure outside its 99.9 % interval
// or a chi-square below 1e-6 (after Bonferroni over all modes) is flagged and
// played again with a fresh seed; it fails if the second run flags too.
//
// # Concurrency
//
// Check is safe for concurrent use. It owns a host of its own and closes it.
//
// # Errors
//
// ErrConfig blames the configuration. Everything about the module and its
// sheet is in the report.
package gate
