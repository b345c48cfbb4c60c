// Package meter checks a WebAssembly module against named limits and rewrites
// it so that no call of it can run or recurse without bound. It promises that
// the rewritten module computes what the original computes as long as it has
// fuel and stack; that it traps at the same place, with the same values in the
// meter, on every architecture and in every engine when it has not; and that
// nothing in the original can name, read or refill what was added.
//
// It does not run modules, and it does not bound what compiling one costs
// beyond its limits: bytes of strangers belong into a process of their own
// before they come here.
//
// # What is added
//
// Two mutable i64 globals behind those of the module, exported as FuelExport
// and StackExport and zero at the start, so that nothing runs before the host
// has paid. Every function entry and every loop header subtracts the weight of
// the instructions it covers. Since control only goes forward between two
// headers, an instruction runs at most once for each payment that covers it,
// so the payments are an upper bound of the work. Bulk memory instructions and
// memory.grow also pay for their length before they run. Table instructions are
// refused.
//
// A function with loops keeps the fuel in a local, which nothing in the
// original names either, and writes the global before it calls and where it
// ends. After a trap of the module's own the global may therefore lack the
// last payments, the same ones everywhere; after a result it is exact, and
// after exhaustion it is below zero.
//
// The stack is paid by the caller: what its own frame may occupy at most is
// subtracted before a call and given back after it. Only a trap leaves a
// function in another way, and after a trap the instance is thrown away. Calls
// into a part of the call graph without cycles and without indirect calls need
// no payment, because their height is known and bounded.
//
// A trap of the meter is told from one of the module by the globals: fuel
// below zero is exhaustion, stack below zero is depth.
//
// # Concurrency
//
// Rewrite is a function of its arguments and safe for concurrent use.
//
// # Errors
//
// A *RefusedError names the rule that a module breaks.
package meter
