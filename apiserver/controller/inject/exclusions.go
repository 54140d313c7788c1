// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

// inboundExclusionForbidden on a Namespace refuses pods that exclude inbound ports
// or interfaces. It stands there because tenants' roles cannot edit namespaces.
const inboundExclusionForbidden = "forbidden"

// maxExcluded bounds one list: each item is a rule that every new connection
// may have to pass.
const maxExcluded = 64

const excludeArgument = "--exclude-"

// exclusions are in the order in which the arguments of mesh-init name them.
var exclusions = []struct {
	annotation, argument string
	inbound              bool
	check                func(string) error
}{
	{metadata.ExcludeInboundPorts, excludeArgument + "inbound-port=", true, checkPort},
	{metadata.ExcludeOutboundPorts, excludeArgument + "outbound-port=", false, checkPort},
	{metadata.ExcludeOutboundRanges, excludeArgument + "outbound-range=", false, checkRange},
	{metadata.ExcludeInterfaces, excludeArgument + "interface=", true, checkInterface},
}

// exclude gives the arguments for mesh-init, and warns of what is unguarded.
func exclude(pod *corev1.Pod, namespace Namespace) (arguments, warnings []string, errs []error) {
	for _, exclusion := range exclusions {
		list := items(pod.Annotations[exclusion.annotation])
		if len(list) == 0 {
			continue
		}
		if exclusion.inbound && namespace.Labels[metadata.InboundExclusionLabel] == inboundExclusionForbidden {
			errs = append(errs, fmt.Errorf("annotation %s: namespace %s is labelled %s=%s: remove the annotation",
				exclusion.annotation, namespace.Name, metadata.InboundExclusionLabel, inboundExclusionForbidden))
			continue
		}
		if len(list) > maxExcluded {
			errs = append(errs, fmt.Errorf("annotation %s: %d items: name at most %d", exclusion.annotation, len(list), maxExcluded))
			continue
		}
		for _, item := range list {
			if err := exclusion.check(item); err != nil {
				errs = append(errs, fmt.Errorf("annotation %s: %w", exclusion.annotation, err))
			}
			arguments = append(arguments, exclusion.argument+item)
		}
		if exclusion.inbound {
			warnings = append(warnings, fmt.Sprintf("annotation %s: what comes in there is neither encrypted nor guarded by policies", exclusion.annotation))
		}
	}
	return arguments, warnings, errs
}

// overruledPorts warns of ports that an annotation speaks of in vain, since what comes
// in there goes past the proxy.
func overruledPorts(pod *corev1.Pod) []string {
	var warnings []string
	excluded := items(pod.Annotations[metadata.ExcludeInboundPorts])
	for _, annotation := range []string{metadata.MTLSPortsAnnotation, metadata.AccessPortsAnnotation} {
		for _, item := range items(pod.Annotations[annotation]) {
			if port, _, _ := strings.Cut(item, "="); slices.Contains(excluded, strings.TrimSpace(port)) {
				warnings = append(warnings, fmt.Sprintf("annotation %s: port %s is in %s as well, which wins: remove it from one of them", annotation, strings.TrimSpace(port), metadata.ExcludeInboundPorts))
			}
		}
	}
	return warnings
}

// items are those of a list with commas between.
func items(list string) []string {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	var out []string
	for item := range strings.SplitSeq(list, ",") {
		out = append(out, strings.TrimSpace(item))
	}
	return out
}

func checkPort(item string) error {
	port, err := strconv.ParseUint(item, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("%q is no port: write numbers from 1 to 65535 with commas between", item)
	}
	if ofProxy(int32(port)) {
		return fmt.Errorf("port %d belongs to the mesh: remove it", port)
	}
	return nil
}

func checkRange(item string) error {
	prefix, err := netip.ParsePrefix(item)
	switch {
	case err != nil:
		return fmt.Errorf("%q is no IP range: write CIDRs as 198.51.100.0/24 or 2001:db8::/32 with commas between", item)
	case prefix.Addr().Is4In6():
		// No packet has such an address: the exclusion would do nothing.
		return fmt.Errorf("%q is an IPv4 range written as IPv6: write it as 198.51.100.0/24", item)
	}
	return nil
}

var interfaceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$`)

// checkInterface refuses those through which all that the mesh carries goes:
// without them the pod would hold an identity and no proxy would guard it.
func checkInterface(item string) error {
	switch {
	case item == "lo" || item == "eth0":
		return fmt.Errorf("interface %s carries the pod's own traffic: name another, or take the pod out of the mesh by its label", item)
	case !interfaceName.MatchString(item):
		return fmt.Errorf("%q is no interface: write names of at most 15 letters, digits, dots, dashes and underscores with commas between", item)
	}
	return nil
}
