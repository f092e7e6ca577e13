// Schema prints the table of Kubernetes' built-in types that gitops-diff carries (`gitops-diff/src/schema/builtin.txt`).
//
// It reads the OpenAPI definitions that kube-apiserver is compiled with, so it needs no cluster, and it knows the versions
// that no API server serves any more but that the client libraries still know. See `table.go` for the table's grammar.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	table, err := newTable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
	out := bufio.NewWriter(os.Stdout)
	table.write(out)
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}
