// Command peers does what is measured with the Go modules of Kubernetes and Argo CD.
//
// It reads the workload once, and then commands from its standard input, one a line: `digest MEASURE` or
// `time MEASURE`. It answers each with one line of JSON. Nothing is kept between pairs but the schemas.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// chunk is how many pairs are prepared at a time: parsed trees of the whole workload would make each garbage
// collection slower than it is for a program that keeps no trees.
const chunk = 250

type answer struct {
	Measure string `json:"measure"`
	Pairs   int    `json:"pairs"`
	Nanos   int64  `json:"nanos,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Error   string `json:"error,omitempty"`
}

func main() {
	workload := flag.String("workload", "", "file with one pair a line")
	swagger := flag.String("swagger", "", "api/openapi-spec/swagger.json of k8s.io/kubernetes")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	pairs, err := readPairs(*workload)
	exitOn(err)
	schemas, err := readSchemas(*swagger)
	exitOn(err)
	commands := bufio.NewScanner(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for commands.Scan() {
		mode, name, _ := strings.Cut(commands.Text(), " ")
		answer := answer{Measure: name, Pairs: len(pairs)}
		if err := run(mode, name, pairs, schemas, &answer); err != nil {
			answer.Error = err.Error()
		}
		exitOn(answers.Encode(answer))
	}
	exitOn(commands.Err())
}

func run(mode, name string, pairs []pair, schemas *schemas, answer *answer) error {
	measure, ok := measures[name]
	if !ok {
		return fmt.Errorf("no measure of that name")
	}
	hash := newHash()
	for start := 0; start < len(pairs); start += chunk {
		inputs, err := prepare(pairs[start:min(start+chunk, len(pairs))], schemas)
		if err != nil {
			return err
		}
		if mode == "digest" {
			for i := range inputs {
				result, err := measure(&inputs[i])
				if err != nil {
					return fmt.Errorf("pair %d: %w", start+i, err)
				}
				if err := hash.add(result); err != nil {
					return fmt.Errorf("pair %d: %w", start+i, err)
				}
			}
			continue
		}
		runtime.GC()
		began := time.Now()
		for i := range inputs {
			if _, err := measure(&inputs[i]); err != nil {
				return fmt.Errorf("pair %d: %w", start+i, err)
			}
		}
		answer.Nanos += time.Since(began).Nanoseconds()
	}
	if mode == "digest" {
		answer.Digest = hash.text()
	}
	return nil
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}
