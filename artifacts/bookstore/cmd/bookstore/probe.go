// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// transition is one line of probe's and hold's output: at At (Unix time, ns)
// the outcome on the named kind of connection became Outcome.
type transition struct {
	At         int64  `json:"at"`
	Connection string `json:"connection"`
	Outcome    string `json:"outcome"`
}

// newProbeCommand watches one URL at a high rate, on one connection that stays
// open and on a new one each time, and prints a JSON line at every change.
// Whoever edits a policy on the same machine can subtract the times.
func newProbeCommand() *cobra.Command {
	var every, length time.Duration
	cmd := &cobra.Command{
		Use:   "probe URL",
		Short: "Print, as JSON lines, when the answer to a request changes",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), length)
			defer cancel()
			lines := make(chan transition)
			go watchURL(ctx, "new", args[0], every, &http.Transport{DisableKeepAlives: true}, lines)
			go watchURL(ctx, "old", args[0], every, &http.Transport{MaxConnsPerHost: 1}, lines)
			out := json.NewEncoder(os.Stdout)
			for {
				select {
				case <-ctx.Done():
					return nil
				case line := <-lines:
					if err := out.Encode(line); err != nil {
						return fmt.Errorf("write: %w", err)
					}
				}
			}
		},
	}
	cmd.Flags().DurationVar(&every, "every", 2*time.Millisecond, "time between two requests on each kind of connection")
	cmd.Flags().DurationVar(&length, "for", time.Minute, "stop after this long")
	return cmd
}

// watchURL asks until the context ends. The time of a transition is when the
// request was sent: the first request that obeys.
func watchURL(ctx context.Context, kind, url string, every time.Duration, transport *http.Transport, lines chan<- transition) {
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := ""
	for {
		sent := time.Now()
		got := outcome(ctx, client, url)
		if got != last && ctx.Err() == nil {
			last = got
			lines <- transition{At: sent.UnixNano(), Connection: kind, Outcome: got}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
