//go:build race

package gatechild_test

const raceBuild = true
