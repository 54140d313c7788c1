// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/redirect"
)

// initFlags are what the webhook tells mesh-init.
type initFlags struct {
	proxyUID int
	probes   []string
	except   redirect.Exclusions
}

// runInit is the container mesh-init. It ends when the proxy, which has started
// before it, has its configuration: the kubelet starts the application then. It
// may run again in the same pod.
func runInit(ctx context.Context, args []string) error {
	flags, err := parseInit(args)
	if err != nil {
		return err
	}
	if err := copyProgram(sidecar.Helper); err != nil {
		return err
	}
	if err := redirect.Install(flags.except); err != nil {
		return fmt.Errorf("redirect the pod's traffic: %w", err)
	}
	say("the pod's traffic goes through its proxy")
	for _, probe := range flags.probes {
		say("the proxy answers for the kubelet's probe %s", probe)
	}
	return awaitProxy(ctx, sidecar.AdminSocket, flags.proxyUID)
}

func parseInit(args []string) (initFlags, error) {
	var flags initFlags
	set := flag.NewFlagSet("init", flag.ContinueOnError)
	set.IntVar(&flags.proxyUID, "proxy-uid", 0, "the user that the proxy runs as")
	set.Func("probe", "a probe that the proxy answers, a JSON object that says what it was; may be repeated", func(value string) error {
		flags.probes = append(flags.probes, value)
		return nil
	})
	port := func(name, usage string, to *[]uint16) {
		set.Func(name, usage+"; may be repeated", func(value string) error {
			number, err := strconv.ParseUint(value, 10, 16)
			if err != nil || number == 0 {
				return fmt.Errorf("%s is no port", value)
			}
			*to = append(*to, uint16(number))
			return nil
		})
	}
	port("exclude-inbound-port", "a TCP port whose callers go past the proxy", &flags.except.InboundPorts)
	port("exclude-outbound-port", "a TCP port that the pod calls past the proxy", &flags.except.OutboundPorts)
	set.Func("exclude-outbound-range", "a CIDR that the pod calls past the proxy; may be repeated", func(value string) error {
		prefix, err := netip.ParsePrefix(value)
		flags.except.OutboundRanges = append(flags.except.OutboundRanges, prefix)
		return err
	})
	set.Func("exclude-interface", "a network device whose traffic goes past the proxy; may be repeated", func(value string) error {
		flags.except.Interfaces = append(flags.except.Interfaces, value)
		return nil
	})
	if err := set.Parse(args); err != nil {
		return flags, err
	}
	if len(set.Args()) > 0 {
		return flags, fmt.Errorf("init: %q is no flag", set.Args())
	}
	return flags, nil
}

// copyProgram puts this program where the proxy's hook finds it, in one step: a
// hook that runs it already keeps the old one.
func copyProgram(path string) error {
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("read this program: %w", err)
	}
	defer program.Close()
	file, err := os.CreateTemp(filepath.Dir(path), ".init-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(file.Name())
	if _, err = io.Copy(file, program); err == nil {
		err = file.Chmod(0o755)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
