// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// greeting is what the echo server says first: a protocol in which the server
// speaks before the client is the hardest to keep closed.
const greeting = "hello from the echo server\n"

// newEchoCommand serves TCP: a greeting, then every line back.
func newEchoCommand() *cobra.Command {
	var listen []string
	cmd := &cobra.Command{
		Use:   "echo",
		Short: "Serve TCP: greet, then send every byte back",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			ended := make(chan error, len(listen))
			for _, address := range listen {
				go func() { ended <- serveEcho(ctx, address) }()
			}
			return <-ended
		},
	}
	cmd.Flags().StringSliceVar(&listen, "listen", []string{":9000"}, "addresses to serve on")
	return cmd
}

// serveEcho serves until the context ends.
func serveEcho(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		fmt.Printf("%s accepted a connection on %s\n", now(), address)
		go func() {
			defer conn.Close()
			_, _ = io.WriteString(conn, greeting)
			_, _ = io.Copy(conn, conn)
		}()
	}
}

// newHoldCommand watches the echo server on one connection that stays open and
// on a new one each time, and prints a JSON line at every change. An outcome is
// "echo", "closed after N bytes", or "silent after N bytes": open, but with
// nothing to read for 5 s.
func newHoldCommand() *cobra.Command {
	var every, length time.Duration
	var from string
	cmd := &cobra.Command{
		Use:   "hold ADDRESS",
		Short: "Print, as JSON lines, when TCP connections to an echo server open and close",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), length)
			defer cancel()
			lines := make(chan transition)
			go watchEcho(ctx, "new", args[0], from, every, lines)
			go watchEcho(ctx, "old", args[0], from, every, lines)
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
	cmd.Flags().DurationVar(&every, "every", 100*time.Millisecond, "time between two exchanges on each kind of connection")
	cmd.Flags().DurationVar(&length, "for", time.Minute, "stop after this long")
	cmd.Flags().StringVar(&from, "from", "", "print nothing before this outcome, and open the connection that stays open again until then")
	return cmd
}

// watchEcho exchanges lines until the context ends, and tells of what becomes of
// them from the outcome "from" on. The "old" connection is then kept until the
// server ends it, and not opened again.
func watchEcho(ctx context.Context, kind, address, from string, every time.Duration, lines chan<- transition) {
	last, begun := "", from == ""
	for ctx.Err() == nil {
		at := time.Now()
		got := exchange(ctx, address, kind == "old", every, func(outcome string) {
			begun = begun || outcome == from
			if begun && outcome != last {
				last = outcome
				lines <- transition{At: time.Now().UnixNano(), Connection: kind, Outcome: outcome}
			}
		})
		begun = begun || got == from
		if begun && got != last && ctx.Err() == nil {
			last = got
			if kind == "old" {
				at = time.Now()
			}
			lines <- transition{At: at.UnixNano(), Connection: kind, Outcome: got}
		}
		if begun && kind == "old" && last != "echo" {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// exchange opens a connection and sends a line, once, or until it ends if keep.
func exchange(ctx context.Context, address string, keep bool, every time.Duration, report func(string)) string {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return rootCause(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	reader, received := bufio.NewReader(conn), 0
	read := func() error {
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		line, err := reader.ReadString('\n')
		received += len(line)
		return err
	}
	ended := func(err error) string {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Sprintf("silent after %d bytes", received)
		}
		return fmt.Sprintf("closed after %d bytes", received)
	}
	if err := read(); err != nil {
		return ended(err)
	}
	for {
		if _, err := io.WriteString(conn, "ping\n"); err != nil {
			return ended(err)
		}
		if err := read(); err != nil {
			return ended(err)
		}
		report("echo")
		if !keep {
			return "echo"
		}
		select {
		case <-ctx.Done():
			return "echo"
		case <-time.After(every):
		}
	}
}
