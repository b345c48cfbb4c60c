// Package arch holds the tests that keep the house in shape: which folder may
// import which, what the wallet may touch, under which licences dependencies
// come, and how large a file may grow. It has no code to import.
//
// A test here fails with the file and the import that broke a rule. To change
// a rule, change its table, and the design in the documentation with it.
package arch
