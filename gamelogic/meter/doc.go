// Package meter checks a WebAssembly module against named limits and rewrites
// it so that no call of it can run or recurse without bound. It promises that
// the rewritten module computes what the original computes as long as it has
// fuel and stack, new NaNs aside, of which there is one (see Floats); that it
// traps at the same place, with the same values in the meter, on every
// architecture and in every engine when it has not; and that nothing in the
// original can name, read or refill what was added.
//
// It does not run modules. What compiling one costs it estimates and bounds
// (Limits.Effort); the estimate is no proof, so bytes of strangers belong into
// a process of their own before they come here.
//
// # What is added
//
// Two mutable i64 globals behind those of the module, exported as FuelExport
// and StackExport and zero at the start, so that nothing runs before the host
// has paid. The code is divided into scopes, each paid for at one place by the
// weights of its instructions. Bulk memory instructions and memory.grow also
// pay for their length before they run, by a call of an added function. Table
// instructions and data.drop are refused.
//
// # Why the payments cover the work
//
// Whoever runs an instruction has come by the payment of its scope since the
// same activation of the function last ran that instruction:
//
//   - A function's own scope is paid at its entry, a loop's at its head. Within
//     a scope control only goes forward, since every way back goes to the head
//     of a loop, and what is inside that loop is in its scope or one within.
//   - Behind the end of a block a new scope may begin. What follows in the block
//     around it can be reached only from there. An else belongs to the scope
//     that its if began in.
//   - A scope too small for a payment is added to the one that it continues,
//     which everybody who comes to it has paid for.
//   - The head of a loop that counts (counted.go) is reached at most n - i + 1
//     times. The payment in front of the loop is that many times its scope; if
//     the loop may end earlier it is only used where the number is small and
//     known, since it would be too much.
//   - The whole cost of a function without a payment of its own is in the scope
//     of each of its calls. Nothing else can reach it: it is not exported, not
//     in the table, and function references do not exist.
//
// So the payments are an upper bound of the work, and between two payments work
// is bounded by the size of the code. Payments are made before the work, and a
// payment that leaves less than nothing traps.
//
// A function with short loops that pay in every round keeps the fuel in a
// local, which nothing in the original names either, and writes the global
// before calls that may pay and where it ends. After a trap of the module's own
// the global may therefore lack the last payments, the same ones everywhere;
// after a result it is exact, and after exhaustion it is below zero.
//
// # Floats
//
// Under limits that allow floats a NaN that an instruction makes is replaced by
// the canonical one (float.go), so that no bit of a result depends on the
// processor or the engine.
//
// # Stack
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
