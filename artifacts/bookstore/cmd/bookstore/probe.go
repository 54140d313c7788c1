// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// transition is one line of probe's and hold's output: at At (Unix time, ns)
// the outcome on the named kind of connection became Outcome. Of HTTP it also
// says how many requests were made so far, and how often the other side has
// ended a connection or said that it would.
type transition struct {
	At         int64  `json:"at"`
	Connection string `json:"connection"`
	Outcome    string `json:"outcome"`
	Requests   int    `json:"requests,omitempty"`
	Cut        int    `json:"cut,omitempty"`
	// Last is true of the line that sums up, when the time is over.
	Last bool `json:"last,omitempty"`
}

// newProbeCommand watches one URL at a high rate, on one connection that stays
// open and on a new one each time, and prints a JSON line at every change.
// Whoever edits a policy on the same machine can subtract the times.
func newProbeCommand() *cobra.Command {
	var every, length time.Duration
	var from string
	cmd := &cobra.Command{
		Use:   "probe URL",
		Short: "Print, as JSON lines, when the answer to a request changes, and a last line",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), length)
			defer cancel()
			lines := make(chan transition)
			go watchURL(ctx, "new", args[0], from, every, &http.Transport{DisableKeepAlives: true}, lines)
			go watchURL(ctx, "old", args[0], from, every, &http.Transport{MaxConnsPerHost: 1}, lines)
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
	cmd.Flags().StringVar(&from, "from", "", "print and count nothing before this outcome")
	return cmd
}

// watchURL asks until the context ends, and tells of the answers from the outcome
// "from" on. The time of a transition is when the request was sent: the first
// request that obeys.
func watchURL(ctx context.Context, kind, url, from string, every time.Duration, transport *http.Transport, lines chan<- transition) {
	state := transition{Connection: kind}
	var cut atomic.Int32
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &watchedConn{Conn: conn, cut: &cut}, nil
	}
	client := &http.Client{Transport: &watchedTransport{transport, &cut}, Timeout: 5 * time.Second}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for begun := from == ""; ctx.Err() == nil; {
		sent := time.Now()
		// The last request is let finish, so that each one that is counted had its answer.
		got := outcome(context.WithoutCancel(ctx), client, url)
		if !begun && got == from {
			begun = true
			cut.Store(0)
		}
		if begun {
			state.Requests++
		}
		if begun && got != state.Outcome {
			state.At, state.Outcome, state.Cut = sent.UnixNano(), got, int(cut.Load())
			lines <- state
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	state.At, state.Cut, state.Last = time.Now().UnixNano(), int(cut.Load()), true
	lines <- state
}

// watchedTransport counts the answers after which a connection is not to be used.
type watchedTransport struct {
	*http.Transport
	cut *atomic.Int32
}

func (t *watchedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.Transport.RoundTrip(r)
	if err == nil && response.Close {
		t.cut.Add(1)
	}
	return response, err
}

// watchedConn counts its end if the other side made it.
type watchedConn struct {
	net.Conn
	cut *atomic.Int32
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		c.cut.Add(1)
	}
	return n, err
}
