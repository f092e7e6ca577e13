// The oracle answers what the reference implementations of Kubernetes' merges make of an input.
//
// It reads one request per line on stdin and writes one answer per line, in the same order, on stdout. Both are JSON
// objects. A request names the operation in "op"; its other fields, and those of the answer, are described in README.md.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	server := newServer()
	reader := bufio.NewReaderSize(in, 1<<20)
	writer := bufio.NewWriterSize(out, 1<<20)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			encoded, err := json.Marshal(server.answer(line))
			if err != nil {
				return err
			}
			if _, err := writer.Write(append(encoded, '\n')); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return writer.Flush()
		}
		if err != nil {
			return err
		}
		// Whoever waits for answers has sent all questions by then.
		if reader.Buffered() == 0 {
			if err := writer.Flush(); err != nil {
				return err
			}
		}
	}
}
