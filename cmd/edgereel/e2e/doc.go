// Package e2e tests the built program: real processes on loopback, killed and
// frozen as an operator's worst day would, and judged by the program's own
// `ledger verify`. It has no code to import.
//
// Everything waits for conditions; a time here is only the point at which a
// test gives up. With -short nothing runs. With EDGEREEL_LONG=1 the tests named
// Long run too, and write their figures to the file EDGEREEL_REPORT names.
package e2e
