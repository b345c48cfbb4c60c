// Package sdk carries the guest kits.
package sdk
