// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// drainPoll is how often the proxy is asked whether it is idle.
const drainPoll = 200 * time.Millisecond

// runDrain is the proxy's preStop hook. Without it a SIGTERM would end the proxy
// at once, with all requests that it carries.
func runDrain(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("drain", flag.ContinueOnError)
	timeout := set.Duration("timeout", 25*time.Second, "the longest to wait for calls that are under way")
	if err := set.Parse(args); err != nil {
		return err
	}
	return drain(ctx, sidecar.AdminSocket, *timeout)
}

// drain returns nil when the proxy is idle and when the time is over: what is
// left then cannot be waited for.
func drain(ctx context.Context, socket string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// Callers learn by "connection: close" and GOAWAY; new ones are still served.
	if _, err := askOK(ctx, socket, "POST", "/drain_listeners?inboundonly&graceful"); err != nil {
		return fmt.Errorf("drain the proxy's listeners: %w", err)
	}
	active := 0
	for {
		stats, err := askOK(ctx, socket, "GET", "/stats?filter="+url.QueryEscape(activeStats))
		if err == nil {
			active, err = sum(stats)
		}
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			say("the proxy was not idle after %s: %d calls or connections are left", timeout, active)
			return nil
		case err != nil:
			return fmt.Errorf("read the proxy's statistics: %w", err)
		case active == 0:
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(drainPoll):
		}
	}
}

// activeStats are what the proxy carries to the application now: requests of
// HTTP, connections of TCP.
const activeStats = `^cluster\.(` + sidecar.ClusterInboundTCP + `\.upstream_cx_active|(` +
	sidecar.ClusterInboundHTTP1 + `|` + sidecar.ClusterInboundHTTP2 + `)\.upstream_rq_active)$`

func askOK(ctx context.Context, socket, method, target string) (string, error) {
	status, body, err := ask(ctx, socket, method, target)
	if err == nil && status != 200 {
		err = fmt.Errorf("%d: %s", status, strings.TrimSpace(body))
	}
	return body, err
}

// sum adds the values of lines like "name: 3". A proxy that has no such
// statistic has no such cluster, and carries nothing.
func sum(stats string) (int, error) {
	total := 0
	for line := range strings.Lines(stats) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		_, value, _ := strings.Cut(line, ": ")
		number, err := strconv.Atoi(value)
		if err != nil {
			return 0, fmt.Errorf("statistic %q has no number", line)
		}
		total += number
	}
	return total, nil
}
