// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

var meshPolicies = schema.GroupVersionResource{Group: "mesh.openservicemesh.io", Version: "v1alpha1", Resource: "meshpolicies"}

// The two states between which a round moves: bookbuyer may read, or nobody
// but the shop's own account may.
const (
	grant  = `[{"serviceAccounts":[{"namespace":"bookbuyer","name":"bookbuyer"}]}]`
	revoke = `[{"serviceAccounts":[{"namespace":"bookstore","name":"bookstore"}]}]`
)

// transition is what `bookstore probe` prints, see its command.
type transition struct {
	At         int64  `json:"at"`
	Connection string `json:"connection"`
	Outcome    string `json:"outcome"`
}

// newObeyCommand edits a policy and takes the time until requests obey. The
// clock starts when the write is sent on a connection that is already open,
// and stops when the first request that obeys is sent; one that obeys although it
// was under way before the write counts as 0.
func newObeyCommand() *cobra.Command {
	var rounds int
	cmd := &cobra.Command{
		Use:   "obey",
		Short: "Edit a policy and show how long it takes until requests obey it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Minute)
			defer cancel()
			return obey(ctx, cmd.OutOrStdout(), rounds)
		},
	}
	cmd.Flags().IntVar(&rounds, "rounds", 5, "how often to revoke and grant")
	return cmd
}

func obey(ctx context.Context, out io.Writer, rounds int) error {
	config, err := hostConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	policy := client.Resource(meshPolicies).Namespace("bookstore")
	if _, err := policy.Get(ctx, "bookstore-readers", metav1.GetOptions{}); err != nil {
		return fmt.Errorf("get the policy to edit: %w", err)
	}
	lines, stop, err := startProbe(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if _, err := waitFor(ctx, lines, "200"); err != nil {
		return fmt.Errorf("wait for bookbuyer's first 200: %w", err)
	}
	took := map[string][]time.Duration{}
	for range rounds {
		for _, step := range []struct{ from, outcome string }{{revoke, "403"}, {grant, "200"}} {
			patch := []byte(`{"spec":{"rules":[{"name":"readers","from":` + step.from +
				`,"to":[{"ports":[14001],"http":{"methods":["GET"],"paths":[{"type":"PathPrefix","value":"/books"}]}}]}]}}`)
			sent := time.Now()
			if _, err := policy.Patch(ctx, "bookstore-readers", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				return fmt.Errorf("edit the policy: %w", err)
			}
			seen, err := waitFor(ctx, lines, step.outcome)
			if err != nil {
				return fmt.Errorf("wait until requests give %s: %w", step.outcome, err)
			}
			last := map[string]time.Duration{}
			for connection, at := range seen {
				last[connection] = max(0, at.Sub(sent))
				took[connection] = append(took[connection], last[connection])
			}
			fmt.Fprintf(out, "write sent -> %s: new connection %6.1f ms, old connection %6.1f ms\n", step.outcome,
				milliseconds(last["new"]), milliseconds(last["old"]))
		}
	}
	for _, connection := range []string{"new", "old"} {
		slices.Sort(took[connection])
		fmt.Fprintf(out, "%s connection: median %.1f ms, slowest %.1f ms of %d edits\n", connection,
			milliseconds(took[connection][len(took[connection])/2]), milliseconds(took[connection][len(took[connection])-1]), len(took[connection]))
	}
	return nil
}

// startProbe runs `bookstore probe` in bookbuyer's pod and gives its lines.
func startProbe(ctx context.Context) (<-chan transition, func(), error) {
	probe := exec.CommandContext(ctx, "kubectl", "exec", "-n", "bookbuyer", "deploy/bookbuyer", "-c", "bookbuyer", "--",
		"bookstore", "probe", "--for=110s", "http://bookstore.bookstore:14001/books")
	probe.Stderr = os.Stderr
	stdout, err := probe.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := probe.Start(); err != nil {
		return nil, nil, fmt.Errorf("start the probe in bookbuyer's pod: %w", err)
	}
	lines := make(chan transition)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(stdout)
		for scanner.Scan() {
			var line transition
			if json.Unmarshal(scanner.Bytes(), &line) != nil {
				continue
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines, func() { _ = probe.Process.Kill(); _ = probe.Wait() }, nil
}

// waitFor gives, for each kind of connection, when it first had the outcome.
func waitFor(ctx context.Context, lines <-chan transition, outcome string) (map[string]time.Time, error) {
	seen := map[string]time.Time{}
	deadline := time.After(20 * time.Second)
	for len(seen) < 2 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline:
			return nil, fmt.Errorf("not within 20 s; seen so far on: %v", seen)
		case line, ok := <-lines:
			if !ok {
				return nil, fmt.Errorf("the probe ended")
			}
			if line.Outcome == outcome {
				seen[line.Connection] = time.Unix(0, line.At)
			}
		}
	}
	return seen, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
