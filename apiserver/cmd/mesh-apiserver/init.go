// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/inject"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/redirect"
)

// initFlags are what the webhook tells mesh-init, and the kubelet fills in.
type initFlags struct {
	node             string
	podIPs           string
	proxyMemory      uint64
	controlPlane     string
	controlPlaneName string
	probes           []string

	inboundPorts, outboundPorts []uint
	outboundRanges, interfaces  []string
}

// newInitCommand makes the command of the init container mesh-init. It may run
// again in the same pod.
func newInitCommand() *cobra.Command {
	var flags initFlags
	command := &cobra.Command{
		Use:   "init",
		Short: "Prepare a pod for its proxy: redirect its traffic, write the proxy's files",
		Long: "Prepare a pod for its proxy: write Envoy's bootstrap and a copy of this program to\n" +
			model.RunDirectory + ", and redirect the pod's TCP traffic. The mesh's webhook adds it to\n" +
			"pods as the init container " + model.InitContainer + "; it needs NET_ADMIN.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(*cobra.Command, []string) error {
			except, err := flags.exclusions()
			if err != nil {
				return err
			}
			if err := prepare(model.RunDirectory, flags); err != nil {
				return err
			}
			if err := redirect.Install(except); err != nil {
				return fmt.Errorf("redirect the pod's traffic: %w", err)
			}
			klog.InfoS("Pod prepared", "node", flags.node, "probes", len(flags.probes))
			return nil
		},
	}
	flags.add(command.Flags())
	for _, name := range []string{"node", "pod-ips", "control-plane", "control-plane-name"} {
		// It fails only for a flag that is not defined above.
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return command
}

func (f *initFlags) add(set *pflag.FlagSet) {
	set.StringVar(&f.node, "node", "", "the pod, as <namespace>/<name>/<uid>")
	set.StringVar(&f.podIPs, "pod-ips", "", "the addresses of the pod, with commas between")
	set.Uint64Var(&f.proxyMemory, "proxy-memory", 0, "bytes of memory that the proxy may use; 0 leaves it unwatched")
	set.StringVar(&f.controlPlane, "control-plane", "", "<host>:<port> of the control plane's xDS")
	set.StringVar(&f.controlPlaneName, "control-plane-name", "", "DNS name in the control plane's certificate")
	set.StringArrayVar(&f.probes, "probe", nil, "a rewritten probe's original, as the JSON object that the webhook writes; may be repeated")
	set.UintSliceVar(&f.inboundPorts, "exclude-inbound-port", nil, "a TCP port whose callers go past the proxy; may be repeated")
	set.UintSliceVar(&f.outboundPorts, "exclude-outbound-port", nil, "a TCP port that the pod calls past the proxy; may be repeated")
	set.StringArrayVar(&f.outboundRanges, "exclude-outbound-range", nil, "a CIDR that the pod calls past the proxy; may be repeated")
	set.StringArrayVar(&f.interfaces, "exclude-interface", nil, "a network device whose traffic goes past the proxy; may be repeated")
}

// exclusions are what the pod's annotations keep from the proxy.
func (f initFlags) exclusions() (redirect.Exclusions, error) {
	except := redirect.Exclusions{Interfaces: f.interfaces}
	for _, list := range []struct {
		flag string
		from []uint
		to   *[]uint16
	}{
		{"--exclude-inbound-port", f.inboundPorts, &except.InboundPorts},
		{"--exclude-outbound-port", f.outboundPorts, &except.OutboundPorts},
	} {
		for _, port := range list.from {
			if port == 0 || port > math.MaxUint16 {
				return except, fmt.Errorf("%s: %d is no port", list.flag, port)
			}
			*list.to = append(*list.to, uint16(port))
		}
	}
	for _, text := range f.outboundRanges {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return except, fmt.Errorf("--exclude-outbound-range: %w", err)
		}
		except.OutboundRanges = append(except.OutboundRanges, prefix)
	}
	return except, nil
}

// prepare fills the proxy's run directory.
func prepare(directory string, flags initFlags) error {
	params, err := flags.bootstrap()
	if err != nil {
		return err
	}
	bootstrap, identity, roots, err := envoy.Bootstrap(params)
	if err != nil {
		return err
	}
	budget, err := envoy.RefusalBudget()
	if err != nil {
		return err
	}
	for path, content := range map[string][]byte{
		model.Bootstrap: bootstrap, model.IdentitySDS: identity, model.ControlPlaneRootsSDS: roots, model.RefusalBudget: budget,
	} {
		if err := replace(filepath.Join(directory, filepath.Base(path)), 0o644, strings.NewReader(string(content))); err != nil {
			return err
		}
	}
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("read this program: %w", err)
	}
	defer program.Close()
	return replace(filepath.Join(directory, filepath.Base(model.Binary)), 0o755, program)
}

func (f initFlags) bootstrap() (envoy.BootstrapParams, error) {
	node := strings.Split(f.node, "/")
	if len(node) != 3 {
		return envoy.BootstrapParams{}, fmt.Errorf("--node %q: want <namespace>/<name>/<uid>", f.node)
	}
	host, port, err := net.SplitHostPort(f.controlPlane)
	if err != nil {
		return envoy.BootstrapParams{}, fmt.Errorf("--control-plane: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return envoy.BootstrapParams{}, fmt.Errorf("--control-plane: port %q is no number below 65536", port)
	}
	var podIPs []netip.Addr
	for _, text := range strings.Split(f.podIPs, ",") {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return envoy.BootstrapParams{}, fmt.Errorf("--pod-ips: %w", err)
		}
		podIPs = append(podIPs, ip)
	}
	params := envoy.BootstrapParams{
		NodeID:        model.ProxyID{Namespace: node[0], Pod: node[1], UID: node[2]},
		XDSHost:       host,
		XDSPort:       uint16(number),
		XDSServerName: f.controlPlaneName,
		PodIPs:        podIPs,
		// Stacks and buffers of the kernel count for the container as well.
		MaxHeapBytes: f.proxyMemory / 10 * 9,
	}
	for _, probe := range f.probes {
		route, err := inject.ParseProbeRoute(probe)
		if err != nil {
			return envoy.BootstrapParams{}, fmt.Errorf("--probe: %w", err)
		}
		probe := envoy.ProbeRoute{
			Path: route.ProbePath(), Port: uint16(route.Port), OriginalPath: route.Path,
			Scheme: envoy.ProbeScheme(strings.ToUpper(route.Scheme)), Timeout: time.Duration(route.Timeout) * time.Second,
		}
		for _, h := range route.Headers {
			probe.Headers = append(probe.Headers, envoy.ProbeHeader{Name: h.Name, Value: h.Value})
		}
		params.Probes = append(params.Probes, probe)
	}
	return params, nil
}

// replace writes a file in one step: a proxy that runs already, or a hook,
// reads the old one or the new one. The program itself cannot be overwritten
// while a hook runs it.
func replace(path string, mode os.FileMode, content io.Reader) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".init-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(file.Name())
	if _, err = io.Copy(file, content); err == nil {
		err = file.Chmod(mode)
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
