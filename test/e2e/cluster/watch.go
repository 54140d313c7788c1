// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// Transition is a line of `bookstore probe` and `bookstore hold`: when the
// outcome on a kind of connection, "new" or "old", became another.
type Transition struct {
	At         int64  `json:"at"`
	Connection string `json:"connection"`
	Outcome    string `json:"outcome"`
	Requests   int    `json:"requests"`
	Cut        int    `json:"cut"`
	Last       bool   `json:"last"`
}

// Watch is a probe or hold that runs in a pod.
type Watch struct {
	mu    sync.Mutex
	lines []Transition
	done  chan struct{}
	err   error
}

// longest is as long as all tests may last.
const longest = 25 * time.Minute

// endWithin is more than the longest request of a probe.
const endWithin = time.Minute

// Watch starts a command that prints Transitions; it ends with the test, if no
// --for ends it earlier.
func (p *Pod) Watch(t *testing.T, args ...string) *Watch {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	input, attached := io.Pipe()
	w := &Watch{done: make(chan struct{})}
	command := append([]string{"bookstore", "--attached", args[0], "--for=" + longest.String()}, args[1:]...)
	go func() {
		err := p.cluster.exec(ctx, p.Namespace, p.Name, p.container, command, input, writer)
		writer.CloseWithError(err)
	}()
	go func() {
		defer close(w.done)
		w.read(reader)
	}()
	t.Cleanup(func() {
		defer cancel()
		// Only this ends the command: it outlives the connection.
		attached.Close()
		select {
		case <-w.done:
		case <-time.After(endWithin):
			t.Errorf("%v in %s/%s did not end within %s", args, p.Namespace, p.Name, endWithin)
		}
	})
	return w
}

// Hold watches TCP connections to an echo server, from the first echo on.
func (p *Pod) Hold(t *testing.T, address string, flags ...string) *Watch {
	t.Helper()
	return p.watchFrom(t, "echo", append([]string{"hold", address}, flags...)...)
}

// Probe watches requests to a URL, from the first answer want on.
func (p *Pod) Probe(t *testing.T, want, url string, flags ...string) *Watch {
	t.Helper()
	return p.watchFrom(t, want, append([]string{"probe", url}, flags...)...)
}

// watchFrom waits until both kinds of connection have an outcome. What came before
// that is not told: the callee may be new, and the caller's proxy may not know it.
func (p *Pod) watchFrom(t *testing.T, outcome string, args ...string) *Watch {
	t.Helper()
	w := p.Watch(t, append(args, "--from="+outcome)...)
	w.Await(t, await.Soon, outcome, "new", "old")
	return w
}

func (w *Watch) read(reader io.Reader) {
	scanner := bufio.NewScanner(reader)
	for scanner.Scan() {
		var line Transition
		if json.Unmarshal(scanner.Bytes(), &line) == nil {
			w.mu.Lock()
			w.lines = append(w.lines, line)
			w.mu.Unlock()
		}
	}
	w.err = scanner.Err()
}

// Lines are those that came so far for a kind of connection.
func (w *Watch) Lines(connection string) []Transition {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Transition
	for _, line := range w.lines {
		if line.Connection == connection {
			out = append(out, line)
		}
	}
	return out
}

// Outcomes are the outcomes on a kind of connection so far, in their order.
func (w *Watch) Outcomes(connection string) []string {
	var out []string
	for _, line := range w.Lines(connection) {
		if !line.Last {
			out = append(out, line.Outcome)
		}
	}
	return out
}

// Await waits until the latest outcome on each of these kinds of connection is
// the one that is wanted.
func (w *Watch) Await(t *testing.T, within time.Duration, outcome string, connections ...string) {
	t.Helper()
	await.State(t, within, func() (string, bool) {
		if ended, err := w.ended(); ended {
			t.Fatalf("the probe ended (%v) before %v had %s; so far %v", err, connections, outcome, w.all())
		}
		return "outcomes " + w.all(), !slices.ContainsFunc(connections, func(connection string) bool {
			outcomes := w.Outcomes(connection)
			return len(outcomes) == 0 || outcomes[len(outcomes)-1] != outcome
		})
	})
}

func (w *Watch) ended() (bool, error) {
	select {
	case <-w.done:
		return true, w.err
	default:
		return false, nil
	}
}

func (w *Watch) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	data, _ := json.Marshal(w.lines)
	return string(data)
}
