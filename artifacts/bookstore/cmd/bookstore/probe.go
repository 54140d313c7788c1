// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// transition is one line of probe's and hold's output: at At (Unix time, ns)
// the outcome on the named kind of connection became Outcome. Of HTTP it also
// says how many requests were made and how many connections were opened so far.
type transition struct {
	At         int64  `json:"at"`
	Connection string `json:"connection"`
	Outcome    string `json:"outcome"`
	Requests   int    `json:"requests,omitempty"`
	Dialled    int    `json:"dialled,omitempty"`
	// Last is true of the line that sums up, when the time is over.
	Last bool `json:"last,omitempty"`
}

// newProbeCommand watches one URL at a high rate, on one connection that stays
// open and on a new one each time, and prints a JSON line at every change.
// Whoever edits a policy on the same machine can subtract the times.
func newProbeCommand() *cobra.Command {
	var every, length time.Duration
	cmd := &cobra.Command{
		Use:   "probe URL",
		Short: "Print, as JSON lines, when the answer to a request changes, and a last line",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), length)
			defer cancel()
			lines := make(chan transition)
			go watchURL(ctx, "new", args[0], every, &http.Transport{DisableKeepAlives: true}, lines)
			go watchURL(ctx, "old", args[0], every, &http.Transport{MaxConnsPerHost: 1}, lines)
			out := json.NewEncoder(os.Stdout)
			for last := 0; last < 2; {
				line := <-lines
				if line.Last {
					last++
				}
				if err := out.Encode(line); err != nil {
					return fmt.Errorf("write: %w", err)
				}
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&every, "every", 2*time.Millisecond, "time between two requests on each kind of connection")
	cmd.Flags().DurationVar(&length, "for", time.Minute, "stop after this long")
	return cmd
}

// watchURL asks until the context ends. The time of a transition is when the
// request was sent: the first request that obeys.
func watchURL(ctx context.Context, kind, url string, every time.Duration, transport *http.Transport, lines chan<- transition) {
	state := transition{Connection: kind}
	var dialled atomic.Int32
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		sent := time.Now()
		// The last request is let finish, so that each one that is counted had its answer.
		got := outcome(context.WithoutCancel(ctx), client, url)
		state.Requests++
		if got != state.Outcome {
			state.At, state.Outcome, state.Dialled = sent.UnixNano(), got, int(dialled.Load())
			lines <- state
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	state.At, state.Dialled, state.Last = time.Now().UnixNano(), int(dialled.Load()), true
	lines <- state
}
