module github.com/edgereel/edgereel/sdk/go

go 1.24
