// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package harness runs the real etcd, kube-apiserver, namespace controller and
// mesh-apiserver as processes in a network namespace of their own, where every
// port is free and nothing leads outside.
package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Addresses of the API servers, of the range set aside for benchmarks (RFC 2544).
// EndpointSlices take no loopback addresses. The last two are for siblings.
const (
	KubeAddress   = "198.18.200.1"
	MeshAddress   = "198.18.200.2"
	SecondAddress = "198.18.200.3"
	ThirdAddress  = "198.18.200.4"
)

const inside = "MESH_INTEGRATION_NETNS"

// InNetworkNamespace runs this program again in a new network namespace, and
// ends with its exit code. There it returns.
func InNetworkNamespace() error {
	if os.Getenv(inside) != "" {
		return bringUp()
	}
	if os.Geteuid() != 0 {
		return errors.New("the integration tests need root: they make a network namespace")
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	os.Exit(0)
	return nil
}

func bringUp() error {
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"address", "add", KubeAddress + "/32", "dev", "lo"},
		{"address", "add", MeshAddress + "/32", "dev", "lo"},
		{"address", "add", SecondAddress + "/32", "dev", "lo"},
		{"address", "add", ThirdAddress + "/32", "dev", "lo"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return nil
}
