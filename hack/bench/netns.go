// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/openservicemesh/mesh-apiserver/apiserver/redirect"
)

// bridgeAddress is the way out of every netns, to the programs of the session.
const bridgeAddress = "198.18.100.1"

// netns is a network namespace with one address, as a pod has; it lives as long
// as the process that holds it.
type netns struct {
	address string
	holder  *exec.Cmd
}

func makeBridge(ctx context.Context) error {
	return ip(ctx, "link add mesh-bench type bridge", "address add "+bridgeAddress+"/24 dev mesh-bench", "link set mesh-bench up")
}

// newNetns joins a new namespace to the bridge. n is its address's last part.
func newNetns(ctx context.Context, n int) (*netns, error) {
	ns := &netns{address: fmt.Sprintf("198.18.100.%d", n)}
	ns.holder = exec.CommandContext(ctx, "sleep", "infinity")
	ns.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := ns.holder.Start(); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	pid := strconv.Itoa(ns.holder.Process.Pid)
	outer, inner := fmt.Sprint("bench", n), fmt.Sprint("eth", n)
	if err := ip(ctx, "link add "+outer+" type veth peer name "+inner+" netns "+pid,
		"link set "+outer+" master mesh-bench", "link set "+outer+" up"); err != nil {
		return nil, err
	}
	for _, line := range []string{"link set lo up", "address add " + ns.address + "/24 dev " + inner, "link set " + inner + " up", "route add default via " + bridgeAddress} {
		if out, err := ns.command(ctx, "ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return ns, nil
}

// command runs a program in the namespace.
func (ns *netns) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net=/proc/" + strconv.Itoa(ns.holder.Process.Pid) + "/ns/net", name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (ns *netns) stop() {
	_ = ns.holder.Process.Kill()
	_ = ns.holder.Wait()
}

func ip(ctx context.Context, lines ...string) error {
	for _, line := range lines {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// runCapture leads the traffic of this namespace through its proxy.
func runCapture(context.Context) error { return redirect.Install(redirect.Exclusions{}) }
