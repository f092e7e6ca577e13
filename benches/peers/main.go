// Command peers does what is measured with the Go modules of Kubernetes and Argo CD.
//
// It reads the workload once, and then commands from its standard input, one a line: `digest MEASURE`, `time MEASURE` or
// `show MEASURE PAIR`. It answers each with one line of JSON. Nothing is kept between pairs but the schemas.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// chunk is how many pairs are prepared at a time: parsed trees of the whole workload would make each garbage
// collection slower than it is for a program that keeps no trees.
const chunk = 250

type answer struct {
	Nanos int64 `json:"nanos,omitempty"`
	// Of each pair, in order.
	Digests []string        `json:"digests,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   string          `json:"error,omitempty"`
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
		var answer answer
		if err := answer.run(strings.Fields(commands.Text()), pairs, schemas); err != nil {
			answer.Error = err.Error()
		}
		exitOn(answers.Encode(answer))
	}
	exitOn(commands.Err())
}

func (a *answer) run(command []string, pairs []pair, schemas *schemas) error {
	if len(command) < 2 {
		return errors.New("expected: digest|time|show MEASURE [PAIR]")
	}
	measure, ok := measures[command[1]]
	if !ok {
		return fmt.Errorf("no measure %q", command[1])
	}
	switch {
	case command[0] == "digest":
		return a.digest(measure, pairs, schemas)
	case command[0] == "time":
		return a.time(measure, pairs, schemas)
	case command[0] == "show" && len(command) == 3:
		at, err := strconv.Atoi(command[2])
		if err != nil || at < 0 || at >= len(pairs) {
			return errors.New("no such pair")
		}
		return a.show(measure, pairs[at], schemas)
	}
	return fmt.Errorf("no command %q", command[0])
}

func (a *answer) digest(measure measure, pairs []pair, schemas *schemas) error {
	for i := range pairs {
		inputs, err := prepare(pairs[i:i+1], schemas)
		if err != nil {
			return err
		}
		result, err := measure(&inputs[0])
		if err != nil {
			return fmt.Errorf("pair %d: %w", i, err)
		}
		digest, err := digest(result)
		if err != nil {
			return fmt.Errorf("pair %d: %w", i, err)
		}
		a.Digests = append(a.Digests, digest)
	}
	return nil
}

func (a *answer) time(measure measure, pairs []pair, schemas *schemas) error {
	for start := 0; start < len(pairs); start += chunk {
		inputs, err := prepare(pairs[start:min(start+chunk, len(pairs))], schemas)
		if err != nil {
			return err
		}
		runtime.GC()
		began, err := processorTime()
		if err != nil {
			return err
		}
		for i := range inputs {
			if _, err := measure(&inputs[i]); err != nil {
				return fmt.Errorf("pair %d: %w", start+i, err)
			}
		}
		ended, err := processorTime()
		if err != nil {
			return err
		}
		a.Nanos += ended - began
	}
	return nil
}

// processorTime is that of this process in nanoseconds, the garbage collector's included.
func processorTime() (int64, error) {
	var time unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &time)
	return time.Nano(), err
}

func (a *answer) show(measure measure, shown pair, schemas *schemas) error {
	inputs, err := prepare([]pair{shown}, schemas)
	if err != nil {
		return err
	}
	result, err := measure(&inputs[0])
	if err != nil {
		return err
	}
	a.Result, err = encode(result)
	return err
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}
