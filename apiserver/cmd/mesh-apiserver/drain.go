// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// drainPoll is how often the proxy is asked whether it is idle.
const drainPoll = 200 * time.Millisecond

// newDrainCommand makes the command of the proxy's preStop hook. Without it a
// SIGTERM would end the proxy at once, with all requests that it carries.
func newDrainCommand() *cobra.Command {
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "drain",
		Short: "Let the pod's proxy finish the calls that it carries inwards",
		Long: "Tell the pod's proxy to send its callers elsewhere, and wait until no request and no\n" +
			"TCP connection is carried to the application, or --timeout has passed. The mesh's\n" +
			"webhook makes it the preStop hook of " + model.ProxyContainer + ".",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			return drain(command.Context(), model.AdminSocket, timeout)
		},
	}
	command.Flags().DurationVar(&timeout, "timeout", 25*time.Second, "the longest to wait")
	return command
}

// drain returns nil when the proxy is idle and when the time is over: what is
// left then cannot be waited for.
func drain(ctx context.Context, socket string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	admin := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", socket)
		},
	}}
	defer admin.CloseIdleConnections()
	// Callers learn by "connection: close" and GOAWAY; new ones are still served.
	if _, err := ask(ctx, admin, http.MethodPost, "/drain_listeners?inboundonly&graceful"); err != nil {
		return fmt.Errorf("drain the proxy's listeners: %w", err)
	}
	active := 0
	err := wait.PollUntilContextCancel(ctx, drainPoll, true, func(ctx context.Context) (bool, error) {
		stats, err := ask(ctx, admin, http.MethodGet, "/stats?filter="+url.QueryEscape(activeStats))
		if err != nil {
			return false, fmt.Errorf("read the proxy's statistics: %w", err)
		}
		active, err = sum(stats)
		return active == 0, err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		klog.InfoS("Proxy not idle in time", "timeout", timeout, "active", active)
		return nil
	}
	return err
}

// activeStats are what the proxy carries to the application now: requests of
// HTTP, connections of TCP.
const activeStats = `^cluster\.(` + envoy.ClusterInboundTCP + `\.upstream_cx_active|(` +
	envoy.ClusterInboundHTTP1 + `|` + envoy.ClusterInboundHTTP2 + `)\.upstream_rq_active)$`

func ask(ctx context.Context, admin *http.Client, method, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, nil)
	if err != nil {
		return "", err
	}
	response, err := admin.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return string(body), nil
}

// sum adds the values of lines like "name: 3". A proxy that has no such
// statistic has no such cluster, and carries nothing.
func sum(stats string) (int, error) {
	total := 0
	lines := bufio.NewScanner(strings.NewReader(stats))
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		_, value, _ := strings.Cut(lines.Text(), ": ")
		number, err := strconv.Atoi(value)
		if err != nil {
			return 0, fmt.Errorf("statistic %q has no number", lines.Text())
		}
		total += number
	}
	return total, lines.Err()
}
