// Package api is the edge of the wire: strict requests, errors that say what
// happened to the money, and the limits of a call. The schema is in proto/,
// its generated code in edgereel/v1, signed tokens in token.
//
// What it promises: a server mounted through [Handler] with [Effects] among
// its interceptors refuses requests it does not understand completely, and
// every error such a server sends begins with its effect and carries an
// edgereelv1.ErrorDetail. It decides nothing about who may call what, and
// nothing about money.
//
// # Concurrency
//
// Everything here is stateless after construction and safe for concurrent use.
//
// # Errors
//
// [Error] builds them, [DetailOf] reads them. An error without a detail is of
// unknown effect: whoever made it did not say, so nobody may guess.
package api
